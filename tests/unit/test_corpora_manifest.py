"""A manifest says what the shards hold, survives a round trip, and finds a flipped byte."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from firstbyte.corpora import manifest as manifests
from firstbyte.corpora import shards
from firstbyte.corpora.digest import DIGEST_VERSION
from firstbyte.corpora.manifest import Manifest, SchemaColumn
from firstbyte.corpora.reference import reference_of
from firstbyte.corpora.verify import verify
from firstbyte.errors import CorpusError


def make(folder: Path, *tables: pa.Table, text_column: str = "text") -> Manifest:
    entries = []
    for index, table in enumerate(tables):
        path = folder / f"{index}.parquet"
        pq.write_table(table, path, row_group_size=50, compression="none", use_dictionary=False)
        found = shards.describe(path, text_column)
        # Written here: what went into the file is the reference.
        reference = reference_of(found.reading, table.num_rows, found.reading)
        entries.append(found.entry(path.name, text_column, reference))
    return Manifest(
        name="mt",
        spec="mt",
        how={"seed": 1},
        built="2026-01-01T00:00:00Z",
        schema=tuple(SchemaColumn(field.name, str(field.type)) for field in tables[0].schema),
        text_column=text_column,
        shards=tuple(entries),
        digest_version=DIGEST_VERSION,
        witnesses=("one", "two"),
        refusals=(),
        folder=folder,
    )


@pytest.fixture
def table() -> pa.Table:
    return pa.table({"n": range(100), "text": [f"été {i:04d}" for i in range(100)]})


def test_round_trip(tmp_path: Path, table: pa.Table) -> None:
    made = make(tmp_path, table, table.slice(0, 7))
    made.save()
    loaded = manifests.load(tmp_path)
    assert loaded == made
    assert (loaded.rows, loaded.columns, loaded.shards[0].row_groups) == (107, ("n", "text"), 2)
    assert loaded.bytes == sum(path.stat().st_size for path in loaded.paths)
    assert loaded.shards[0].first_value == "été 0000"
    assert [path.name for path in tmp_path.glob("manifest*")] == ["manifest.json"]
    assert verify(loaded) == []


def test_every_flipped_byte_is_found(tmp_path: Path, table: pa.Table) -> None:
    made = make(tmp_path, table)
    path = made.paths[0]
    whole = path.read_bytes()
    for position in range(0, len(whole), len(whole) // 40):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        found = verify(made)
        assert found[0].startswith("mt: 0.parquet: sha256 differs, expected ")
        assert all("\n" not in problem for problem in found)


def test_the_damaged_column_is_named(tmp_path: Path, table: pa.Table) -> None:
    made = make(tmp_path, table)
    path = made.paths[0]
    path.write_bytes(path.read_bytes().replace("été 0042".encode(), "été 0043".encode()))
    found = verify(made)
    assert len(found) == 2
    assert "column 'text': content differs" in found[1]


def test_an_unreadable_column_is_named(tmp_path: Path, table: pa.Table) -> None:
    made = make(tmp_path, table)
    path = made.paths[0]
    start = pq.read_metadata(path).row_group(0).column(1).data_page_offset
    content = bytearray(path.read_bytes())
    content[start : start + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    found = verify(made)
    assert "cannot be read as Parquet" in found[1]
    assert [line for line in found if "column 'text': " in line]
    assert not [line for line in found if "column 'n'" in line]


def test_a_digest_that_lies_is_found(tmp_path: Path, table: pa.Table) -> None:
    """The file is intact here: only the content digest can tell."""
    made = make(tmp_path, table)
    entry = made.shards[0]
    wrong = replace(entry, digests=dict(entry.digests) | {"n": "0" * 32}, rows=99, first_value="x")
    found = verify(replace(made, shards=(wrong,)))
    assert [problem.partition(", ")[0] for problem in found] == [
        "mt: 0.parquet: row count differs",
        "mt: 0.parquet: column 'n': content differs",
        "mt: 0.parquet: column 'text': first value differs",
    ]


def test_what_nobody_agrees_on_is_no_problem_of_the_file(tmp_path: Path, table: pa.Table) -> None:
    made = make(tmp_path, table)
    entry = made.shards[0]
    unsure = replace(entry, digests=dict(entry.digests) | {"n": None}, first_value=None)
    assert verify(replace(made, shards=(unsure,))) == []
    disputed = replace(entry, digests={"n": "0" * 32, "text": "1" * 32}, doubts=("rows: ...",))
    assert verify(replace(made, shards=(disputed,))) == []


def test_what_cannot_be_judged_is_said(tmp_path: Path, table: pa.Table) -> None:
    made = make(tmp_path, table)
    assert made.caveats == ()
    entry = made.shards[0]
    doubt = "column 'n': x by one; y by two"
    unsure = replace(entry, digests=dict(entry.digests) | {"n": None}, doubts=(doubt,))
    assert replace(made, shards=(unsure,)).caveats == (
        "mt: 0.parquet: no two of one, two agree on the content of n, so that no reader is judged by it",
        f"mt: 0.parquet: witnesses disagree about {doubt}",
    )


def test_missing_and_cut_files_are_found(tmp_path: Path, table: pa.Table) -> None:
    made = make(tmp_path, table, table)
    made.paths[0].unlink()
    made.paths[1].write_bytes(made.paths[1].read_bytes()[:-1])
    found = verify(made)
    assert found[0] == "mt: 0.parquet: cannot be read: No such file or directory"
    assert "1.parquet: size differs" in found[1]


def test_digests_of_another_version_are_not_compared(tmp_path: Path, table: pa.Table) -> None:
    made = replace(make(tmp_path, table), digest_version=0)
    assert "digests of version 0" in verify(made)[0]


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw | {"surprise": 1},
        lambda raw: raw | {"rows": 1},
        lambda raw: {key: raw[key] for key in raw if key != "shards"},
    ],
)
def test_a_damaged_manifest_is_one_clear_line(tmp_path: Path, table: pa.Table, damage) -> None:
    path = make(tmp_path, table).save()
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(CorpusError, match="build the corpus again") as caught:
        manifests.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_newer_manifest_is_not_to_be_removed(tmp_path: Path, table: pa.Table) -> None:
    path = make(tmp_path, table).save()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(
        CorpusError, match="its format is 99, this firstbyte reads up to 2"
    ) as caught:
        manifests.load(tmp_path)
    assert "remove" not in str(caught.value)


def test_a_folder_without_manifest(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"cannot read .*manifest\.json: No such file"):
        manifests.load(tmp_path)


def test_first_values_that_json_cannot_hold_are_none(tmp_path: Path) -> None:
    for values in ([b"\xff"], [float("nan")], [None]):
        made = make(tmp_path, pa.table({"text": values}))
        assert made.shards[0].first_value is None
        json.loads(made.save().read_text())


def test_the_text_column_is_the_first_of_strings() -> None:
    schema = pa.schema([("n", pa.int64()), ("lang", pa.dictionary(pa.int8(), pa.string()))])
    assert shards.text_column_of(schema) == "lang"
    assert shards.text_column_of(schema.remove(1)) == "n"
    with pytest.raises(CorpusError, match="without columns"):
        shards.text_column_of(pa.schema([]))


def test_not_parquet_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"not parquet at all")
    with pytest.raises(CorpusError, match=r"a\.parquet cannot be read as Parquet: ") as caught:
        shards.schema_of(path)
    assert "\n" not in str(caught.value)
