"""The backend `pure_python`: our own Parquet decoder, as slow and as clear as Python is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import cramjam

from firstbyte import __version__
from firstbyte.api import Unsupported

from .reader import PureReader


class PurePython:
    """Reads the Parquet shards as they are."""

    def versions(self) -> dict[str, str]:
        """Versions of this decoder (that of the project), the codec library and the interpreter."""
        version = sys.version_info
        return {
            "pure_python": __version__,
            "cramjam": cramjam.__version__,
            sys.implementation.name: f"{version.major}.{version.minor}.{version.micro}",
        }

    def prepare(self, shards: Sequence[Path], directory: Path) -> Sequence[Path]:
        """The shards unchanged: they are Parquet already."""
        return shards

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> PureReader:
        """A reader over one shard.

        Raises OSError, CorruptParquetError, Unsupported, UnknownNameError.
        """
        return PureReader(shard, columns=columns, batch_rows=batch_rows)


def create() -> PurePython:
    """The backend; it has no options. Raises Unsupported on a big-endian machine."""
    if sys.byteorder != "little":
        raise Unsupported("a big-endian machine: values are read in the machine's byte order")
    return PurePython()
