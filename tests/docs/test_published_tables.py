"""The tables in README and in the crate's README are those of the published run that they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import ROOT

from firstbyte.engine.registry import discover
from firstbyte.render import blocks
from firstbyte.render.headline import HeadlineRow, headline
from firstbyte.render.tables import RunView
from firstbyte.units import number
from firstbyte.visibility import shown

README = ROOT / "README.md"
DOCUMENTS = (README, ROOT / "backends" / "arrow_rs" / "README.md")
RUN = re.compile(r"^- run: (\S+?),", re.MULTILINE)


def published(document: Path) -> RunView:
    """The stored run that the document's table says to be of."""
    (run_id,) = set(RUN.findall(document.read_text(encoding="utf-8")))
    catalogue = discover()
    return RunView(shown.load(ROOT / "results" / "published" / run_id, catalogue), catalogue)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_the_table_is_that_of_the_stored_run(document: Path) -> None:
    blocks.check(document.read_text(encoding="utf-8"), published(document))


def test_what_readme_says_of_allocators_is_in_the_table() -> None:
    text = README.read_text(encoding="utf-8")
    found = headline(published(README), blocks.headline_of(text))
    shipped, normalised = (
        found.headings.index(f"Above base, {pool}") for pool in ("as shipped", "pool normalised")
    )
    rows: dict[str, HeadlineRow] = {row.label: row for row in found.lines}
    theirs, ours = rows["pyarrow:buffered"], rows["arrow_rs:default"]
    held = theirs.figures[normalised].text, theirs.figures[shipped].text
    assert "holds {} MB instead of {}".format(*held) in text.replace("\n  ", " ")
    ratios = []
    for place in (shipped, normalised):
        much, little = theirs.figures[place].median, ours.figures[place].median
        assert much
        assert little
        ratios.append(much / little)
    assert f"the {number(ratios[0]).partition('.')[0]} times" in text
    assert round(ratios[1]) == 2, "become twice"
