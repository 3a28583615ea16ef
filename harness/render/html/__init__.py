"""One self-contained HTML file per run."""

from harness.render.html.report import render, write

__all__ = ["render", "write"]
