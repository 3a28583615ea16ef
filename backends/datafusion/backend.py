"""Parquet through DataFusion: one session and one streamed query per reader."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from firstbyte.batches import BatchReader


class DatafusionBackend:
    """Reads Parquet as it is.

    Every reader has a session of its own: a session remembers footers and statistics, and a reader
    that finds them there would not be doing the work that the others do.
    """

    def __init__(self, *, target_partitions: int) -> None:
        import datafusion

        self._datafusion = datafusion
        self._target_partitions = target_partitions

    def versions(self) -> dict[str, str]:
        import pyarrow

        return {"datafusion": self._datafusion.__version__, "pyarrow": pyarrow.__version__}

    def prepare(self, shards: Sequence[Path], directory: Path) -> Sequence[Path]:
        return shards

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> BatchReader:
        """Start the query; dropping its stream cancels it.

        Raises an exception of DataFusion for a file that it cannot open.
        """
        config = (
            self._datafusion.SessionConfig()
            .with_target_partitions(self._target_partitions)
            .with_batch_size(batch_rows)
        )
        session = self._datafusion.SessionContext(config)
        frame = session.read_parquet(_url(shard), file_extension=shard.suffix)
        if columns is not None:
            frame = frame.select(*(self._datafusion.col(_quoted(name)) for name in columns))
        return BatchReader(batch.to_pyarrow() for batch in frame.execute_stream())


def create(*, target_partitions: int) -> DatafusionBackend:
    """The backend of one variant. More than one partition does not keep the order of rows."""
    return DatafusionBackend(target_partitions=target_partitions)


def _url(shard: Path) -> str:
    """A URL, as DataFusion would expand `*`, `?` and `[` in a plain path."""
    return shard.resolve().as_uri()


def _quoted(name: str) -> str:
    """The name as a quoted SQL identifier: unquoted ones lose case and split at dots."""
    return '"' + name.replace('"', '""') + '"'
