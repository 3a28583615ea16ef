"""Markdown, JUnit and JSON of a gate, from one result with every kind of verdict in it."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from firstbyte.gate.outputs import OUTPUTS, junit, markdown
from firstbyte.gate.outputs._rows import HEADINGS, rows
from firstbyte.gate.result import EXIT_CODES, GateResult
from firstbyte.gate.trials import GateOutcome, TrialFinding
from firstbyte.gate.verdicts import Verdict
from firstbyte.render.output import as_text

SLOWER = Verdict(
    "full_scan/pyarrow:dataset/mt",
    "net_wall_ns",
    TrialFinding(
        GateOutcome.REGRESSED,
        "signed-rank p = 2.4e-04 <= 2.5e-04",
        base=100e6,
        head=105.1e6,
        change=0.051,
        low=0.039,
        high=None,
        pairs=12,
        smallest_effect=0.034,
    ),
)
PASSED = Verdict(
    "full_scan/pyarrow:dataset/mt",
    "allocation_count",
    TrialFinding(GateOutcome.PASS, "every process within 0.5%", 7.0, 7.0, 0.0, 0.0, 0.0, 2, 0.005),
)
CRASHED = Verdict(
    "leak_scan/evil|<b>@name/mt",
    "status",
    TrialFinding(GateOutcome.REGRESSED, "head CRASHED: \x1b[31mkilled by SIGSEGV"),
)
LEAK = Verdict(
    "leak_scan/polars:x/mt",
    "live_bytes_per_scan",
    TrialFinding(
        GateOutcome.INCONCLUSIVE,
        "2 of 4 pairs; the budget is spent",
        base=0.0,
        head=4096.0,
        change=4096.0,
        pairs=2,
        unit="B/scan",
    ),
)
WAIVED = Verdict(
    "c", "cpu_ns", TrialFinding(GateOutcome.REGRESSED, "rule"), waived="known, until 2027-01-01"
)
RESULT = GateResult(
    base="v1 (1234567)",
    head="working tree",
    rule="Rule.",
    verdicts=(SLOWER, PASSED, CRASHED, LEAK, WAIVED),
    started="2026-06-01T10:00:00+00:00",
    seconds=312.0,
    pairs=240,
    suspects=1,
    not_gated=("memory of fake:plain: not gated, because nobody asked",),
    notes=("the host was busy: 55% | of the time",),
)


def test_rows_say_everything_worst_first() -> None:
    first, *others = rows(RESULT.verdicts)
    assert first.cells == (
        "full_scan/pyarrow:dataset/mt",
        "net wall",
        "100 ms",
        "105 ms",
        "+5.1% [+3.9%, ∞]",
        "12",
        "+3.4%",
        "REGRESSED",
    )
    assert len(first.cells) == len(HEADINGS)
    assert [row.metric for row in others] == [
        "status",
        "live",
        "allocation count",
        "cpu",
    ]
    by_metric = {row.metric: row for row in others}
    assert by_metric["cpu"].verdict == "REGRESSED (waived: known, until 2027-01-01)"
    assert by_metric["status"].cells[2:7] == ("-", "-", "-", "-", "-")
    assert by_metric["allocation count"].would_see == "+0.50%"


def test_the_result_as_a_whole() -> None:
    assert RESULT.outcome is GateOutcome.REGRESSED
    assert RESULT.exit_code == 10
    assert RESULT.counts() == {
        GateOutcome.REGRESSED: 2,
        GateOutcome.INCONCLUSIVE: 1,
        GateOutcome.PASS: 2,
    }
    assert len(set(EXIT_CODES.values())) == len(GateOutcome), "each outcome has a code of its own"
    assert EXIT_CODES[GateOutcome.PASS] == 0
    assert replace(RESULT, verdicts=()).exit_code == EXIT_CODES[GateOutcome.INCONCLUSIVE]


def test_json_holds_every_verdict_and_is_valid() -> None:
    raw = json.loads(RESULT.to_json(), parse_constant=pytest.fail)
    assert raw["outcome"] == "REGRESSED"
    assert raw["verdicts"][0]["finding"]["high"] is None
    assert raw["verdicts"][0]["finding"]["change"] == 0.051
    assert len(raw["verdicts"]) == 5


def test_markdown_shows_what_needs_attention_and_folds_the_rest() -> None:
    text = markdown.render(RESULT)
    attention, reasons, folded, rules = text.split("<details>")
    first = "### Gate: REGRESSED: 2 of 5 figures became worse, most of all net wall of "
    assert attention.startswith(first)
    assert "+5.1%" in attention.splitlines()[0]
    assert "- **memory of fake:plain: not gated, because nobody asked**" in attention
    assert "net wall" in reasons
    assert "net wall" in attention
    assert "waived: known" in attention, "a waived finding is never folded away"
    assert "allocation count" in folded
    assert "1 of 5 figures passed" in folded
    assert RESULT.certificate.split("`", maxsplit=1)[0] in rules
    assert "> the host was busy" in text


def test_markdown_fits_into_a_comment_and_loses_no_finding() -> None:
    passed = next(one for one in RESULT.verdicts if one.outcome is GateOutcome.PASS)
    many = replace(RESULT, verdicts=(*RESULT.verdicts, *[passed] * 2_000))
    text = markdown.render(many)
    assert len(text) < markdown.MOST_CHARACTERS
    assert "rows are left out here" in text
    assert text.count("REGRESSED") > 2


def test_what_was_not_gated_stands_before_every_verdict() -> None:
    for name in OUTPUTS.summaries():
        text = as_text(OUTPUTS.load(name).render(RESULT)).replace("\\", "")
        place = text.find("memory of fake:plain: not gated, because nobody asked")
        assert place >= 0, name
        assert name == "json" or place < text.find("allocation")


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (GateOutcome.REGRESSED, "2 of 5 figures became worse, most of all net wall of "),
        (GateOutcome.INCONCLUSIVE, "1 of 1 figures could not be judged, such as live of "),
        (
            GateOutcome.PASS,
            "none of 1 figures became worse; the largest change is allocation count",
        ),
    ],
)
def test_the_first_line_says_what_was_found(outcome: GateOutcome, said: str) -> None:
    mixed = outcome is GateOutcome.REGRESSED
    chosen = [one for one in RESULT.verdicts if mixed or one.finding.outcome is outcome]
    text = as_text(OUTPUTS.load("table").render(replace(RESULT, verdicts=tuple(chosen))))
    assert text.startswith(f"{outcome}: {said}")


def test_markdown_cannot_be_broken_by_a_name() -> None:
    text = markdown.render(RESULT)
    assert "<b>" not in text
    assert "@name" not in text
    for line in text.splitlines():
        if line.startswith("|"):
            bars = line.replace("\\|", "").count("|")
            assert bars == len(HEADINGS) + 1


def test_junit_counts_and_kinds() -> None:
    root = ElementTree.fromstring(junit.render(RESULT))
    assert (root.get("tests"), root.get("failures"), root.get("errors"), root.get("skipped")) == (
        "6",
        "2",
        "1",
        "2",
    )
    kinds = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert kinds == {
        "net_wall_ns": ["failure"],
        "allocation_count": ["system-out"],
        "status": ["failure"],
        "live_bytes_per_scan": ["error"],
        "cpu_ns": ["skipped"],
        RESULT.not_gated[0]: ["skipped"],
    }
    for suite in root:
        assert suite.get("tests") == str(len(suite.findall("testcase")))
    failure = root.find(".//testcase[@name='net_wall_ns']/failure")
    assert failure is not None
    assert "+5.1%" in failure.get("message", "")


def test_an_empty_gate_is_never_green() -> None:
    empty = replace(RESULT, verdicts=())
    root = ElementTree.fromstring(junit.render(empty))
    assert root.get("errors") == "1"
    assert "INCONCLUSIVE" in markdown.render(empty)
    assert "nothing was measured" in markdown.render(empty)
