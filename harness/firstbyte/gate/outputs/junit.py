"""The result as JUnit XML: one test case a verdict, one suite a case.

REGRESSED is a failure, INCONCLUSIVE an error (the test could not be made), a waived finding is
skipped with its reason. Elements follow the schema that Jenkins and GitLab read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree

from firstbyte.gate.outputs._rows import change, sentence
from firstbyte.gate.result import GateResult
from firstbyte.gate.trials import GateOutcome
from firstbyte.gate.verdicts import Verdict

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold at all, such as those of terminal colours."""


def render(given: GateResult) -> str:
    verdicts = given.verdicts
    counts = _counts(verdicts, left_out=len(given.not_gated))
    root = ElementTree.Element("testsuites", {"name": "firstbyte gate", **counts})
    root.set("time", f"{given.seconds:.3f}")
    _said_first(root, given)
    for case, group in groupby(verdicts, key=lambda verdict: verdict.case):
        members = tuple(group)
        suite = ElementTree.SubElement(root, "testsuite", {"name": _text(case), **_counts(members)})
        for verdict in members:
            _test_case(suite, verdict)
    if not verdicts:
        _nothing_measured(root)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _said_first(root: ElementTree.Element, given: GateResult) -> None:
    """The sentence, and what was not gated, as a suite of its own that readers list at the top."""
    counts = {"failures": "0", "errors": "0"}
    number = str(len(given.not_gated))
    suite = ElementTree.SubElement(
        root, "testsuite", {"name": "not gated", "tests": number, "skipped": number, **counts}
    )
    properties = ElementTree.SubElement(suite, "properties")
    ElementTree.SubElement(properties, "property", name="verdict", value=_text(sentence(given)))
    for line in given.not_gated:
        case = ElementTree.SubElement(suite, "testcase", classname="not gated", name=_text(line))
        ElementTree.SubElement(case, "skipped", message=_text(line))


def _nothing_measured(root: ElementTree.Element) -> None:
    """An empty file reads as success in most pipelines, so an empty gate says otherwise."""
    counts = {"tests": "1", "failures": "0", "errors": "1", "skipped": "0"}
    root.attrib.update(counts)
    suite = ElementTree.SubElement(root, "testsuite", {"name": "gate", **counts})
    case = ElementTree.SubElement(suite, "testcase", classname="gate", name="measured")
    ElementTree.SubElement(case, "error", type=GateOutcome.INCONCLUSIVE, message="nothing measured")


def _test_case(suite: ElementTree.Element, verdict: Verdict) -> None:
    finding = verdict.finding
    case = ElementTree.SubElement(
        suite, "testcase", classname=_text(verdict.case), name=_text(verdict.metric)
    )
    message = _text(f"{finding.outcome}: {change(finding)}; {finding.rule}")
    if verdict.waived:
        ElementTree.SubElement(case, "skipped", message=_text(f"{message}; {verdict.waived}"))
    elif finding.outcome is GateOutcome.REGRESSED:
        ElementTree.SubElement(case, "failure", type=finding.outcome, message=message)
    elif finding.outcome is GateOutcome.INCONCLUSIVE:
        ElementTree.SubElement(case, "error", type=finding.outcome, message=message)
    else:
        ElementTree.SubElement(case, "system-out").text = message


def _counts(verdicts: Sequence[Verdict], left_out: int = 0) -> dict[str, str]:
    outcomes = [verdict.outcome for verdict in verdicts]
    return {
        "tests": str(len(verdicts) + left_out),
        "failures": str(outcomes.count(GateOutcome.REGRESSED)),
        "errors": str(outcomes.count(GateOutcome.INCONCLUSIVE)),
        "skipped": str(left_out + sum(bool(verdict.waived) for verdict in verdicts)),
    }


def _text(text: str) -> str:
    return _NOT_XML.sub("?", text)
