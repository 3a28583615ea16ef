"""The page index: rows are the same with it, fewer pages are read, and a lying one is noticed or not used."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations.thrift import Slot, Walk, encode, footer_start, zigzag

firstbyte_arrow = pytest.importorskip("firstbyte_arrow")

ROWS = 3_000
COMPARE = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
Where = list[tuple[str, str, Any]]


def make_table() -> pa.Table:
    draw = random.Random(3)
    special = (0.0, -0.0, math.nan, -math.nan, math.inf, -math.inf)
    return pa.table(
        {
            "id": pa.array(range(ROWS), pa.int64()),
            # Values that rise with the row, so that pages have narrow bounds, and some without any value.
            "rising": pa.array(
                [None if 500 <= i < 900 else i // 7 + draw.randrange(20) for i in range(ROWS)],
                pa.int32(),
            ),
            "falling": [-i / 3 for i in range(ROWS)],
            "small": pa.array([i * 120 // ROWS for i in range(ROWS)], pa.int8()),
            "unsigned": pa.array([2**32 - 1 - i for i in range(ROWS)], pa.uint32()),
            "special": [special[i // 9 % 8] if i // 9 % 8 < 6 else float(i) for i in range(ROWS)],
            "single": pa.array([i / 10 for i in range(ROWS)], pa.float32()),
            "word": [f"{'ünï' * (i // 900)}{i // 11:05d}" for i in range(ROWS)],
            "coded": [f"word {i // 40:03d}" for i in range(ROWS)],
            "flag": [i > 2_000 for i in range(ROWS)],
            "tags": [[f"t{j}" for j in range(i % 4)] for i in range(ROWS)],
            "record": [None if i % 5 == 0 else {"a": i} for i in range(ROWS)],
        }
    )


def write(table: pa.Table, path: Path, **options: Any) -> Any:
    defaults = {
        "row_group_size": 1_100,
        "data_page_size": 512,
        "write_batch_size": 50,
        "use_dictionary": ["coded"],
        "write_page_index": True,
    }
    pq.write_table(table, path, **(defaults | options))
    return firstbyte_arrow.open(path)


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return make_table()


@pytest.fixture(scope="module")
def datasets(table: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """With an index, with one and pages of version 2, and without."""
    folder = tmp_path_factory.mktemp("index")
    return [
        write(table, folder / "index.parquet"),
        write(table, folder / "index2.parquet", data_page_version="2.0", compression="zstd"),
        write(table, folder / "plain.parquet", write_page_index=False),
    ]


def matching(table: pa.Table, where: Where) -> pa.Table:
    for column, operator, value in where:
        # pyarrow would compare 32-bit floats as such; here and in Python they are numbers.
        values = table[column]
        if pa.types.is_floating(values.type):
            values = values.cast(pa.float64())
        table = table.filter(COMPARE[operator](values, value))
    return table


def rows(dataset: Any, **options: Any) -> list[int]:
    return [value for batch in dataset.scan(**options) for value in batch.column("id")]


LITERALS: dict[str, st.SearchStrategy[Any]] = {
    "id": st.integers(-10, ROWS + 10),
    "rising": st.integers(-10, 460),
    "falling": st.one_of(st.floats(-1_010, 10), st.integers(-1_010, 10)),
    "small": st.integers(-128, 127),
    "unsigned": st.integers(2**32 - ROWS - 5, 2**32 - 1),
    "special": st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 9.0, 2_000.0])),
    "single": st.one_of(st.floats(-1, 310), st.sampled_from([0.1, 100.1, 12])),
    "word": st.one_of(st.text(max_size=4), st.integers(0, 280).map(lambda n: f"{n:05d}")),
    "coded": st.integers(-1, 80).map(lambda n: f"word {n:03d}"),
    "flag": st.booleans(),
}
comparisons = st.sampled_from(sorted(LITERALS)).flatmap(
    lambda column: st.tuples(st.just(column), st.sampled_from(sorted(COMPARE)), LITERALS[column])
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    where=st.lists(comparisons, min_size=1, max_size=3),
    threads=st.sampled_from([0, 0, 2]),
    batch_size=st.sampled_from([64, 1_000, 5_000]),
    seed=st.sampled_from([None, None, 4]),
    shard=st.sampled_from([None, None, (1, 3)]),
)
def test_rows_are_the_same_with_and_without_an_index(
    table: pa.Table,
    datasets: list[Any],
    where: Where,
    threads: int,
    batch_size: int,
    seed: int | None,
    shard: tuple[int, int] | None,
) -> None:
    options = {"where": where, "threads": threads, "batch_size": batch_size}
    options |= {"seed": seed, "shard": shard}
    first, second, plain = (rows(dataset, **options) for dataset in datasets)
    assert first == second == plain
    if seed is None and shard is None:
        assert first == matching(table, where)["id"].to_pylist()


@pytest.mark.parametrize("strings", ["utf8", "view", "dictionary"])
@pytest.mark.parametrize("threads", [0, 2])
def test_all_columns_of_the_rows_that_match(
    table: pa.Table, datasets: list[Any], strings: str, threads: int
) -> None:
    where = [("rising", ">", 60), ("falling", "<", -200.5), ("coded", "!=", "word 040")]
    # A NaN is not equal to itself.
    columns = [name for name in table.column_names if name != "special"]
    expected = matching(table, where).select(columns)
    assert 0 < expected.num_rows < ROWS
    for dataset in datasets:
        options = {"where": where, "columns": columns, "strings": strings, "threads": threads}
        got = pa.table(dataset.scan(**options))
        assert got.to_pydict() == expected.to_pydict()


def test_resume_within_pruned_pages(datasets: list[Any]) -> None:
    options = {"where": [("rising", ">=", 100)], "batch_size": 37}
    whole = rows(datasets[0], **options)
    for stop in (1, 3, 8):
        with datasets[0].scan(**options) as reader:
            before = [value for _ in range(stop) for value in next(reader).column("id")]
            position = reader.position
        assert before + rows(datasets[0], resume=position, **options) == whole


def test_take_and_shards_step_over_pages(table: pa.Table, datasets: list[Any]) -> None:
    wanted = [5, 2_999, 1_100, 1_099, 700, 5]
    for dataset in datasets:
        columns = [name for name in table.column_names if name != "special"]
        got = pa.table(pa.record_batch(dataset.take(wanted, columns=columns)))
        assert got.to_pydict() == table.take(wanted).select(columns).to_pydict()
        parts = [rows(dataset, shard=(rank, 7)) for rank in range(7)]
        assert [row for part in parts for row in part] == list(range(ROWS))


def chunk_spans(path: Path, group: int, column: str) -> list[tuple[int, int]]:
    """Where the data pages of a chunk are, found by walking its page headers."""
    metadata = pq.ParquetFile(path).metadata.row_group(group)
    names = [metadata.column(i).path_in_schema for i in range(metadata.num_columns)]
    chunk = metadata.column(names.index(column))
    data, at = path.read_bytes(), chunk.data_page_offset
    end = (chunk.dictionary_page_offset or at) + chunk.total_compressed_size
    spans = []
    while at < end:
        walk = Walk(data, at)
        size = next(slot.value for slot in walk.slots if slot.path == (3,))
        spans.append((at, walk.at + size))
        at = walk.at + size
    assert at == end
    return spans


def test_pages_that_cannot_match_are_not_read(datasets: list[Any], tmp_path: Path) -> None:
    """In every column: bytes of the pages that are left out may be anything."""
    content = bytearray(datasets[0].path.read_bytes())
    for column in ("id", "rising", "word"):
        start, end = chunk_spans(datasets[0].path, 0, column)[0]
        content[start:end] = b"\xff" * (end - start)
    path = tmp_path / "broken.parquet"
    path.write_bytes(content)
    broken = firstbyte_arrow.open(path)
    options: dict[str, Any] = {"columns": ["id", "rising", "word", "flag"]}
    expected = list(range(300, 1_100))
    assert rows(broken, where=[("id", ">=", 300), ("id", "<", 1_100)], **options) == expected
    assert broken.take([400], columns=["word"]).num_rows == 1
    with pytest.raises(firstbyte_arrow.CorruptFileError):
        rows(broken, where=[("id", ">=", 0), ("id", "<", 1_100)], **options)


# Field ids of a column chunk in the footer: see the format's Thrift definition.
OFFSET_INDEX, COLUMN_INDEX = (4, 1, 4), (4, 1, 6)


def index_starts(data: bytes, kind: tuple[int, ...]) -> list[int]:
    """File offsets of all indexes of a kind, one per column chunk."""
    return [slot.value for slot in Walk(data, footer_start(data)).slots if slot.path == kind]


def rewrite(data: bytes, start: int, change: Callable[[list[Slot]], dict[Slot, int]]) -> bytes:
    """The file with other numbers in the structure at `start`; raises where they need more bytes."""
    slots = Walk(data, start).slots
    out = bytearray(data)
    for slot, value in change(slots).items():
        new = encode(zigzag(value) if slot.zigzag else value, slot.end - slot.start)
        assert len(new) == slot.end - slot.start
        out[slot.start : slot.end] = new
    return bytes(out)


def at(slots: list[Slot], path: tuple[int, ...]) -> list[Slot]:
    return [slot for slot in slots if slot.path == path]


OFFSET, SIZE, FIRST_ROW = (1, 1), (1, 2), (1, 3)
NULL_COUNT, ORDER = (5,), (4,)

# What is done to the index of column "id" in the first row group. None of it can give other rows.
LIES: dict[str, tuple[tuple[int, ...], Callable[[list[Slot]], dict[Slot, int]]]] = {
    "an offset beyond the file": (OFFSET_INDEX, lambda s: {at(s, OFFSET)[3]: 8_191}),
    "a page across the next": (OFFSET_INDEX, lambda s: {at(s, SIZE)[2]: at(s, SIZE)[2].value + 9}),
    "pages of no bytes": (OFFSET_INDEX, lambda s: dict.fromkeys(at(s, SIZE), 0)),
    "rows that fall": (OFFSET_INDEX, lambda s: {at(s, FIRST_ROW)[3]: at(s, FIRST_ROW)[1].value}),
    "a row beyond the group": (OFFSET_INDEX, lambda s: {at(s, FIRST_ROW)[-1]: 1_100}),
    "a negative row": (OFFSET_INDEX, lambda s: {at(s, FIRST_ROW)[0]: -1}),
    "an unknown order": (COLUMN_INDEX, lambda s: {at(s, ORDER)[0]: 7}),
    "the wrong order": (COLUMN_INDEX, lambda s: {at(s, ORDER)[0]: 2}),
    "more nulls than rows": (COLUMN_INDEX, lambda s: {at(s, NULL_COUNT)[1]: 63}),
    "a negative count": (COLUMN_INDEX, lambda s: {at(s, NULL_COUNT)[1]: -1}),
}


def small_dataset(path: Path) -> Any:
    """Numbers of few bytes in the index, so that they can be written over: one row group of one column."""
    return write(pa.table({"id": pa.array(range(1_100), pa.int64())}), path, compression="none")


@pytest.mark.parametrize("lie", LIES)
def test_an_index_that_contradicts_itself_is_not_used(tmp_path: Path, lie: str) -> None:
    dataset = small_dataset(tmp_path / "sound.parquet")
    data = dataset.path.read_bytes()
    kind, change = LIES[lie]
    changed = rewrite(data, index_starts(data, kind)[0], change)
    assert changed != data
    path = tmp_path / "lie.parquet"
    path.write_bytes(changed)
    lying = firstbyte_arrow.open(path)
    assert rows(lying, where=[("id", ">", 500)]) == list(range(501, 1_100))
    assert list(lying.take([77, 1_000]).column("id")) == [77, 1_000]
    assert rows(lying, shard=(1, 2)) == list(range(550, 1_100))


def bounds_span(data: bytes) -> tuple[int, int]:
    """Where the first bound of the column index is: its length and eight bytes."""
    first = at(Walk(data, index_starts(data, COLUMN_INDEX)[0]).slots, (2,))[0]
    assert first.value == 8
    return first.end, first.end + 8


def test_a_smallest_value_above_the_largest_is_not_used(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path / "sound.parquet")
    data = bytearray(dataset.path.read_bytes())
    start, end = bounds_span(bytes(data))
    data[start:end] = struct.pack("<q", 10_000)
    path = tmp_path / "lie.parquet"
    path.write_bytes(data)
    assert rows(firstbyte_arrow.open(path), where=[("id", "<", 70)]) == list(range(70))


def test_bounds_of_another_number_of_pages_are_not_used(tmp_path: Path) -> None:
    """The footer names the bounds of the second row group for the first, which has more pages."""
    table = pa.table({"id": pa.array(range(1_300), pa.int64())})
    data = write(table, tmp_path / "sound.parquet", compression="none").path.read_bytes()

    def second_for_first(slots: list[Slot]) -> dict[Slot, int]:
        pairs = [at(slots, path) for path in (COLUMN_INDEX, (*COLUMN_INDEX[:2], 7))]
        return {first: second.value for first, second in pairs}

    path = tmp_path / "lie.parquet"
    path.write_bytes(rewrite(data, footer_start(data), second_for_first))
    lying = firstbyte_arrow.open(path)
    assert rows(lying, where=[("id", ">", 500)]) == list(range(501, 1_300))
    assert rows(lying, where=[("id", "<", 70)]) == list(range(70))


def test_rows_of_pages_that_are_read_are_held_against_the_index(tmp_path: Path) -> None:
    """A boundary between two pages that is elsewhere: every scan that reads either notices."""
    dataset = small_dataset(tmp_path / "sound.parquet")
    data = dataset.path.read_bytes()
    start = index_starts(data, OFFSET_INDEX)[0]
    slots = at(Walk(data, start).slots, FIRST_ROW)
    before, moved, after = (slot.value for slot in slots[4:7])
    lie = rewrite(data, start, lambda _: {slots[5]: moved + 1})
    path = tmp_path / "lie.parquet"
    path.write_bytes(lie)
    lying = firstbyte_arrow.open(path)
    for row in (before, moved, after - 1):
        with pytest.raises(
            firstbyte_arrow.CorruptFileError, match="page index contradicts"
        ) as caught:
            lying.take([row])
        error = caught.value
        assert (error.column, error.row_group) == ("id", 0)
        assert error.offset is not None
    # Both pages are stepped over: only their sum matters.
    assert list(lying.take([0, after, 1_099]).column("id")) == [0, after, 1_099]
    assert rows(lying) == list(range(1_100)), "a scan of all rows needs no index"


def flips(data: bytes) -> Sequence[int]:
    """Every byte of the indexes."""
    spans = []
    for kind in (OFFSET_INDEX, COLUMN_INDEX):
        spans += [(start, Walk(data, start).at) for start in index_starts(data, kind)]
    return [position for start, end in spans for position in range(start, end)]


def test_every_flipped_bit_of_an_index_gives_the_same_rows_or_an_error(tmp_path: Path) -> None:
    """But for bounds: what they leave out nobody reads. Rows that do come are right in any case."""
    table = pa.table(
        {"id": pa.array(range(200), pa.int64()), "word": [f"w{i}" for i in range(200)]}
    )
    dataset = write(table, tmp_path / "sound.parquet", row_group_size=100, data_page_size=64)
    data = dataset.path.read_bytes()
    positions = flips(data)
    assert len(positions) > 200
    path = tmp_path / "flipped.parquet"
    outcomes = {"same": 0, "error": 0, "fewer": 0}
    draw = random.Random(1)
    for position in positions:
        flipped = bytearray(data)
        flipped[position] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        reader = firstbyte_arrow.open(path)
        wanted = [3, 60, 61, 130, 199]
        try:
            taken = reader.take(wanted).column("word").to_list()
            found = rows(reader, where=[("id", ">=", 40), ("word", "<", "w9")])
        except firstbyte_arrow.CorruptFileError:
            outcomes["error"] += 1
            continue
        assert taken == [f"w{i}" for i in wanted], position
        expected = [i for i in range(40, 200) if f"w{i}" < "w9"]
        assert set(found) <= set(expected), position
        outcomes["same" if found == expected else "fewer"] += 1
    assert outcomes["same"] > len(positions) / 2
    assert outcomes["error"] > 0
    assert outcomes["fewer"] < len(positions) / 4
