"""Synthetic rows are given by the seed alone: not by machine, layout or how much is asked for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from firstbyte.corpora import synthetic, vocabulary
from firstbyte.corpora.digest import ColumnDigests
from firstbyte.corpora.draws import Draws, zipf_table
from firstbyte.corpora.layout import Layout, write_shards
from firstbyte.corpora.progress import silent
from firstbyte.corpora.reference import WRITER, Reading

LAYOUT = Layout(shards=3, row_group_rows=40, page_bytes=1 << 20, codec="zstd:3")


def digests_of(table: pa.Table) -> dict[str, str]:
    digests = ColumnDigests(table.column_names)
    for batch in table.to_batches():
        digests.update(batch)
    return digests.hexdigests()


def table_digest(table: pa.Table) -> str:
    return hashlib.sha256(repr(digests_of(table)).encode()).hexdigest()


def build(folder: Path, kind: str, size: int, seed: int = 0, layout: Layout = LAYOUT) -> pa.Table:
    folder.mkdir()
    files = synthetic.build(kind, folder, size, seed, layout, silent)
    tables = [pq.read_table(file.path) for file in files]
    for file, table in zip(files, tables, strict=True):
        assert file.reading == Reading(WRITER, table.num_rows, digests_of(table))
    return pa.concat_tables(tables)


# A changed value here means that everybody's corpora change: raise GENERATOR_VERSION with it.
GOLDEN = {
    "mt": "9bda776e628b5c8db45d4ee7edf8dd19c649b4568071150ef3f6370efd95cf01",
    "llm": "3a0ff57acacf337273c84bef82fff8b26ffc368bc60694bce318a8386c9a947e",
}


@pytest.mark.parametrize("kind", ["mt", "llm"])
def test_rows_are_the_same_on_every_machine(kind: str) -> None:
    batch = next(synthetic.KINDS[kind].batches(seed=0, rows=1))
    batch.validate(full=True)
    assert table_digest(pa.Table.from_batches([batch])) == GOLDEN[kind]


def test_raw_draws_are_the_same_on_every_machine() -> None:
    draws = Draws(1, 2)
    assert draws.words16(5).tolist() == [48066, 42156, 21943, 29387, 39083]
    assert draws.below(1000, 5).tolist() == [87, 419, 124, 277, 811]
    assert draws.lengths((1, 10, 100), 5).tolist() == [1, 1, 3, 2, 6]


@pytest.mark.parametrize("kind", ["mt", "llm"])
def test_the_layout_does_not_change_the_rows(tmp_path: Path, kind: str) -> None:
    first = build(tmp_path / "a", kind, 700_000)
    other = Layout(shards=1, row_group_rows=17, page_bytes=1000, codec="snappy")
    assert build(tmp_path / "b", kind, 700_000, layout=other) == first
    assert build(tmp_path / "c", kind, 700_000, seed=1) != first
    longer = build(tmp_path / "d", kind, 900_000)
    assert longer.num_rows > first.num_rows
    assert longer.slice(0, first.num_rows) == first


@pytest.mark.parametrize("kind", ["mt", "llm"])
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, kind: str) -> None:
    build(tmp_path / "a", kind, 300_000)
    build(tmp_path / "b", kind, 300_000)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize("kind", ["mt", "llm"])
def test_the_size_is_that_of_the_rows_in_memory(kind: str) -> None:
    chosen = synthetic.KINDS[kind]
    batches = list(chosen.batches(seed=3, rows=8 * chosen.chunk_rows))
    mean = sum(batch.nbytes for batch in batches) / sum(batch.num_rows for batch in batches)
    assert mean == pytest.approx(chosen.row_bytes, rel=0.05)


def test_text_is_like_text() -> None:
    (mt,) = synthetic.KINDS["mt"].batches(seed=0, rows=1)
    words = pc.list_value_length(mt["src_ids"])
    assert np.median(words) == 16
    first_words = pc.split_pattern(mt["src"], " ", max_splits=1).to_pylist()
    assert all(words[0] == words[0].capitalize() for words in first_words if len(words) > 1)
    assert all(text.rstrip()[-1] in ".。।" for text in mt["tgt"].to_pylist())
    assert set(mt["tgt_lang"].to_pylist()) == set(vocabulary.TAGS)
    assert pc.all(pc.not_equal(mt["src_lang"].cast(pa.string()), mt["tgt_lang"].cast(pa.string())))
    counts = np.bincount(np.asarray(mt["src_ids"].flatten()))
    common = np.sort(counts)[::-1]
    # Zipf: the hundred most frequent of 13 * 4096 words make up a large part of the text.
    assert common[:100].sum() > 0.35 * common.sum()
    (llm,) = synthetic.KINDS["llm"].batches(seed=0, rows=1)
    assert 3000 < np.mean([len(text.encode()) for text in llm["text"].to_pylist()]) < 5500
    assert pc.all(
        pc.equal(pc.list_value_length(llm["token_ids"]).cast(pa.int64()), llm["token_count"])
    )
    assert len(set(llm["id"].to_pylist())) == llm.num_rows
    assert llm["meta"].null_count
    assert any("\n\n" in text for text in llm["text"].to_pylist())


def test_zipf_ranks_fall_off() -> None:
    counts = np.bincount(zipf_table(4096), minlength=4096)
    assert counts.min() >= 1
    assert counts[0] > 1.3 * counts[1] > 5 * counts[20] > 20 * counts[400]
    assert counts.sum() == 65_536


def test_shards_and_row_groups_are_cut_as_asked(tmp_path: Path) -> None:
    table = pa.table({"n": range(103)})
    batches = [*table.to_batches(7), *table.to_batches(50)]
    files = write_shards(tmp_path, table.schema, batches, 103, LAYOUT, silent)
    groups = []
    for file in files:
        footer = pq.read_metadata(file.path)
        groups.append([footer.row_group(i).num_rows for i in range(footer.num_row_groups)])
    assert groups == [[34], [34], [35]]
    assert pa.concat_tables([pq.read_table(file.path) for file in files]) == table
    footer = pq.read_metadata(files[0].path)
    assert footer.row_group(0).column(0).compression == "ZSTD"
    with pytest.raises(ValueError, match="1 rows too early"):
        write_shards(tmp_path, table.schema, table.to_batches(), 104, LAYOUT, silent)


@pytest.mark.parametrize(
    ("codec", "written"),
    [("none", "UNCOMPRESSED"), ("snappy", "SNAPPY"), ("gzip:1", "GZIP"), ("zstd:9", "ZSTD")],
)
def test_codecs(tmp_path: Path, codec: str, written: str) -> None:
    table = pa.table({"n": range(10)})
    layout = Layout(1, 4, 1 << 20, codec)
    (file,) = write_shards(tmp_path, table.schema, table.to_batches(), 10, layout, silent)
    assert pq.read_metadata(file.path).row_group(2).column(0).compression == written


def test_pages_have_the_size_asked_for(tmp_path: Path) -> None:
    table = pa.table({"text": [f"{i:0100d}" for i in range(20_000)]})
    sizes = {}
    for page_bytes in (10_000, 1 << 20):
        folder = tmp_path / str(page_bytes)
        folder.mkdir()
        layout = Layout(1, 20_000, page_bytes, "none")
        (file,) = write_shards(folder, table.schema, table.to_batches(), 20_000, layout, silent)
        sizes[page_bytes] = file.path.stat().st_size
    assert sizes[10_000] > sizes[1 << 20]  # every page has a header of its own


def test_more_shards_than_rows_leaves_some_empty(tmp_path: Path) -> None:
    table = pa.table({"n": [1, 2]})
    files = write_shards(tmp_path, table.schema, table.to_batches(), 2, LAYOUT, silent)
    assert [pq.read_metadata(file.path).num_rows for file in files] == [0, 1, 1]
