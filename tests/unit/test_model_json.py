"""The nouns go to JSON and back unchanged; what is no record is refused by the errors promised."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline_fixtures import cells, records

from firstbyte.engine.store import RECORD
from firstbyte.errors import StoreError
from firstbyte.model import Cell, CellKey, Record, Status, Subject, cell_from_dict, params_text
from firstbyte.worker.order import Order

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=8,
)


@given(records())
def test_a_record_comes_back_from_its_line(record: Record) -> None:
    line = record.to_json()
    assert "\n" not in line
    assert RECORD.parse(line, "f") == record
    again = RECORD.parse(line, "f").to_json()
    assert again == line, "whole numbers stay whole"


@given(cells(), st.text(), st.integers(0), st.lists(st.text(), max_size=3), st.booleans())
def test_an_order_comes_back_from_its_line(
    cell: Cell, text: str, number: int, shards: list[str], final: bool
) -> None:
    order = Order(
        task="measure",
        cell=cell,
        plugin_roots=(text,),
        backend_module=text,
        backend_options={text: number},
        scenario_module=text,
        instrument_module=text,
        shards=tuple(shards),
        shard_rows=tuple(range(len(shards))),
        text_column=text,
        batch_rows=number,
        prepared_directory=text,
        final_process=final,
        spawned_ns=number,
    )
    line = order.to_json()
    assert "\n" not in line
    assert Order.from_json(line) == order


@given(JSON)
def test_no_other_json_is_a_record_or_an_order(value: object) -> None:
    line = json.dumps(value)
    with pytest.raises(StoreError):
        RECORD.parse(line, "f")
    with pytest.raises((KeyError, TypeError, ValueError)):
        Order.from_json(line)


@given(st.text().filter(lambda text: not text.strip().startswith("{")))
def test_no_text_is_a_record(text: str) -> None:
    with pytest.raises(StoreError):
        RECORD.parse(text, "f")


@given(records(), st.text(min_size=1))
def test_a_field_that_nobody_knows_is_refused(record: Record, name: str) -> None:
    raw = json.loads(record.to_json())
    with pytest.raises(StoreError, match="unknown key"):
        RECORD.parse(json.dumps({**raw, f"x{name}": 1}), "f")
    with pytest.raises(StoreError, match=r"cell: unknown key"):
        RECORD.parse(json.dumps({**raw, "cell": {**raw["cell"], f"x{name}": 1}}), "f")
    with pytest.raises(TypeError):
        cell_from_dict({**raw["cell"], f"x{name}": 1})


@given(records())
def test_a_missing_field_is_refused(record: Record) -> None:
    raw = json.loads(record.to_json())
    for name in raw:
        with pytest.raises(StoreError, match=name):
            RECORD.parse(json.dumps({k: v for k, v in raw.items() if k != name}), "f")


@given(cells(), cells())
def test_cells_that_differ_have_other_keys(one: Cell, other: Cell) -> None:
    def identity(cell: Cell) -> tuple[object, ...]:
        return (
            cell.scenario,
            cell.backend,
            cell.variant,
            cell.environment,
            cell.corpus,
            sorted(cell.params.items()),
            cell.instrument,
        )

    assert (one.key == other.key) == (identity(one) == identity(other))
    assert replace(one, processes=one.processes + 1, repetitions=99).key == one.key


def test_a_key_names_everything_that_a_reader_must_know() -> None:
    cell = Cell(
        "scan", "arrow", "best", "current", "mt:size=1MB", {"b": 2, "a": True}, "clock", 1, 1, None
    )
    assert str(cell.key) == "scan/arrow:best@current/mt:size=1MB/a=True,b=2/clock"
    assert str(replace(cell, params={}).key) == "scan/arrow:best@current/mt:size=1MB/-/clock"
    assert str(cell.key.anywhere) == "scan/arrow:best/mt:size=1MB/a=True,b=2/clock"
    assert f"{cell.key.subject} {cell.subject}" == "arrow:best arrow:best"


@given(cells())
def test_a_key_has_the_parts_of_its_cell(cell: Cell) -> None:
    parts = cell.key._asdict()
    assert parts.pop("params") == params_text(cell.params)
    assert parts == {name: getattr(cell, name) for name in parts}
    other = replace(cell, environment=f"{cell.environment}x")
    assert cell.key != other.key
    assert cell.key.anywhere == other.key.anywhere
    assert str(cell.key.anywhere) != str(cell.key)


@given(cells(), st.text("ab/:=*.-", min_size=1, max_size=9))
def test_a_key_comes_back_from_its_text(cell: Cell, corpus: str) -> None:
    for key in (cell.key, cell.key.anywhere, replace(cell, corpus=corpus).key):
        assert CellKey.parse(str(key)) == key


@given(st.text("ab:@", max_size=9))
def test_no_other_text_is_a_key(text: str) -> None:
    for wrong in (text, f"{text}/b:v/corpus", f"{text}/b:v/corpus/-"):
        with pytest.raises(ValueError, match="is no cell's key"):
            CellKey.parse(wrong)


@given(cells())
def test_a_subject_comes_back_from_its_text(cell: Cell) -> None:
    assert Subject.parse(str(cell.subject)) == cell.subject
    assert Subject.parse(str(cell.subject_here)) == cell.subject_here
    assert Subject.parse(cell.backend) == Subject(cell.backend, "")


def test_only_ok_is_ok() -> None:
    assert [status for status in Status if status is Status.OK] == [Status("OK")]
    assert len(Status) == 8
