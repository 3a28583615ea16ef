"""The first batch of files of several writers, beside that of the same rows as pyarrow writes them.

`python tests/integration/first_batches.py` writes the files, builds the crate's example `first_batch`, and
prints for each layout what its first batch takes over pyarrow's: instructions (callgrind, exact), wall time
(the fastest of processes that take turns) and the most bytes held; of a page that is not read to its end
these are address space for the most part. Rows, codec, its level and order of columns of a line are the same.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from crafted import (
    BIT_PACKED,
    BYTE_ARRAY,
    INT64,
    OPTIONAL,
    REQUIRED,
    RLE,
    UTF8,
    Chunk,
    Long,
    leaf,
    page,
    parquet,
    plain,
    runs,
    sized,
)

CRATE = Path(__file__).parents[2] / "backends" / "arrow_rs"
CODECS = ("snappy", "zstd", "gzip")
CODEC_NUMBERS = {"snappy": 1, "gzip": 2, "zstd": 6}
# The same of every writer: each has a default of its own, and what is found at a higher level takes longer to
# read back.
LEVELS: dict[str, int | None] = {"snappy": None, "zstd": 3, "gzip": 6}
PAGE_BYTES = 1 << 20
Write = Callable[[pa.Table, Path, str], object]


def documents(rows: int, *, flat: bool) -> pa.Table:
    """Text of about 150 words, and what is kept beside it; `flat`: two columns without nulls."""
    draw = random.Random(1)
    words = ["".join(draw.choices("etaoinshrdlu", k=draw.randrange(2, 10))) for _ in range(5_000)]
    text = [" ".join(draw.choices(words, k=draw.randrange(100, 200))) for _ in range(rows)]
    if flat:
        return pa.table({"id": pa.array(range(rows), pa.int64()), "text": text})
    return pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "text": text,
            "label": [draw.choice(("cat", "dog", None)) for _ in range(rows)],
            "score": [draw.random() for _ in range(rows)],
            "tags": [[draw.choice(words) for _ in range(draw.randrange(4))] for _ in range(rows)],
        }
    )


def by_pyarrow(table: pa.Table, path: Path, codec: str) -> None:
    pq.write_table(table, path, compression=codec, compression_level=LEVELS[codec])


def by_pyarrow_with_checksums(table: pa.Table, path: Path, codec: str) -> None:
    pq.write_table(
        table, path, compression=codec, compression_level=LEVELS[codec], write_page_checksum=True
    )


def like_parquet_java(table: pa.Table, path: Path, codec: str) -> None:
    """Its defaults: checksums, pages of 1 MiB and 20,000 rows, format 1.0 and its name of dictionaries."""
    options: dict[str, Any] = {"version": "1.0", "store_schema": False}
    pq.write_table(
        table, path, compression=codec, compression_level=LEVELS[codec], write_page_checksum=True,
        data_page_size=PAGE_BYTES, dictionary_pagesize_limit=PAGE_BYTES, **options,
    )  # fmt: skip


def by_duckdb(table: pa.Table, path: Path, codec: str) -> None:
    import duckdb

    duckdb.from_arrow(table).query(
        "rows", f"copy rows to '{path}' (format parquet, compression {codec})"
    )


def by_polars(table: pa.Table, path: Path, codec: str) -> None:
    import polars as pl

    frame, level = pl.DataFrame(table), LEVELS[codec]
    frame.write_parquet(path, compression=codec, compression_level=level)  # type: ignore[arg-type]


def _with_levels(encoding: int, repetition: int) -> Write:
    def write(table: pa.Table, path: Path, codec: str) -> None:
        text = [value.encode() for value in table.column("text").to_pylist()]
        numbers = table.column("id").to_pylist()
        rows = table.num_rows
        packed = struct.pack(f"<{rows}q", *numbers)
        per_page = max(PAGE_BYTES // (sum(map(len, text)) // rows), 1)

        def pages(of: Callable[[int, int], bytes], step: int) -> list[bytes]:
            made = []
            for start in range(0, rows, step):
                count = min(step, rows - start)
                levels = b""
                if repetition == OPTIONAL:
                    is_packed = encoding == BIT_PACKED
                    levels = b"\xff" * ((count + 7) // 8) if is_packed else sized(runs((1, count)))
                body = levels + of(start, start + count)
                stored = pa.Codec(codec, compression_level=LEVELS[codec]).compress(
                    body, asbytes=True
                )
                made.append(page(body, count, levels=encoding, stored=stored))
            return made

        columns = [
            (leaf("id", INT64, repetition), pages(lambda a, b: packed[8 * a : 8 * b], 131_072)),
            (
                leaf("text", BYTE_ARRAY, repetition, converted=UTF8),
                pages(lambda a, b: plain(text[a:b]), per_page),
            ),
        ]
        chunks = [
            Chunk(
                [column[4]], column[1], data, rows,
                overrides={4: CODEC_NUMBERS[codec], 6: Long(1 << 40)},
            )
            for column, data in columns
        ]  # fmt: skip
        path.write_bytes(parquet([column for column, _ in columns], [(rows, chunks)]))

    return write


@dataclass(frozen=True)
class Layout:
    """A writer, and which of the two tables it writes."""

    name: str
    write: Write
    flat: bool = False


LAYOUTS = (
    Layout("pyarrow with checksums", by_pyarrow_with_checksums),
    Layout("like parquet-java", like_parquet_java),
    Layout("duckdb", by_duckdb),
    Layout("polars", by_polars),
    Layout("levels in BIT_PACKED", _with_levels(BIT_PACKED, OPTIONAL), flat=True),
    Layout("no levels", _with_levels(RLE, REQUIRED), flat=True),
)


@dataclass(frozen=True)
class Cost:
    """What a first batch takes."""

    instructions: int | None
    ns: int
    peak_bytes: int


class Bench:
    """Measures first batches with the example of the crate."""

    def __init__(self, program: Path, processes: int, times: int) -> None:
        self.program, self.processes, self.times = program, processes, times
        self.valgrind = shutil.which("valgrind")

    def costs(self, paths: Sequence[Path]) -> list[Cost]:
        """Of each file; processes of the files take turns."""
        fastest, most = [1 << 62] * len(paths), [0] * len(paths)
        for _ in range(self.processes):
            for at, path in enumerate(paths):
                *times, peak = map(int, self._run([], path, self.times).split())
                fastest[at], most[at] = min(fastest[at], *times), peak
        counts = [self._instructions(path) for path in paths]
        return [Cost(*each) for each in zip(counts, fastest, most, strict=True)]

    def _run(self, before: Sequence[str], path: Path, times: int) -> str:
        command = [*before, str(self.program), str(path), str(times)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def _instructions(self, path: Path) -> int | None:
        """Of a batch when one has come before: what two take more than one."""
        if self.valgrind is None:
            return None
        return self._counted(path, 2) - self._counted(path, 1)

    def _counted(self, path: Path, times: int) -> int:
        command = [
            str(self.valgrind), "--tool=callgrind", "--callgrind-out-file=/dev/null",
            str(self.program), str(path), str(times),
        ]  # fmt: skip
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = re.search(r"Collected : (\d+)", done.stderr)
        assert found is not None, done.stderr
        return int(found[1])


def build() -> Path:
    """The example, as a release build."""
    command = ["cargo", "build", "--release", "-p", "firstbyte-core", "--example", "first_batch"]
    subprocess.run(command, cwd=CRATE, check=True)
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps"],
        cwd=CRATE, check=True, capture_output=True, text=True,
    )  # fmt: skip
    target = json.loads(metadata.stdout)["target_directory"]
    return Path(target) / "release" / "examples" / "first_batch"


def row(name: str, codec: str, ours: Cost, theirs: Cost) -> str:
    """A line of the table."""

    def over(one: float | None, other: float | None) -> str:
        return "-" if one is None or other is None else f"{one / other:.2f}"

    return (
        f"| {name} | {codec} | {over(ours.instructions, theirs.instructions)} "
        f"| {over(ours.ns, theirs.ns)} | {over(ours.peak_bytes, theirs.peak_bytes)} "
        f"| {theirs.ns / 1e6:.2f} | {theirs.peak_bytes / 1e6:.2f} |"
    )


def main() -> int:
    """Exit status 0."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--processes", type=int, default=5, help="of each file, taking turns")
    parser.add_argument("--times", type=int, default=20, help="first batches of a process")
    parser.add_argument("--codec", action="append", choices=CODECS, help="all by default")
    options = parser.parse_args()
    bench = Bench(build(), options.processes, options.times)
    tables = {flat: documents(options.rows, flat=flat) for flat in (False, True)}
    print("| layout | codec | instructions | time | peak | pyarrow's, ms | pyarrow's, MB |")
    print("|---|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for codec in options.codec or CODECS:
            for layout in LAYOUTS:
                paths = [Path(folder, "layout.parquet"), Path(folder, "pyarrow.parquet")]
                layout.write(tables[layout.flat], paths[0], codec)
                by_pyarrow(tables[layout.flat], paths[1], codec)
                ours, theirs = bench.costs(paths)
                print(row(layout.name, codec, ours, theirs), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
