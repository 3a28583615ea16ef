"""The report: one HTML file that holds everything, needs no network and runs no script."""

from __future__ import annotations

from firstbyte.render.html import report
from firstbyte.render.request import Request


def render(given: Request) -> str:
    return report.render(
        given.view, given.made_by, leaks=given.leaks, certificates=given.selfchecks()
    )
