"""A slice of the differential test in every run, and proof that its parts see what they are to see."""

from __future__ import annotations

import io
import mmap
import random
import resource
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytest.importorskip("firstbyte_arrow")
for peer in ("duckdb", "polars", "arro3.io", "fastparquet"):
    pytest.importorskip(peer)

from differential import crate, damaged, lshd, pool, pure, table, valid  # noqa: E402  as they import these
from differential.canonical import columns  # noqa: E402
from differential.faults import Greedy, Untyped, WrongRows, untyped_becomes_bad  # noqa: E402
from differential.memory import Growth  # noqa: E402
from differential.own_writer import own_file  # noqa: E402

SEED = 20261125


@pytest.mark.parametrize(("task", "count"), [("valid", 120), ("damaged", 400), ("lshd", 300)])
def test_a_slice_has_no_fault(tmp_path: Path, task: str, count: int) -> None:
    outcome = pool.Pool(pool.Outcome(task, SEED), tmp_path, children=1).run(count)
    assert outcome.files == count
    assert outcome.faults == []
    if task == "valid":
        assert outcome.counts["crate right"] > 0.9 * count
        assert outcome.counts["pure_python right"] > 0.9 * count
        assert outcome.counts["comparisons"] > count
    if task == "damaged":
        # Both ways are taken often: files that all fail at once would prove little.
        assert 0.1 * count < outcome.counts["crate rows"] < 0.6 * count
    if task == "lshd":
        assert outcome.counts["sound r0 rows"] > 0.15 * count
        assert outcome.counts["damaged r3 error"] > 0.3 * count


def test_own_files_have_every_encoding_codec_and_type() -> None:
    encodings, codecs, types = set(), set(), set()
    for number in range(400):
        footer = pq.ParquetFile(io.BytesIO(own_file(random.Random(number)).data)).metadata
        for group in range(footer.num_row_groups):
            for column in range(footer.num_columns):
                chunk = footer.row_group(group).column(column)
                encodings |= {*chunk.encodings}
                codecs.add(chunk.compression)
        for column in range(footer.num_columns):
            types.add(footer.schema.column(column).physical_type)
    assert encodings >= {
        *("PLAIN", "RLE", "RLE_DICTIONARY", "BYTE_STREAM_SPLIT"),
        *("DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"),
    }
    assert codecs >= {"UNCOMPRESSED", "SNAPPY", "GZIP", "BROTLI", "ZSTD", "LZ4"}
    assert len(types) == 8


def test_a_number_stands_for_its_file() -> None:
    assert damaged.damaged_file(SEED, 7)[1] == damaged.damaged_file(SEED, 7)[1]
    one, two = (own_file(random.Random("same")) for _ in range(2))
    assert one.data == two.data


@pytest.mark.parametrize("reader", ["crate", "pure_python"])
def test_a_wrong_value_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    scan = {"crate": crate.scan, "pure_python": pure.scan}[reader]

    def forged(*arguments: object, **options: object) -> object:
        found = scan(*arguments, **options)  # type: ignore[arg-type]  # whatever the check passes on
        return {name: [None, *values[1:]] for name, values in found.items()}

    monkeypatch.setattr({"crate": crate, "pure_python": pure}[reader], "scan", forged)
    reports = [valid.check(SEED, number, tmp_path / "file")[0] for number in range(12)]
    found = {(fault.reader, fault.kind) for report in reports for fault in report.faults}
    assert (reader, "wrong rows") in found
    assert {it for it, _ in found} == {reader}


def test_what_two_of_three_see_decides() -> None:
    seen = {"one": {"c": [1]}, "two": {"c": [1]}, "three": {"c": [2]}}
    assert valid.alone("three", seen)
    assert not valid.alone("one", seen)
    verdicts = valid.verdicts_of(seen)
    valid.compare({"c": [1]}, verdicts)
    with pytest.raises(WrongRows, match="one, two"):
        valid.compare({"c": [2]}, verdicts)
    valid.compare({"c": [2]}, valid.verdicts_of({"one": {"c": [1]}, "two": {"c": [3]}}))


def test_changed_bodies_under_checksums_must_be_noticed() -> None:
    expected = [damaged.damaged_file(SEED, number)[2] for number in range(400)]
    assert sum(found is not None for found in expected) > 5


def test_a_byte_that_the_legacy_hash_does_not_cover_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from firstbyte.backends.legacy.readers import R0

    monkeypatch.setattr(R0, "verify_sha1", False)
    reports = [lshd.check(SEED, number, tmp_path / "file")[0] for number in range(200)]
    assert any("not noticed" in fault.detail for report in reports for fault in report.faults)


@pytest.mark.parametrize("kind", ["abort", "hang"])
def test_the_file_that_ends_a_process_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(pool, "HANG_CPU_S", 0.5)
    outcome = pool.Pool(pool.Outcome(f"planted {kind}", 1), tmp_path, children=1).run(6)
    assert outcome.files == 6, "the others are read, too"
    assert [(number, fault.kind) for number, fault in outcome.faults] == [(3, kind)]


def test_errors_are_told_apart() -> None:
    def raising(error: BaseException) -> None:
        raise error

    with pytest.raises(OSError, match="typed"):
        untyped_becomes_bad(lambda: raising(OSError("typed")), (OSError,))
    with pytest.raises(Untyped, match="KeyError"):
        untyped_becomes_bad(lambda: raising(KeyError("c")), (OSError,))
    with pytest.raises(Greedy):
        untyped_becomes_bad(lambda: raising(MemoryError()), (OSError,))


def test_growth_is_seen() -> None:
    highest_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    growth = Growth(1 << 20)
    growth.__enter__()
    mapped = mmap.mmap(-1, 2 * highest_bytes)
    for at in range(0, len(mapped), mmap.PAGESIZE):
        mapped[at] = 1
    mapped.close()
    with pytest.raises(Greedy):
        growth.__exit__()


def test_canonical_values_tell_apart_what_differs() -> None:
    import pyarrow as pa

    zeros = columns(pa.table({"c": pa.array([0.0, -0.0, float("nan")])}))["c"]
    assert zeros[0] != zeros[1]
    assert zeros[2] == columns(pa.table({"c": pa.array([float("nan")], pa.float32())}))["c"][0]
    maps = pa.array([[("a", 1)], None, [], [("b", None)]], pa.map_(pa.string(), pa.int32()))
    assert columns(pa.table({"c": maps.slice(1)}))["c"] == [None, [], [(b"b", None)]]


def test_the_table_goes_between_its_markers(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    shutil.copy(Path(__file__).parents[2] / "backends" / "arrow_rs" / "README.md", readme)
    outcome = pool.Outcome("valid", 1, files=2)
    outcome.counts.update({"crate right": 2, "comparisons": 6})
    table.put_into(readme, table.markdown([outcome], "command"))
    assert "| 2 sound | crate | 2 | 0 |" in readme.read_text()
    readme.write_text("nothing")
    with pytest.raises(ValueError, match="markers"):
        table.put_into(readme, "")
