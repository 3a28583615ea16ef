from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Self, TypedDict, final

__version__: str
build_profile: Literal["release", "debug"]
library_versions: list[tuple[str, str]]

class ParquetError(Exception):
    """Base of all that can go wrong with a file. Attributes are None where unknown."""

    file: str | None
    column: str | None
    row_group: int | None
    offset: int | None

class CorruptFileError(ParquetError): ...
class LimitError(ParquetError): ...
class UnsupportedError(ParquetError, NotImplementedError): ...
class StoreError(ParquetError, OSError): ...
class ForkedReaderError(ParquetError, RuntimeError): ...

@final
class MemoryStats:
    @property
    def live_bytes(self) -> int: ...
    @property
    def peak_bytes(self) -> int: ...

@final
class Schema:
    @property
    def names(self) -> list[str]: ...
    @property
    def types(self) -> list[str]: ...
    def __len__(self) -> int: ...
    def __arrow_c_schema__(self) -> object: ...

@final
class Column(Sequence[Any]):
    @property
    def name(self) -> str: ...
    @property
    def null_count(self) -> int: ...
    def __len__(self) -> int: ...
    def to_list(self) -> list[Any]:
        """All values as Python objects; None for null. Raises TypeError as `Batch.value` does."""

    def __getitem__(self, row: int) -> Any: ...  # type: ignore[override]  # no slices
    def __arrow_c_array__(
        self, requested_schema: object | None = None
    ) -> tuple[object, object]: ...
    def __arrow_c_schema__(self) -> object: ...

@final
class Batch:
    @property
    def num_rows(self) -> int: ...
    @property
    def num_columns(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def schema(self) -> Schema: ...
    def __len__(self) -> int: ...
    def column(self, name: str) -> Column: ...
    def value(self, column: str, row: int) -> Any: ...
    def __arrow_c_array__(
        self, requested_schema: object | None = None
    ) -> tuple[object, object]: ...
    def __arrow_c_schema__(self) -> object: ...

_Value = bool | int | float | Decimal | Fraction | str | bytes | datetime | date | time | timedelta
"""What a column can be compared with. Numbers of NumPy are numbers, too."""

_Comparison = tuple[str, str] | tuple[str, str, _Value | Collection[_Value] | None]

class Position(TypedDict):
    """Where a pass is: plain values, so that it goes through pickle and JSON."""

    version: int
    rows: int
    """Rows of the plan that are behind."""
    block_rows: int
    """Rows delivered of the shuffled block that begins there."""
    plan: str
    """Digest of the file's layout and of the options that decide which rows come in which order."""

@final
class Reader(Iterator[Batch]):
    """One pass over a file. Other Python threads run while it reads and decodes.

    Every step can raise `ParquetError` and its children; after an error the reader is at its end.
    Handlers of signals run during a long step. What one raises ends the step, and without threads
    the reader; `position` is then before the batch that was given up. A handler that uses the
    reader meanwhile gets a ValueError.
    """

    @property
    def schema(self) -> Schema: ...
    @property
    def position(self) -> Position:
        """Where the next row is. Raises ValueError once closed."""

    @property
    def most_bytes(self) -> int | None:
        """The most bytes that threads and queues held at once; None without threads."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> Batch: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exc_info: object) -> None: ...
    def close(self) -> None:
        """End all threads and release everything; idempotent. Batches handed out stay valid."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def __arrow_c_schema__(self) -> object: ...

@final
class Dataset:
    """One Parquet file: its footer and an open descriptor. Picklable by path; starts no thread."""

    @property
    def path(self) -> Path: ...
    @property
    def schema(self) -> Schema: ...
    @property
    def num_rows(self) -> int: ...
    @property
    def row_groups(self) -> list[int]:
        """Rows of each row group, in file order."""

    def scan(
        self,
        *,
        columns: Sequence[str] | None = None,
        row_groups: Sequence[int] | None = None,
        shard: tuple[int, int] | None = None,
        batch_size: int = 1024,
        threads: int = 0,
        memory_budget: int = 33554432,
        strings: Literal["utf8", "view", "dictionary"] = "utf8",
        int96: Literal["ns", "us", "ms", "s"] | None = None,
        max_page_bytes: int = 268435456,
        max_batch_bytes: int = 2147483648,
        seed: int | None = None,
        epoch: int = 0,
        shuffle_rows: int = 0,
        where: Sequence[_Comparison] | None = None,
        resume: Position | None = None,
    ) -> Reader:
        """One pass over the file.

        columns: names, None for all; batches have them in file order, however often they are named.
        A name can go into structs, lists and maps: "messages.content" reads of the column
        "messages" that field alone, and no byte of its other fields. Levels of lists and maps may
        be named as in the file ("messages.list.element.content") or left out. At every depth the
        longest name that fits goes first: a column that is called "a.b" itself goes before the
        field b of a, which is read with "a". Of maps, keys are "labels.key" and values
        "labels.value"; without one of them a map comes as a list of structs, as pyarrow has it.
        row_groups: which ones, in the order to read them.
        shard: (rank, world), an equal share of the rows for each of `world` readers.
        batch_size: rows of a batch; only the last one is smaller, or any where rows are dropped.
        threads: how many decode ahead, each a part of a row group; 0 starts none and decodes in
        the calling thread.
        memory_budget: bytes that threads and queues may hold, besides the next pages and batch.
        strings: "utf8" as the file declares, "view" points into pages, "dictionary" stores what
        repeats once per batch.
        int96: the unit of timestamps of that old type, rounded down; None is nanoseconds, unless
        pyarrow noted another unit in the file. Dates that the unit does not reach (for nanoseconds
        before 1677 or after 2262) raise UnsupportedError.
        max_page_bytes: larger pages raise LimitError before anything is allocated for them.
        max_batch_bytes: a batch that takes more for one column raises LimitError before it does:
        of its pages and the levels of nested values, or for what is decoded from them, with the
        text that a dictionary stands for, offsets, and the least that its rows take.
        seed, epoch: shuffle the row groups; the same pair gives the same order everywhere.
        shuffle_rows: rows held to be shuffled among each other, rounded up to whole batches.
        where: comparisons that all must hold, each (column, operator, value) with == (or =), !=, <,
        <=, > or >=, (column, "in" or "not in", [value, ...]), or (column, "is null" or "is not
        null"). Columns are named as in `columns`, but those within lists and maps, of which a row
        has no single value; what is in a struct that is null is null.
        Values compare as in Python, exactly and whatever the number types: an int column with a
        float, a float64 column with an int above 2**53, decimals, truth values as 0 and 1, text,
        bytes, dates, times, durations, and timestamps (with a time zone where the column has one).
        A null matches nothing but "is null", and a NaN is equal to none. Row groups and pages whose
        bounds exclude a match are not read, as far as the format allows to believe these.
        resume: the `position` of a pass with the same options; goes on with exactly the next row.

        Raises ValueError for arguments that do not fit the file.
        """

    def take(
        self,
        indices: Sequence[int],
        *,
        columns: Sequence[str] | None = None,
        strings: Literal["utf8", "view", "dictionary"] = "utf8",
        int96: Literal["ns", "us", "ms", "s"] | None = None,
        max_page_bytes: int = 268435456,
        max_batch_bytes: int = 2147483648,
    ) -> Batch:
        """The rows with these numbers, counted from 0, in the order asked for, as one batch.

        Only pages that hold them are decompressed. Columns, forms and limits are those of `scan`;
        rows that are asked for several times count as often. Raises ValueError for a row that is not there.
        """

    def decompress(self, *, columns: Sequence[str] | None = None) -> int:
        """Read and decompress every page in the calling thread and throw it away.

        The floor under the time of a scan: what remains when nothing is decoded. Returns the
        decompressed bytes.
        """

    def pages_in_hand(self, *, columns: Sequence[str] | None = None) -> int:
        """What the dictionary and the largest page of each column take, decompressed, in bytes.

        Of the row group where that is most: the floor under the memory of a scan that has one page
        of each column in hand, to which a batch comes. Only page headers are read.
        """

def open(source: str | PathLike[str]) -> Dataset:  # noqa: A001  as in the package
    """Read and check the footer, or take it from the cache where the file is unchanged.

    Raises StoreError (an OSError) where the file cannot be read or is a directory, a pipe or a
    device, CorruptFileError where it is not sound Parquet, and UnsupportedError where it is and
    has what this reader does not read.
    """

def memory() -> MemoryStats:
    """Bytes that the package holds now and held at most, counted exactly."""

def reset_peak() -> None:
    """Start a new peak at what is live now."""
