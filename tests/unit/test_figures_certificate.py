"""The self-check of the figures: what counts as said, and what its certificate holds and shows."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest
from pipeline_fixtures import LIMITS
from rich.console import Console, Group

from firstbyte.analysis.stats import Slope
from firstbyte.corpora.digest import ColumnDigests
from firstbyte.corpora.manifest import Manifest
from firstbyte.engine import registry
from firstbyte.engine.fingerprint import host
from firstbyte.errors import HarnessError
from firstbyte.leaks.investigation import Investigation
from firstbyte.leaks.rules import LeakClass, LeakVerdict
from firstbyte.model import SCHEMA_VERSION, Cell, Record, Sample, Status, Subject
from firstbyte.plugins import mount
from firstbyte.render.tables import RunView
from firstbyte.selfcheck.figures import certificate as certificates
from firstbyte.selfcheck.figures import corpus as rich
from firstbyte.selfcheck.figures import saying, terminal
from firstbyte.selfcheck.figures.catalogue import HELD_BYTES, LEAKED_BYTES, kinds
from firstbyte.selfcheck.figures.certificate import (
    FiguresCertificate,
    HonestCells,
    PlantedKind,
    rate,
)
from firstbyte.selfcheck.figures.check import FOLDER
from firstbyte.selfcheck.figures.kinds import BACKENDS, CONTROL, Kind, Sort, Told
from firstbyte.selfcheck.planting import findable


def test_every_kind_is_a_variant_and_every_variant_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(registry.PLUGINS_VARIABLE, raising=False)
    with findable(FOLDER):
        catalogue = registry.discover()
    assert registry.PLUGINS_VARIABLE not in os.environ
    variants = {
        (sort, variant.name)
        for sort, backend in BACKENDS.items()
        for variant in catalogue.backend(backend).variants
    }
    assert {(kind.sort, kind.name) for kind in kinds()} == variants
    assert len(variants) >= certificates.LEAST_KINDS
    assert catalogue.variants(str(CONTROL))
    assert not any(name in registry.discover().backends for name in BACKENDS.values())


def test_the_slice_has_kinds_of_every_sort() -> None:
    assert {kind.sort for kind in kinds() if kind.quick} == set(Sort)


# What counts as said.


def kind(name: str) -> Kind:
    return next(one for one in kinds() if one.name == name)


def record(
    subject: Subject, status: Status = Status.OK, reason: str = "", **values: float
) -> Record:
    cell = Cell(
        "scan", subject.backend, subject.variant, "here", "c", {}, "proc_memory", 1, 1, LIMITS
    )
    samples = (Sample(values),) if values else ()
    return Record(SCHEMA_VERSION, "r", cell, {}, status, reason, samples, "", "", 0.0, None)


def view(records: Sequence[Record], stars: Sequence[tuple[Subject, str]] = ()) -> RunView:
    """As much of one as is asked for."""
    table = SimpleNamespace(
        columns=[SimpleNamespace(metric=metric) for _, metric in stars],
        rows=[
            SimpleNamespace(
                label=str(subject),
                figures=[
                    SimpleNamespace(best=other == (subject, m))
                    for other in stars
                    for m in [other[1]]
                ],
            )
            for subject in {one.cell.subject for one in records}
        ],
    )
    return cast(
        RunView,
        SimpleNamespace(
            records=records,
            scenarios=lambda: ["scan"],
            corpora=lambda _: ["c"],
            metrics=lambda _: [],
            tables=lambda *_: [table],
        ),
    )


LIE = kind("swapped_values")


@pytest.mark.parametrize(
    ("statuses", "reason", "named"),
    [
        ([Status.WRONG, Status.WRONG], "column 'text', row 7: expected 'a', got 'b'", True),
        ([Status.WRONG, Status.OK], "column 'text', row 7: expected 'a', got 'b'", False),
        ([Status.WRONG, Status.WRONG], "column 'id', row 7: expected 1, got 2", False),
        ([Status.WRONG, Status.WRONG], "column 'text': digest mismatch", False),
        ([Status.ERROR, Status.ERROR], "column 'text', row 7", False),
    ],
)
def test_a_lie_is_named_by_status_column_and_row(
    statuses: list[Status], reason: str, named: bool
) -> None:
    records = [record(LIE.subject, status, reason) for status in statuses]
    said = saying.of_records(LIE, view(records), records)
    assert said.named is named
    assert reason in said.text


def test_a_star_is_praise_whatever_was_said_and_that_of_the_control_is_none() -> None:
    records = [record(LIE.subject), record(CONTROL)]
    stars = [(LIE.subject, "wall_ns"), (CONTROL, "cpu_ns")]
    assert saying.of_records(LIE, view(records, stars), records).praised == ("wall_ns",)


def test_what_a_machine_cannot_have_is_untried() -> None:
    huge = kind("huge_pages")
    records = [record(huge.subject, Status.SKIPPED, "huge pages: none"), record(CONTROL)]
    said = saying.of_records(huge, view(records), records)
    assert (said.untried, said.named, said.praised) == ("huge pages: none", False, ())


@pytest.mark.parametrize(
    ("gain", "children", "named"),
    [(HELD_BYTES, HELD_BYTES, True), (HELD_BYTES, 0, False), (0.5 * HELD_BYTES, HELD_BYTES, False)],
)
def test_hidden_memory_must_be_in_the_whole_and_in_its_part(
    gain: float, children: float, named: bool
) -> None:
    hidden = kind("child")
    plain = {
        "peak_rss_bytes": 1e6,
        "peak_rss_above_base_bytes": 1e5,
        "peak_children_rss_bytes": 0.0,
    }
    more = {"peak_rss_bytes": gain, "peak_rss_above_base_bytes": gain}
    held = {name: size + more.get(name, children) for name, size in plain.items()}
    records = [record(hidden.subject, **held), record(CONTROL, **plain)]
    said = saying.of_records(
        hidden, view(records, [(hidden.subject, "peak_rss_file_bytes")]), records
    )
    assert said.named is named
    assert said.praised == (), "the mark of another figure is none of this one's"


@pytest.mark.parametrize(
    ("outcome", "ledger", "slope", "named", "praised"),
    [
        (LeakClass.LEAK, "rss_anon_bytes", LEAKED_BYTES, True, ()),
        (LeakClass.LEAK, "rss_anon_bytes", 121, False, ()),
        (LeakClass.LEAK, "glibc_live_bytes", LEAKED_BYTES, False, ()),
        (LeakClass.INCONCLUSIVE, "rss_anon_bytes", LEAKED_BYTES, False, ()),
        (LeakClass.CLEAN, "rss_anon_bytes", LEAKED_BYTES, False, ("CLEAN",)),
    ],
)
def test_a_leak_is_named_by_verdict_ledger_and_size(
    outcome: LeakClass, ledger: str, slope: float, named: bool, praised: tuple[str, ...]
) -> None:
    verdict = LeakVerdict(outcome, "grows", ledger=ledger, slope=Slope(slope, slope, slope))
    said = saying.of_investigation(kind("raw_mapping"), Investigation("b", "v", verdict, ()))
    assert (said.named, said.praised) == (named, praised)


def test_a_leak_check_that_did_not_end_names_nothing() -> None:
    said = saying.of_investigation(
        kind("raw_mapping"), Investigation("b", "v", None, (), "TIMEOUT: no end")
    )
    assert (said.text, said.named) == ("TIMEOUT: no end", False)


# The certificate.


def planted(number: int, **changes: Any) -> PlantedKind:
    one = PlantedKind(
        "as it is", Sort.LIE, f"k{number}", "what", "WRONG: 'x'", "WRONG x", True, (), ""
    )
    return replace(one, **changes)


def made(
    kinds_: Sequence[PlantedKind], bad: tuple[str, ...] = (), honest: int = 300
) -> FiguresCertificate:
    cells = HonestCells("as it is", {"OK": honest}, bad, ())
    return FiguresCertificate("2026-06-01", host(), {}, False, tuple(kinds_), (cells,))


ALL = [planted(number) for number in range(100)]


def test_it_holds_where_nearly_all_is_named_and_nothing_praised() -> None:
    assert made(ALL).passed
    missed = [planted(number, named=False) for number in range(5)]
    assert made([*missed, *ALL[5:]]).passed
    assert made([*missed, *ALL[5:], planted(100, untried="no swap")]).passed


@pytest.mark.parametrize(
    ("certificate", "why"),
    [
        (made([planted(n, named=False) for n in range(6)] + ALL[6:]), "94 of 100 .* were named"),
        (made([planted(0, praised=("wall_ns",)), *ALL[1:]]), "lie k0 is praised: wall_ns"),
        (made(ALL[:59]), "59 kinds were tried"),
        (made(ALL, bad=("full: WRONG",)), "something bad was said of 1 of 300"),
        (made(ALL, honest=299), "299 honest cells"),
        (replace(made(ALL), quick=True), "only a slice"),
    ],
)
def test_it_says_why_it_does_not_hold(certificate: FiguresCertificate, why: str) -> None:
    assert not certificate.passed
    (line,) = certificate.missing
    assert re.search(why, line)


def test_each_condition_must_hold_by_itself() -> None:
    busy = [planted(n, condition="busy", named=n >= 6) for n in range(100)]
    (line,) = made([*ALL, *busy]).missing
    assert line.startswith("busy: 94 of 100")


def test_a_rate_has_its_exact_interval() -> None:
    assert str(rate([True] * 99 + [False])) == "99 of 100 (95% interval 94.6% to 100.0%)"
    assert rate([]).interval == (0.0, 1.0)


def test_it_survives_the_disk_and_is_quoted_on_its_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTBYTE_RESULTS", str(tmp_path))
    assert certificates.of_host(host()).startswith("figures ")
    one = made([planted(0, praised=("wall_ns",)), *ALL[1:]], bad=("x",))
    certificates.save(one, certificates.certificate_path())
    assert certificates.DOCUMENT.read(certificates.certificate_path()) == one
    assert certificates.of_host(host()) == certificates.in_words(one)
    raw = json.loads(certificates.certificate_path().read_text(encoding="utf-8"))
    for damage, problem in (
        ({"schema": 99}, "its schema is 99"),
        ({"kinds": [{**raw["kinds"][0], "sort": "joke"}]}, r"kinds\[0\].sort: expected 'lie' or"),
        ({"surprise": 1}, "unknown key 'surprise'"),
    ):
        certificates.certificate_path().write_text(json.dumps({**raw, **damage}))
        with pytest.raises(HarnessError, match=problem):
            certificates.DOCUMENT.read(certificates.certificate_path())


def test_the_table_shows_planted_wanted_and_said_and_the_counts() -> None:
    shown = [
        planted(0),
        planted(1, named=False, said="OK, not a word"),
        planted(2, sort=Sort.CHEAT, named=False, praised=("wall_ns",)),
        planted(3, sort=Sort.HIDDEN, named=False, untried="no swap", said="no swap"),
    ]
    console = Console(file=io.StringIO(), width=160)
    console.print(Group(*terminal.parts(made(shown, bad=("full: SUSPECT",), honest=2))))
    text = cast(io.StringIO, console.file).getvalue()
    for words in (
        "lie, as it is",
        "1 of 2 (95% interval 1.3% to 98.7%) said by their name",
        "MISSED",
        "OK, not a word",
        "PRAISED",
        "not here",
        "k0: what",
        "WRONG: 'x'",
        "FALSELY: full: SUSPECT",
        "missing: as it is: cheat k2 is praised: wall_ns",
    ):
        assert words in text


def test_a_slice_is_sound_only_where_all_of_it_was_said() -> None:
    assert terminal.sound(made(ALL[:2]))
    assert not terminal.sound(made([planted(0, named=False)]))
    assert not terminal.sound(made([planted(0, praised=("CLEAN",))]))
    assert not terminal.sound(made(ALL[:2], bad=("x",)))


# The corpus.


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return rich.corpus()


def test_the_corpus_is_judged_by_what_was_written(manifest: Manifest) -> None:
    assert manifest.rows == rich.SHARDS * rich.ROWS
    assert "what was written" in manifest.witnesses
    assert not manifest.caveats


def test_every_lie_changes_what_is_delivered(manifest: Manifest) -> None:
    """A lie that told the truth on this corpus would be missed for nothing."""
    mount([FOLDER])
    lies = import_module("firstbyte.backends.planted_lies.lies")
    for one in kinds():
        if isinstance(one.wanted, Told) and one.sort is Sort.LIE and hasattr(lies, one.name):
            assert any(
                _lies(getattr(lies, one.name), lies.Place, shard) for shard in (0, 3, 5, 7)
            ) or (one.name in ("under_memory_sampling", "under_the_clock", "other_threads")), (
                one.name
            )


def _lies(lie: Any, place: Any, shard: int) -> bool:
    rows = rich.table(shard)
    first = 0
    for batch in rows.to_batches(1024):
        last = first + batch.num_rows == rows.num_rows
        for pass_ in (1, 2):
            told = lie(batch, place(shard, first, last, pass_))
            if _digests(told) != _digests(batch):
                return True
        first += batch.num_rows
    return False


def _digests(batch: pa.RecordBatch) -> Any:
    digests = ColumnDigests(batch.schema.names)
    digests.update(batch)
    return digests.rows, digests.hexdigests()
