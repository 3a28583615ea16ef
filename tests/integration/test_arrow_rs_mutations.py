"""A fixed slice of the mutants in every run; the driver itself must find planted faults."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mutations.bases import base_files
from mutations.mutators import Base, bases_of, mutant
from mutations.readers import READERS
from mutations.watch import run
from mutations.worker import Bench

ROOT = Path(__file__).parents[2]
AMPLE_S = 600.0
"""For a mutant that takes milliseconds: what has no answer then hangs on any host."""


@pytest.fixture(scope="module")
def bases() -> tuple[Base, ...]:
    return bases_of(sorted(base_files()))


def test_every_mutant_ends_in_rows_or_a_typed_error(tmp_path: Path) -> None:
    pytest.importorskip("firstbyte_arrow")
    tally = run("firstbyte", seed=1, first=0, count=3000, save=tmp_path, patience_s=AMPLE_S)
    assert not tally.faults
    assert tally.processes == 1
    assert (tally.left["descriptors_left"], tally.left["threads_left"]) == (0, 0)
    # Both ways are taken often: mutants that all fail at the magic bytes would prove little.
    assert tally.ends["rows"] > 150
    assert tally.ends["error: CorruptFileError"] > 1000


INTEGERS = {
    "version": (1,),
    "repetition": (2, 3),
    "file rows": (3,),
    "values": (4, 1, 3, 5),
    "group rows": (4, 3),
}


@pytest.mark.parametrize("field", INTEGERS)
def test_a_field_of_another_type_is_refused(
    tmp_path: Path, bases: tuple[Base, ...], field: str
) -> None:
    """An integer that says to be a truth value: readers step over it, or shift all that follows."""
    package = pytest.importorskip("firstbyte_arrow")
    for number, base in enumerate(bases[::7]):
        slots = [slot for slot in base.footer_slots if slot.path == INTEGERS[field]]
        for slot in (slots[0], slots[-1]):
            data = bytearray(base.data)
            head = slot.start - 1
            assert data[head] & 0x0F in (5, 6), "the byte before an integer has its type"
            data[head] = data[head] & 0xF0 | 1
            path = tmp_path / f"{number}-{slot.start}.parquet"
            path.write_bytes(data)
            with pytest.raises(package.CorruptFileError):
                package.open(path)


@pytest.mark.parametrize(
    ("reader", "kind"),
    [
        ("planted-lose-rows", "rows lost"),
        ("planted-panic", "panic"),
        ("planted-untyped", "untyped"),
        ("planted-unsound", "unsound batch"),
        ("planted-greedy", "memory"),
    ],
)
def test_a_planted_fault_is_found(
    tmp_path: Path, bases: tuple[Base, ...], reader: str, kind: str
) -> None:
    bench = Bench(READERS[reader](), bases, 1, tmp_path)
    reports = [bench.run(number) for number in range(30)]
    found = [report for report in reports if report["kind"] == kind]
    assert found
    assert bench.run(int(str(found[0]["number"])))["kind"] == kind, "a number stands for its mutant"


def test_a_death_is_survived_and_its_file_saved(tmp_path: Path, bases: tuple[Base, ...]) -> None:
    tally = run("planted-abort", seed=1, first=0, count=12, save=tmp_path, patience_s=AMPLE_S)
    assert sum(tally.ends.values()) == 12, "the others are read, too"
    assert tally.processes == 1 + tally.ends["died"]
    fault = tally.faults[0]
    assert fault.kind == "died"
    assert "-6" in fault.detail
    assert fault.saved is not None
    assert fault.saved.read_bytes() == mutant(bases, 1, fault.number)[1]


def test_a_hang_is_ended(tmp_path: Path) -> None:
    tally = run("planted-hang", seed=1, first=5, count=1, save=tmp_path, patience_s=1)
    assert [fault.kind for fault in tally.faults] == ["hung"]


def test_a_reader_that_panics_is_seen_to_panic(tmp_path: Path) -> None:
    """Plain arrow-rs gives in where ours must not: proof that the mutants reach the decoders."""
    pytest.importorskip("arro3.io")
    command = [sys.executable, "-m", "tests.integration.mutations", "--reader", "arro3"]
    command += ["--mutants", "600", "--save", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "  panic: mutant" in done.stdout or "  died: mutant" in done.stdout
