"""Backends as witnesses to what the user's files hold: one for each decoder, in a worker of its own.

A corpus is resolved through here, so that nobody is judged by a single reader's word
(`firstbyte.corpora.reference`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from firstbyte.corpora import catalogue as corpora
from firstbyte.corpora.manifest import Manifest
from firstbyte.corpora.progress import OnProgress, silent
from firstbyte.corpora.reference import Reading, Refusal, Witness
from firstbyte.corpora.shards import DECODER
from firstbyte.corpora.spec import Spec
from firstbyte.engine.launch import current_environment, run_worker
from firstbyte.engine.registry import BackendInfo, discover, plugin_roots
from firstbyte.model import Cell, Limits, Status
from firstbyte.worker.order import BATCH_ROWS, DIGEST, DUMP, Order

SLOWEST_LANGUAGE = "Python"
"""Heard last, and so only where the others do not agree."""
LIMITS = Limits(timeout_s=24 * 3600.0, memory_bytes=8_000_000_000)
"""A large corpus takes its time to read; what a reader takes of memory is bounded as in any cell."""


def resolve(spec: str | Spec, progress: OnProgress = silent) -> Manifest:
    """The manifest of a corpus, built or described first where the cache lacks it.

    Raises UnknownNameError for an unknown kind or option and CorpusError where it cannot be had.
    """
    return corpora.resolve(spec, progress=progress, witnesses=lambda: witnesses(progress))


def witnesses(progress: OnProgress = silent) -> Iterator[Witness]:
    """One backend for each decoder that is installed, but the one that describes files already."""
    for info, decoder in _able():
        yield _witness(info, decoder, progress)


def dumps(shard: Path) -> Iterator[Callable[[Path], bool]]:
    """For each of them in turn: writes what it delivers of that shard into a folder, if it can."""
    for info, _ in _able():
        order = _order(info, [shard])

        def dump(folder: Path, order: Order = order) -> bool:
            asked = replace(order, task=DUMP, prepared_directory=str(folder))
            return run_worker(asked, current_environment()).status is Status.OK

        yield dump


def _able() -> Iterator[tuple[BackendInfo, str]]:
    """One backend for each decoder that is installed, and the decoder."""
    heard = {DECODER}
    infos = discover().backends.values()
    for info in sorted(infos, key=lambda one: (one.language == SLOWEST_LANGUAGE, one.name)):
        if info.decoder is not None and info.decoder not in heard and not info.unavailable:
            heard.add(info.decoder)
            yield info, info.decoder


def _witness(info: BackendInfo, decoder: str, progress: OnProgress) -> Witness:
    def read(shards: Sequence[Path]) -> list[Reading] | Refusal:
        progress(f"comparing with {info.name}", 0.0)
        outcome = run_worker(_order(info, shards), current_environment())
        if outcome.status is not Status.OK:
            return Refusal(decoder, f"{outcome.status}: {outcome.reason}")
        return [Reading(decoder, one.rows, one.columns or {}) for one in outcome.digests]

    return read


def _order(info: BackendInfo, shards: Sequence[Path]) -> Order:
    variant = info.default
    cell = Cell(
        scenario="",
        backend=info.name,
        variant=variant.name,
        environment="current",
        corpus="",
        params={},
        instrument="",
        processes=1,
        repetitions=1,
        limits=LIMITS,
    )
    return Order(
        task=DIGEST,
        cell=cell,
        plugin_roots=tuple(map(str, plugin_roots())),
        backend_module=info.module,
        backend_options=variant.options,
        batch_rows=BATCH_ROWS,
        shards=tuple(map(str, shards)),
        shard_rows=(0,) * len(shards),
    )
