"""METHODOLOGY's table of the gate's self-check holds what the stored certificate holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from statistics import stdev

from conftest import ROOT

from firstbyte.selfcheck.gate.certificate import DOCUMENT, Condition, GateCertificate
from firstbyte.selfcheck.gate.table import changes_text

STORED = ROOT / "results" / "published" / "selfcheck-gate.json"


def stored() -> GateCertificate:
    return DOCUMENT.read(STORED)


def noise(one: Condition) -> str:
    """Standard deviation of the log ratio of unchanged pairs: least, and largest of all metrics."""
    spread = sorted(stdev(ratios) for ratios in one.pairs.values())
    return f"{spread[0]:.3f} to {spread[-1]:.3f}"


def cells(one: Condition) -> Iterator[tuple[str, str]]:
    """Row and cell, in the words of the table."""
    yield "alarms in unchanged gates", f"{one.real_alarms} of {one.real_gates}"
    yield "inconclusive unchanged gates", f"{one.real_inconclusive} of {one.real_gates}"
    yield "seconds an unchanged gate, median", f"{one.gate_seconds:.0f}"
    yield "noise of a pair (SD of its log ratio)", noise(one)
    yield "alarms in gates replayed as recorded", f"{one.replayed_alarms} of {one.replayed}"
    simulated = f"{one.alarms} of {one.gates:,} (95% bound {one.alarm_bound:.2g})"
    yield "alarms in simulated gates", simulated
    for effect in one.effects:
        said = f"{one.typical(effect):.1%}, {one.worst(effect).found:.1%}"
        yield f"simulated {effect:+.0%} found: median metric, worst", said
    for planted in one.planted:
        said = f"{planted.found} of {planted.cases}"
        measured = f"; {changes_text(planted.changes)}" if planted.changes else ""
        yield f"planted {planted.name}: cases found; change found", said + measured


def rows(certificate: GateCertificate) -> list[str]:
    """The table's lines, a column a condition."""
    columns = [dict(cells(one)) for one in certificate.conditions]
    names = list(dict.fromkeys(name for column in columns for name in column))
    return [
        f"| {name} | " + " | ".join(column.get(name, "-") for column in columns) + " |"
        for name in names
    ]


def missing(certificate: GateCertificate) -> list[str]:
    page = (ROOT / "METHODOLOGY.md").read_text(encoding="utf-8")
    return [row for row in rows(certificate) if row not in page.splitlines()]


def test_the_table_is_that_of_the_stored_certificate() -> None:
    assert missing(stored()) == []


def test_another_figure_is_noticed() -> None:
    made = stored()
    first = replace(made.conditions[0], real_alarms=made.conditions[0].real_alarms + 1)
    assert len(missing(replace(made, conditions=(first, *made.conditions[1:])))) == 1
