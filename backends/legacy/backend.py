"""The legacy format as a backend: shards are converted to LSHD once, then read by one rung."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import msgpack

from firstbyte.api import BuildRefusedError

from .format import BLOCK_TARGET_BYTES, VERSION
from .readers import RUNGS, LshdReader


class LegacyBackend:
    """Reads LSHD with one of the readers R0 to R3."""

    def __init__(self, rung: type[LshdReader], block_target_bytes: int, created_unix: int) -> None:
        self._rung = rung
        self._block_target_bytes = block_target_bytes
        self._created_unix = created_unix

    def versions(self) -> dict[str, str]:
        """Raises BuildRefusedError where msgpack lacks its compiled part and would be far slower."""
        if msgpack.Unpacker.__module__ == "msgpack.fallback":
            raise BuildRefusedError(
                "msgpack runs its pure python fallback; install a wheel with the compiled part"
            )
        return {
            "msgpack": ".".join(map(str, msgpack.version)),
            "zlib": zlib.ZLIB_RUNTIME_VERSION,
            "lshd": str(VERSION),
        }

    def prepare(self, shards: Sequence[Path], directory: Path) -> Sequence[Path]:
        """Raises Unsupported with the name of a column type that msgpack rows cannot carry."""
        from .convert import convert_all

        return convert_all(
            shards,
            directory,
            block_target_bytes=self._block_target_bytes,
            created_unix=self._created_unix,
        )

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> LshdReader:
        """Every row comes with all its fields. Raises LshdError, OSError or ValueError."""
        return self._rung(shard, columns, batch_rows)


def create(
    *,
    reader: str,
    block_target_bytes: int = BLOCK_TARGET_BYTES,
    created_unix: int | None = None,
) -> LegacyBackend:
    """The backend of one rung. `created_unix` is SOURCE_DATE_EPOCH, or 0, where it is not given.

    Raises ValueError for an unknown reader.
    """
    if reader not in RUNGS:
        raise ValueError(f"unknown reader '{reader}' (allowed: {', '.join(RUNGS)})")
    if created_unix is None:
        created_unix = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    return LegacyBackend(RUNGS[reader], block_target_bytes, created_unix)
