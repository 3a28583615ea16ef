"""A Parquet reader for training: early first batch, bounded memory, safe on any bytes."""

from firstbyte_arrow._native import (
    Batch,
    Column,
    CorruptFileError,
    Dataset,
    ForkedReaderError,
    LimitError,
    MemoryStats,
    ParquetError,
    Reader,
    Schema,
    StoreError,
    UnsupportedError,
    __version__,
    build_profile,
    library_versions,
    memory,
    open,  # noqa: A004  the package's own name for it, as in `gzip.open`
    reset_peak,
)

__all__ = [
    "Batch",
    "Column",
    "CorruptFileError",
    "Dataset",
    "ForkedReaderError",
    "LimitError",
    "MemoryStats",
    "ParquetError",
    "Reader",
    "Schema",
    "StoreError",
    "UnsupportedError",
    "__version__",
    "build_profile",
    "library_versions",
    "memory",
    "open",
    "reset_peak",
]
