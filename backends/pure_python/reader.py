"""One pass over one file: batches of Python lists, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstbyte.errors import UnknownNameError

from .assembly import assemble, nothing
from .batch import Batch
from .column import ColumnReader
from .errors import CorruptParquetError, MalformedError
from .footer import Footer, RowGroupMeta, read_footer
from .schema import Leaf, Node, leaves, read_schema
from .source import Source

if TYPE_CHECKING:
    import pyarrow

Take = Callable[[int], list[Any]]


class PureReader:
    """Iterates over batches of exactly `batch_rows` rows; only the last one may be shorter.

    A file without rows gives no batch. Memory: the current page of each selected column, its
    dictionary, and the batch.
    """

    def __init__(
        self, path: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> None:
        """Reads the footer only.

        Raises OSError, CorruptParquetError, Unsupported, UnknownNameError.
        """
        if batch_rows < 1:
            raise ValueError(f"batch_rows is {batch_rows}, it must be at least 1")
        self._batch_rows = batch_rows
        self._source = Source(path)
        try:
            footer, nodes = _open_footer(self._source)
            self._nodes = _selected(nodes, columns)
            self._arrow_schema = footer.arrow_schema
        except BaseException:
            self._source.close()
            raise
        self._row_groups = iter(footer.row_groups)
        self._takes: dict[str, Take] = {}
        self._rows_left = 0

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        """The next batch. Raises CorruptParquetError, Unsupported."""
        columns: dict[str, list[Any]] = {}
        rows = 0
        while rows < self._batch_rows and self._enter_row_group():
            count = min(self._batch_rows - rows, self._rows_left)
            if rows:
                for name, take in self._takes.items():
                    columns[name] += take(count)
            else:
                columns = {name: take(count) for name, take in self._takes.items()}
            self._rows_left -= count
            rows += count
        if not rows:
            raise StopIteration
        return Batch(rows, columns)

    def __enter__(self) -> PureReader:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let go of the pages; idempotent. There are no batches afterwards."""
        self._source.close()
        self._row_groups = iter(())
        self._takes = {}
        self._rows_left = 0

    def rows(self, batch: Batch) -> int:
        """Number of rows in the batch."""
        return batch.num_rows

    def first_value(self, batch: Batch, column: str) -> object:
        """The first row's value of the column."""
        return batch.columns[column][0]

    def canonical(self, batch: Batch) -> pyarrow.RecordBatch:
        """The batch in Arrow form, typed by the Parquet schema. Raises Unsupported."""
        from .arrow import record_batch

        return record_batch(self._nodes, self._arrow_schema, batch)

    def _enter_row_group(self) -> bool:
        """Whether there are rows left; goes on to the next row group that has some."""
        while not self._rows_left:
            group = next(self._row_groups, None)
            if group is None:
                return False
            if group.num_rows:
                self._takes = {node.name: _take(self._source, group, node) for node in self._nodes}
                self._rows_left = group.num_rows
        return True


def _open_footer(source: Source) -> tuple[Footer, tuple[Node, ...]]:
    try:
        footer = read_footer(source)
        nodes = read_schema(footer.elements)
        count = sum(len(leaves(node)) for node in nodes)
        for group in footer.row_groups:
            if len(group.columns) != count:
                raise MalformedError(
                    f"a row group has {len(group.columns)} column chunks for {count} columns"
                )
        return footer, nodes
    except MalformedError as fault:
        raise CorruptParquetError(source.name, "", max(0, source.size - 8), str(fault)) from fault


def _selected(nodes: tuple[Node, ...], columns: Sequence[str] | None) -> tuple[Node, ...]:
    if columns is None:
        return nodes
    names = {node.name for node in nodes}
    for column in columns:
        if column not in names:
            raise UnknownNameError("column", column, names)
    wanted = set(columns)
    return tuple(node for node in nodes if node.name in wanted)


def _take(source: Source, group: RowGroupMeta, node: Node) -> Take:
    """What gives the next rows of a top-level column of one row group."""
    if isinstance(node, Leaf):
        return ColumnReader(source, group, node).flat
    below = [(leaf, ColumnReader(source, group, leaf)) for leaf in leaves(node)]
    if not below:
        return lambda count: [nothing(node) for _ in range(count)]

    def nested(count: int) -> list[Any]:
        streams = {leaf.chunk: column.levels(count) for leaf, column in below}
        try:
            values = assemble(node, streams)
        except MalformedError as fault:
            start = group.chunk(below[0][0].chunk, below[0][0].dotted).start
            raise CorruptParquetError(source.name, node.name, start, str(fault)) from fault
        if len(values) != count:
            raise CorruptParquetError(
                source.name, node.name, 0, f"{count} rows wanted, {len(values)} assembled"
            )
        return values

    return nested
