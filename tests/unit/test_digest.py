"""The digest must not move with batching or layout, and must move with any change of content."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstbyte.corpora.digest import ColumnDigests
from firstbyte.errors import CorpusError


def digest(*arrays: pa.Array, name: str = "c") -> str:
    """The digest of one column that arrives as these batches."""
    digests = ColumnDigests([name])
    for array in arrays:
        digests.update(pa.RecordBatch.from_arrays([array], [name]))
    assert digests.rows == sum(map(len, arrays))
    return digests.hexdigests()[name]


UTC = dt.UTC
TYPES: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.bool_(), st.booleans()),
    (pa.int8(), st.integers(-128, 127)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float32(), st.floats(width=32, allow_nan=False)),
    (pa.float64(), st.floats(allow_nan=False)),
    (pa.string(), st.text(max_size=4)),
    (pa.binary(), st.binary(max_size=4)),
    (pa.binary(2), st.binary(min_size=2, max_size=2)),
    (pa.date32(), st.dates()),
    (pa.time64("us"), st.times()),
    (pa.timestamp("us"), st.datetimes()),
    (pa.timestamp("us", tz="UTC"), st.datetimes(timezones=st.just(UTC))),
    (pa.duration("us"), st.timedeltas(dt.timedelta(-9999), dt.timedelta(9999))),
    (pa.decimal128(9, 2), st.decimals(-1_000_000, 1_000_000, places=2)),
]


def _nested(
    inner: st.SearchStrategy[tuple[pa.DataType, st.SearchStrategy[Any]]],
) -> st.SearchStrategy[tuple[pa.DataType, st.SearchStrategy[Any]]]:
    def lists(pair: tuple[pa.DataType, st.SearchStrategy[Any]]) -> Any:
        return pa.list_(pair[0]), st.lists(st.none() | pair[1], max_size=3)

    def structs(pairs: list[tuple[pa.DataType, st.SearchStrategy[Any]]]) -> Any:
        fields = {f"f{i}": st.none() | values for i, (_, values) in enumerate(pairs)}
        kind = pa.struct([(f"f{i}", t) for i, (t, _) in enumerate(pairs)])
        return kind, st.fixed_dictionaries(fields)

    return inner.map(lists) | st.lists(inner, min_size=1, max_size=2).map(structs)


typed_values = st.recursive(st.sampled_from(TYPES), _nested, max_leaves=3).flatmap(
    lambda pair: st.tuples(st.just(pair[0]), st.lists(st.none() | pair[1], max_size=12))
)


@given(typed_values, st.data())
@settings(max_examples=150, deadline=None)
def test_batch_boundaries_leave_no_trace(
    typed: tuple[pa.DataType, list[Any]], data: st.DataObject
) -> None:
    kind, values = typed
    whole = pa.array(values, kind)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=4)))
    bounds = [0, *cuts, len(values)]
    slices = [whole[a:b] for a, b in pairwise(bounds)]
    copies = [pa.array(values[a:b], kind) for a, b in pairwise(bounds)]
    assert digest(*slices) == digest(whole) == digest(*copies)


@given(typed_values, st.data())
@settings(max_examples=150, deadline=None)
def test_any_two_different_columns_differ(
    typed: tuple[pa.DataType, list[Any]], data: st.DataObject
) -> None:
    kind, values = typed
    if len(values) < 2:
        return
    i = data.draw(st.integers(0, len(values) - 1))
    j = data.draw(st.integers(0, len(values) - 1))
    before = digest(pa.array(values, kind))
    swapped, dropped, nulled = list(values), list(values), list(values)
    swapped[i], swapped[j] = swapped[j], swapped[i]
    del dropped[i]
    nulled[i] = None
    # pa equality is the independent judge of whether a mutation changed anything; it holds 0.0 and
    # -0.0 to be equal, so the text form decides there.
    for other in (swapped, dropped, nulled):
        same = repr(pa.array(other, kind).to_pylist()) == repr(pa.array(values, kind).to_pylist())
        assert (digest(pa.array(other, kind)) == before) is same


@given(st.lists(st.none() | st.text(max_size=20), max_size=20))
@settings(deadline=None)
def test_every_layout_of_strings_is_the_same_column(values: list[str | None]) -> None:
    plain = pa.array(values, pa.string())
    layouts = [
        pa.array(values, pa.large_string()),
        pa.array(values, pa.string_view()),
        plain.dictionary_encode(),
        pa.array(values, pa.large_string()).dictionary_encode(),
        pa.concat_arrays([pa.array(["garbage", None]), plain])[2:],
    ]
    assert {digest(layout) for layout in layouts} == {digest(plain)}


@given(st.lists(st.none() | st.binary(min_size=3, max_size=3), max_size=20))
@settings(deadline=None)
def test_every_layout_of_bytes_is_the_same_column(values: list[bytes | None]) -> None:
    kinds = (pa.large_binary(), pa.binary_view(), pa.binary(3))
    assert {digest(pa.array(values, k)) for k in kinds} == {digest(pa.array(values, pa.binary()))}


@given(
    st.lists(
        st.none() | st.lists(st.none() | st.integers(-9, 9), min_size=2, max_size=2), max_size=20
    )
)
@settings(deadline=None)
def test_every_layout_of_lists_is_the_same_column(values: list[list[int | None] | None]) -> None:
    plain = pa.array(values, pa.list_(pa.int32()))
    kinds = [
        pa.large_list(pa.int64()),
        pa.list_(pa.int8(), 2),
        pa.list_view(pa.int32()),
        pa.large_list_view(pa.int16()),
        pa.list_(pa.field("another name", pa.int64(), nullable=True)),
    ]
    assert {digest(pa.array(values, kind)) for kind in kinds} == {digest(plain)}


@given(st.lists(st.none() | st.integers(0, 100), max_size=30))
@settings(deadline=None)
def test_every_width_of_integers_is_the_same_column(values: list[int | None]) -> None:
    kinds = [pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint16(), pa.uint32()]
    layouts = [pa.array(values, kind) for kind in kinds]
    layouts += [pa.array(values, pa.int64()).dictionary_encode()]
    layouts += [pc.run_end_encode(pa.array(values, pa.int64()))]
    assert {digest(layout) for layout in layouts} == {digest(pa.array(values, pa.int64()))}


def test_float_widths_and_nans_are_one() -> None:
    payload = np.array([0x7FC00000, 0xFFC00001, 0x7FA00000], np.uint32).view(np.float32)
    singles = pa.array(np.append(payload, np.float32(1.5)))
    doubles = pa.array([float("nan")] * 3 + [1.5], pa.float64())
    assert digest(singles) == digest(doubles)
    assert digest(pa.array([1.5], pa.float16())) == digest(pa.array([1.5], pa.float64()))
    assert digest(pa.array([0.0])) != digest(pa.array([-0.0]))


def test_units_of_time_and_widths_of_decimals_are_one() -> None:
    moments = [dt.datetime(1, 1, 1), None, dt.datetime(1969, 12, 31, 23, 59, 59), dt.datetime.max]
    moments[-1] = dt.datetime(9999, 12, 31)
    assert (
        digest(pa.array(moments, pa.timestamp("s")))
        == digest(pa.array(moments, pa.timestamp("ms")))
        == digest(pa.array(moments, pa.timestamp("us")))
    )
    ticks = pa.array([-1_500, 1_001, None])
    for kind in (pa.timestamp, pa.duration):
        assert digest(ticks.cast(kind("ms"))) == digest(ticks.cast(kind("ms")).cast(kind("ns")))
    zones = [pa.timestamp("us", tz=tz) for tz in ("UTC", "+02:00", "Asia/Kolkata")]
    ticks = pa.array([0, -1, None])
    assert len({digest(ticks.cast(zone)) for zone in zones}) == 1
    assert digest(ticks.cast(zones[0])) != digest(ticks.cast(pa.timestamp("us")))
    days = [dt.date(1969, 1, 1), None, dt.date(2038, 1, 19)]
    assert digest(pa.array(days, pa.date32())) == digest(pa.array(days, pa.date64()))
    clock = [dt.time(23, 59, 59), None]
    assert digest(pa.array(clock, pa.time32("s"))) == digest(pa.array(clock, pa.time64("ns")))
    amounts = [Decimal("-1.25"), None, Decimal("9.99"), Decimal("0")]
    kinds = [pa.decimal32(5, 2), pa.decimal64(9, 2), pa.decimal128(38, 2), pa.decimal256(76, 2)]
    assert len({digest(pa.array(amounts, kind)) for kind in kinds}) == 1
    assert digest(pa.array(amounts, kinds[2])[2:]) == digest(pa.array(amounts[2:], kinds[2]))
    ticks = pa.array([100]).cast(pa.decimal128(21, 0))
    scaled = pa.Array.from_buffers(pa.decimal128(21, -2), 1, ticks.buffers())
    assert digest(scaled) != digest(ticks)


def test_maps_are_lists_of_pairs() -> None:
    rows = [[("a", 1), ("b", None)], None, [], [("c", 3)]]
    maps = pa.array(rows, pa.map_(pa.string(), pa.int32()))
    pairs = [row and [{"key": k, "value": v} for k, v in row] for row in rows]
    pairs[2] = []
    assert digest(maps) == digest(pa.array(pairs))
    assert digest(maps[1:]) == digest(pa.array(pairs[1:], pa.array(pairs).type)) != digest(maps)


def test_booleans_of_eight_bits_are_booleans() -> None:
    values = [True, None, False]
    stored = pa.array([1, None, 0], pa.int8())
    assert digest(pa.ExtensionArray.from_storage(pa.bool8(), stored)) == digest(pa.array(values))


def test_extension_types_are_their_storage() -> None:
    storage = pa.array(["{}", None])
    assert digest(pa.ExtensionArray.from_storage(pa.json_(), storage)) == digest(storage)


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 255))
@settings(deadline=None)
def test_what_lies_under_a_null_does_not_count(valid: list[bool], garbage: int) -> None:
    mask = ~np.array(valid)
    first = np.arange(len(valid), dtype=np.int64)
    second = np.where(mask, garbage, first)
    assert digest(pa.array(first, mask=mask)) == digest(pa.array(second, mask=mask))
    validity = pa.array(valid).buffers()[1]
    lists = [
        pa.ListArray.from_buffers(
            pa.list_(pa.int64()),
            len(valid),
            [validity, pa.py_buffer(np.arange(len(valid) + 1, dtype=np.int32).tobytes())],
            children=[pa.array(values)],
        )
        for values in (first, second)
    ]
    structs = [
        pa.StructArray.from_buffers(
            pa.struct([("x", pa.int64())]), len(valid), [validity], children=[pa.array(values)]
        )
        for values in (first, second)
    ]
    assert digest(lists[0]) == digest(lists[1])
    assert digest(structs[0]) == digest(structs[1])


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (["ab", "c"], ["a", "bc"], pa.string()),
        ([None], [""], pa.string()),
        ([None, "a"], ["a", None], pa.string()),
        (["a", ""], ["", "a"], pa.string()),
        ([None], [[]], pa.list_(pa.string())),
        ([[]], [[""]], pa.list_(pa.string())),
        ([[None]], [[""]], pa.list_(pa.string())),
        ([[]], [[None]], pa.list_(pa.string())),
        ([[1], [2, 3]], [[1, 2], [3]], pa.list_(pa.int64())),
        ([[[1], []]], [[[], [1]]], pa.list_(pa.list_(pa.int64()))),
        ([[[]], []], [[], [[]]], pa.list_(pa.list_(pa.int64()))),
        ([None], [{"x": None}], pa.struct([("x", pa.int64())])),
        ([0], [None], pa.int64()),
        ([0, None], [None, 0], pa.int64()),
        ([False], [None], pa.bool_()),
        ([1], [1, None], pa.int64()),
    ],
)
def test_near_misses_differ(one: list[Any], other: list[Any], kind: pa.DataType) -> None:
    assert digest(pa.array(one, kind)) != digest(pa.array(other, kind))


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=50),
    st.integers(0, 63),
    st.data(),
)
@settings(deadline=None)
def test_a_single_bit_counts(values: list[int], bit: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(values) - 1))
    flipped = np.array(values, np.int64)
    flipped.view(np.uint64)[index] ^= np.uint64(1 << bit)
    assert digest(pa.array(values, pa.int64())) != digest(pa.array(flipped))
    text = "".join(map(str, values)).encode()
    position = index % len(text)
    other = text[:position] + bytes([text[position] ^ (1 << bit % 8)]) + text[position + 1 :]
    assert digest(pa.array([text])) != digest(pa.array([other]))


def test_types_and_names_count() -> None:
    assert digest(pa.array([1])) != digest(pa.array([1.0]))
    assert digest(pa.array(["a"])) != digest(pa.array([b"a"]))
    assert digest(pa.array([-1])) != digest(pa.array([2**64 - 1], pa.uint64()))
    assert digest(pa.array([1]), name="a") != digest(pa.array([1]), name="b")
    renamed = [pa.array([{name: 1}]) for name in ("x", "y")]
    assert digest(renamed[0]) != digest(renamed[1])
    assert digest(pa.nulls(2)) != digest(pa.nulls(3))


def test_zero_rows_have_no_type() -> None:
    """A reader of an empty shard may hand out no batch at all, or an empty one."""
    assert digest() == digest(pa.array([], pa.string())) == digest(pa.array([], pa.int64()))
    assert digest() != digest(pa.array([None], pa.string()))


def test_long_batches_are_sliced_without_a_trace() -> None:
    values = pa.array(np.arange(200_000) % 977).cast(pa.string())
    assert digest(values) == digest(*(values[i : i + 999] for i in range(0, 200_000, 999)))


def test_several_columns_and_their_order() -> None:
    batch = pa.RecordBatch.from_pydict({"a": [1, 2], "é": ["x", None]})
    digests = ColumnDigests(["a", "é"])
    digests.update(batch)
    assert digests.hexdigests() == {
        "a": digest(batch["a"], name="a"),
        "é": digest(batch["é"], name="é"),
    }
    assert digests.hexdigests() == digests.hexdigests()
    with pytest.raises(CorpusError, match=r"expected \['a', 'é'\], got \['é', 'a'\]"):
        digests.update(batch.select(["é", "a"]))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([pa.array([1]), pa.array(["x"])], "'c' changes its type .* expected int64, got utf8"),
        (
            [pa.array([(1, 2, 3)], pa.month_day_nano_interval())],
            "'c' holds month_day_nano_interval",
        ),
        ([pa.array([86_400_001]).cast(pa.date64(), safe=False)], "time of day"),
    ],
)
def test_what_has_no_digest_is_a_typed_error(arrays: list[pa.Array], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        digest(*arrays)


def test_repeated_names_are_refused() -> None:
    with pytest.raises(CorpusError, match="column names repeat: a"):
        ColumnDigests(["a", "b", "a"])
