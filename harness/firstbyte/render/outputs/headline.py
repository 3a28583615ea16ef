"""README's headline table as Markdown, with how it was obtained."""

from __future__ import annotations

from firstbyte.render.headline import headline
from firstbyte.render.headline_table import markdown
from firstbyte.render.request import Request


def render(given: Request) -> str:
    return markdown(headline(given.view, given.headline), given.view) + "\n"
