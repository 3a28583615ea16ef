"""The scoreboard on made-up records: who wins, what has no ratio, and what is named instead."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner
from pipeline_fixtures import backend_info
from render_fixtures import METRICS, cell, record, run, scenario, view
from rich.console import Console

from firstbyte.api import Metric
from firstbyte.commands import show
from firstbyte.engine.registry import BackendInfo, Catalogue, discover
from firstbyte.engine.store import RunFolder
from firstbyte.errors import UnknownNameError
from firstbyte.model import Record, Status
from firstbyte.render.outputs.scoreboard import draw
from firstbyte.render.scoreboard import NOBODY, TIE, Contest, Scoreboard, ratio, scoreboard
from firstbyte.render.tables import NOT_KEPT, WITHHELD

SCENARIOS = {
    **METRICS,
    "codec_floor": (
        Metric("cpu_ns", "the codec", better="", headline=True, floor_of=("full_scan", "cpu_ns")),
        Metric(
            "memory_floor_bytes",
            "pages in hand",
            better="",
            floor_of=("full_scan", "peak_rss_anon_above_base_bytes"),
        ),
    ),
    "endurance": (Metric("left_live_bytes", "left", headline=True),),
}


def backend(name: str, threads: dict[str, Any], file_format: str = "parquet") -> BackendInfo:
    """A backend whose variants declare these threads; the first one is its default."""
    info = backend_info(name, tuple(threads))
    variants = tuple(replace(one, threads=threads[one.name]) for one in info.variants)
    return replace(info, variants=variants, format=file_format)


def catalogue() -> Catalogue:
    known = [
        backend("ours", {"plain": 1, "ahead": 2}),
        backend("swift", {"one": 1, "many": "all"}),
        backend("slow", {"one": 1}),
        backend("silent", {"one": None}),
        backend("other", {"one": 1}, file_format="lshd"),
    ]
    scenarios = {
        name: scenario(name, metrics, "What it asks.") for name, metrics in SCENARIOS.items()
    }
    return Catalogue({b.name: b for b in known}, cast(Any, scenarios), discover().instruments)


def scan(backend: str, variant: str, corpus: str = "mt", **values: float) -> Record:
    """A whole scan under the clock; every sample is the same."""
    of = cell("full_scan", backend, variant, corpus=corpus)
    return record(of, {"wall_ns": 1e9, **values}, spread=0.0)


def failed(backend: str, variant: str, status: Status, reason: str, **where: Any) -> Record:
    of = cell(**{"backend": backend, "variant": variant, "corpus": "mt", **where})
    return record(of, status=status, reason=reason)


def board(records: list[Record], subject: str = "ours", **options: Any) -> Scoreboard:
    return scoreboard(view(records, known=catalogue()), subject, **options)


def contest(found: Scoreboard, metric: str = "wall_ns", corpus: str = "mt") -> Contest:
    (one,) = [c for c in found.contests if (c.column.metric, c.corpus) == (metric, corpus)]
    return one


def text(found: Scoreboard, width: int = 160) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(draw(found))
    return console.export_text()


def test_default_best_and_best_other_with_ratios_in_both_directions() -> None:
    found = board(
        [
            scan("ours", "plain", wall_ns=4e9, rows_per_s=100.0),
            scan("ours", "ahead", wall_ns=2e9, rows_per_s=300.0),
            scan("swift", "one", wall_ns=8e9, rows_per_s=150.0),
            scan("slow", "one", wall_ns=9e9, rows_per_s=400.0),
        ]
    )
    wall = contest(found)
    assert wall.default
    assert wall.best
    assert wall.peer
    assert (wall.default.label, wall.best.label) == ("ours:plain", "ours:ahead")
    assert (wall.peer.label, wall.winner) == ("swift:one", "ours")
    assert (ratio(wall.default, wall.peer), ratio(wall.best, wall.peer)) == (0.5, 0.25)
    rows = contest(found, "rows_per_s")
    assert rows.peer
    assert (rows.peer.label, rows.winner) == ("slow:one", "slow")
    assert ratio(rows.best, rows.peer) == 0.75
    assert "0.250" in text(found)


def test_it_works_for_any_backend_of_the_run_and_names_those_there_are() -> None:
    records = [scan("ours", "plain"), scan("slow", "one", wall_ns=2e9)]
    assert contest(board(records, "slow")).winner == "ours"
    with pytest.raises(UnknownNameError, match="no backend in the run 'slwo'; did you mean 'slow'"):
        board(records, "slwo")


def test_a_failed_peer_is_no_peer_however_good_its_figures_and_is_named() -> None:
    wrong = replace(
        failed("slow", "one", Status.WRONG, "row count mismatch"),
        samples=scan("slow", "one", wall_ns=1.0).samples,
    )
    found = board([scan("ours", "plain", wall_ns=4e9), scan("swift", "one", wall_ns=8e9), wrong])
    one = contest(found)
    assert one.peer
    assert one.peer.label == "swift:one"
    assert [(entry.label, entry.figure.text) for entry in one.without] == [("slow:one", "WRONG")]
    assert "WRONG  slow:one (wall" in text(found)
    assert "row count mismatch" in text(found)


def test_without_any_peer_there_is_no_ratio_and_no_winner() -> None:
    found = board([scan("ours", "plain"), failed("slow", "one", Status.CRASHED, "SIGSEGV")])
    one = contest(found)
    assert one.peer is None
    assert one.winner == NOBODY
    assert ratio(one.best, one.peer) is None


def test_a_failed_default_variant_shows_how_it_ended_and_has_no_ratio() -> None:
    found = board(
        [
            failed("ours", "plain", Status.TIMEOUT, "took over 60 s"),
            scan("ours", "ahead", wall_ns=1e9),
            scan("slow", "one", wall_ns=2e9),
        ]
    )
    one = contest(found)
    assert one.default
    assert one.best
    assert (one.default.figure.text, one.best.label) == ("TIMEOUT", "ours:ahead")
    assert ratio(one.default, one.peer) is None
    assert ratio(one.best, one.peer) == 0.5
    assert "took over 60 s" in text(found)


def test_a_failed_subject_does_not_win() -> None:
    found = board([failed("ours", "plain", Status.CRASHED, "SIGSEGV"), scan("slow", "one")])
    one = contest(found)
    assert (one.best, one.winner) == (None, NOBODY)
    assert "CRASHED  ours:plain" in text(found)


@pytest.mark.parametrize(
    ("ours", "theirs", "winner"),
    [(1e9, 1e9, TIE), (1.0001e9, 1e9, TIE), (0.98e9, 1e9, "ours"), (1.02e9, 1e9, "slow")],
)
def test_a_ratio_that_is_shown_as_one_is_a_tie(ours: float, theirs: float, winner: str) -> None:
    found = board([scan("ours", "plain", wall_ns=ours), scan("slow", "one", wall_ns=theirs)])
    assert contest(found).winner == winner


def left(backend: str, variant: str, size: float | None) -> Record:
    values = {"other_bytes": 1.0} if size is None else {"left_live_bytes": size}
    return record(cell("endurance", backend, variant, "proc_memory", "mt"), values, spread=0.0)


def test_nothing_left_on_both_sides_is_a_tie_and_one_byte_is_not() -> None:
    even = board([left("ours", "plain", 0.0), left("slow", "one", 0.0)])
    assert contest(even, "left_live_bytes").winner == TIE
    odd = contest(board([left("ours", "plain", 0.0), left("slow", "one", 1.0)]), "left_live_bytes")
    assert (odd.winner, ratio(odd.best, odd.peer)) == ("ours", None)


def test_a_backend_that_keeps_no_such_figure_is_named_and_is_not_withheld() -> None:
    found = board([left("ours", "plain", 0.0), left("slow", "one", None)])
    one = contest(found, "left_live_bytes")
    assert one.peer is None
    assert [(e.label, e.figure.text) for e in one.without] == [("slow:one", NOT_KEPT)]
    assert f"{NOT_KEPT}  slow:one" in text(found)


def test_a_withheld_figure_does_not_win_and_its_reason_is_said() -> None:
    heap = {"peak_heap_bytes": 1e6}
    found = board(
        [
            record(cell("full_scan", "ours", "plain", "heap", "mt"), heap),
            record(cell("full_scan", "slow", "one", "heap", "mt"), heap),
        ]
    )
    one = contest(found, "peak_heap_bytes")
    assert (one.best, one.peer, one.winner) == (None, None, NOBODY)
    assert {entry.figure.text for entry in one.without} == {WITHHELD}
    assert "heap figures are withheld" in text(found)


def floor(backend: str, variant: str, cpu_ns: float, corpus: str = "mt") -> Record:
    of = cell("codec_floor", backend, variant, corpus=corpus)
    return record(of, {"cpu_ns": cpu_ns}, spread=0.0)


def test_scans_over_the_floor_are_those_of_the_same_files() -> None:
    found = board(
        [
            scan("ours", "plain", cpu_ns=1.5e9),
            scan("swift", "one", cpu_ns=1.2e9),
            scan("other", "one", cpu_ns=0.1e9),
            failed("slow", "one", Status.CRASHED, "SIGSEGV"),
            floor("ours", "plain", 1.1e9),
            floor("ours", "ahead", 1.0e9),
            failed("swift", "one", Status.SKIPPED, "has none", scenario="codec_floor"),
        ]
    )
    (over,) = found.floors
    assert over.floor
    assert over.floor.label == "ours:ahead"
    assert [(scan.entry.label, scan.ratio) for scan in over.scans] == [
        ("swift:one", 1.2),
        ("ours:plain", 1.5),
    ]
    assert [entry.label for entry in over.without] == ["slow:one"]
    assert "1.00 s, measured by ours:ahead" in text(found)
    assert contest(found, "cpu_ns").winner == "other"


def test_a_missing_floor_is_said_with_its_reason() -> None:
    records = [scan("ours", "plain", cpu_ns=1e9), scan("ours", "plain", "llm", cpu_ns=1e9)]
    nowhere = board(records)
    assert [(o.corpus, o.floor) for o in nowhere.floors] == [("mt, llm", None)]
    assert "codec_floor is not in this run" in text(nowhere)
    crashed = failed("ours", "plain", Status.CRASHED, "SIGBUS", scenario="codec_floor")
    half = board([*records, crashed, floor("ours", "plain", 0.5e9, "llm")])
    without, there = half.floors
    assert without.floor is None
    assert [entry.reason for entry in without.without] == ["SIGBUS"]
    assert [scan.ratio for scan in there.scans] == [2.0]
    assert "SIGBUS" in text(half)


def memory(corpus: str, size: float) -> Record:
    of = cell("full_scan", "ours", "plain", "proc_memory", corpus)
    return record(of, {"peak_rss_anon_above_base_bytes": size}, spread=0.0)


def test_the_spread_is_over_corpora_and_says_which_failed() -> None:
    assert board([memory("mt", 4e6)]).spreads == ()
    found = board(
        [
            memory("mt", 4e6),
            memory("llm", 5e6),
            failed(
                "ours", "plain", Status.CRASHED, "SIGBUS", instrument="proc_memory", corpus="big"
            ),
        ]
    )
    (spread,) = found.spreads
    assert (spread.label, spread.ratio) == ("ours:plain", 1.25)
    assert "1.25: mt 4.00 MB, llm 5.00 MB, big CRASHED" in text(found)


def test_a_peak_is_set_against_the_pages_in_hand() -> None:
    def floor(corpus: str, size: float) -> Record:
        of = cell("codec_floor", "ours", "plain", corpus=corpus)
        return record(of, {"cpu_ns": 1e9, "memory_floor_bytes": size}, spread=0.0)

    found = board([memory("mt", 4e6), memory("llm", 6e6), floor("mt", 5e6)])
    (spread,) = found.spreads
    assert [peak.floor_bytes for peak in spread.peaks] == [5e6, None]
    line = "1.50: mt 4.00 MB (0.800 x the memory floor, 5.00), llm 6.00 MB"
    assert line in " ".join(text(found).split())
    (alone,) = board([memory("mt", 4e6), floor("mt", 2e6)]).spreads
    assert (alone.ratio, alone.peaks[0].floor_bytes) == (None, 2e6)


def test_threads_keep_those_that_declare_no_more_and_name_the_others() -> None:
    records = [
        scan("ours", "plain", wall_ns=4e9),
        scan("ours", "ahead", wall_ns=2e9),
        scan("swift", "one", wall_ns=8e9),
        scan("swift", "many", wall_ns=1e9),
        scan("silent", "one", wall_ns=0.5e9),
    ]
    one = board(records, threads=1, cores=2)
    assert contest(one).winner == "ours"
    assert contest(one).best == contest(one).default
    for words in ("ours:ahead (2 threads)", "swift:many (all 2 cores)", "silent:one (declares no"):
        assert words in one.limit
    two = contest(board(records, threads=2, cores=2))
    assert two.best
    assert two.peer
    assert (two.best.label, two.peer.label) == ("ours:ahead", "swift:many")
    for cores in (0, 4):  # not known, or more than asked for
        peer = contest(board(records, threads=2, cores=cores)).peer
        assert peer
        assert peer.label == "swift:one"
    everyone = board(records)
    assert everyone.limit == ""
    assert contest(everyone).winner == "silent"


def test_the_option_prints_it_and_refuses_what_does_not_go_with_it(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, run(host={"cores": 2}))
    folder.append(record(cell(backend="a", variant="x"), {"wall_ns": 4e9, "rows_per_s": 1.0}))
    folder.append(record(cell(backend="b", variant="x"), {"wall_ns": 8e9, "rows_per_s": 1.0}))

    def call(*words: str) -> Any:
        arguments = ["run-1", "--results", str(tmp_path), *words]
        return CliRunner().invoke(show.command, arguments, env={"COLUMNS": "140"})

    found = call("--against", "a", "--metric", "wall_ns")
    assert found.exit_code == 0, found.output
    assert "0.500" in found.output
    assert "b:x" in found.output
    assert "rows per second" not in found.output
    assert "declares no number of threads" in call("--against", "a", "--threads", "1").output
    assert call("--threads", "1").exit_code == 2
    assert call("--against", "a", "--samples").exit_code == 2
    assert isinstance(call("--against", "c").exception, UnknownNameError)


def test_a_reason_is_that_of_its_own_variant_setting_and_instrument() -> None:
    def crash(variant: str, readers: int, instrument: str) -> Record:
        of = cell("concurrent_reads", "ours", variant, instrument, "mt", readers=readers)
        reason = f"{variant}, {readers}, {instrument}"
        return record(of, status=Status.CRASHED, reason=reason)

    peer = {"backend": "slow", "variant": "one", "corpus": "mt"}
    found = board(
        [
            *(
                crash(variant, readers, instrument)
                for instrument in ("proc_memory", "clock")
                for readers in (2, 1)
                for variant in ("ahead", "plain")
            ),
            *(
                record(cell("concurrent_reads", readers=readers, **peer), {"rows_per_s": 1.0})
                for readers in (1, 2)
            ),
        ]
    )
    reasons = {
        (entry.cell.variant, one.column.params): entry.reason
        for one in found.contests
        for entry in one.without
        if one.column.metric == "rows_per_s"
    }
    assert reasons == {
        (variant, f"readers={readers}"): f"{variant}, {readers}, clock"
        for variant in ("plain", "ahead")
        for readers in (1, 2)
    }


def test_a_narrow_terminal_cuts_nothing_off() -> None:
    found = board([scan("ours", "plain", wall_ns=1.5e9), scan("swift", "many", wall_ns=3e9)])
    narrow = text(found, width=30)
    assert "\N{HORIZONTAL ELLIPSIS}" not in narrow
    assert "0.500" in narrow
