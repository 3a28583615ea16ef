"""One self-contained HTML file per run."""

from firstbyte.render.html.report import render, write

__all__ = ["render", "write"]
