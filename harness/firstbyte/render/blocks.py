"""Tables inside documents, generated from a run between two markers; all other text is left as it is.

<!-- NAME:begin ... -->   what the table holds
(generated)
<!-- NAME:end -->

NAME is `headline` (`firstbyte.render.headline`) or `against` (`firstbyte.render.against`). A block with
a line `run: RUN-ID` is of that run, and left as it is when others are shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from firstbyte.errors import HarnessError, UnknownNameError
from firstbyte.render import against, headline, headline_table
from firstbyte.render.tables import RunView

BLOCKS: Mapping[str, Callable[[str, RunView], str]] = {
    "against": lambda spec, view: against.markdown(against.parse(spec), view),
    "headline": lambda spec, view: headline_table.markdown(
        headline.headline(view, headline.parse(spec)), view
    ),
}
_MARKER = re.compile(
    r"<!--\s*(?P<name>[a-z]+):(?:begin(?P<spec>.*?)-->\n?|(?P<end>end)\s*-->)", re.DOTALL
)
_RUN = re.compile(r"^[ \t]*run:[ \t]*(\S+)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Block:
    name: str
    run: str
    """The run that it is of; empty where it is of any."""
    spec: str
    start: int
    """Where the generated part starts in the document, and where it ends."""
    end: int


def update(document: str, view: RunView) -> str:
    """The document with every block made anew that is of this run, or of any.

    Raises HarnessError where it has none, where markers are unpaired, or where they ask for what the
    run lacks.
    """
    parts, done = [], 0
    for block in _of_run(_blocks(document), view.run.run_id):
        parts += [document[done : block.start], f"\n{BLOCKS[block.name](block.spec, view)}\n"]
        done = block.end
    return "".join([*parts, document[done:]])


def check(document: str, view: RunView) -> None:
    """Raises HarnessError where a table in the document is not the one that this run gives."""
    if update(document, view) != document:
        run_id = view.run.run_id
        raise HarnessError(
            f"the generated tables are not those of run {run_id};"
            f" `firstbyte report {run_id} --readme FILE` writes them"
        )


def headline_of(document: str) -> headline.HeadlineSpec:
    """What the document's headline is asked to hold; the default where it has none."""
    specs = [block.spec for block in _blocks(document) if block.name == "headline"]
    return headline.parse(specs[0]) if specs else headline.HeadlineSpec()


def _blocks(document: str) -> list[_Block]:
    found: list[_Block] = []
    opened: re.Match[str] | None = None
    for marker in _MARKER.finditer(document):
        name = marker["name"]
        if name not in BLOCKS:
            raise UnknownNameError("generated table", name, BLOCKS)
        if marker["end"] and opened and opened["name"] == name:
            of = _RUN.search(opened["spec"])
            spec = _RUN.sub("", opened["spec"])
            found.append(_Block(name, of[1] if of else "", spec, opened.end(), marker.start()))
            opened = None
        elif marker["end"] or opened:
            raise _unpaired(name)
        else:
            opened = marker
    if opened or not found:
        raise _unpaired(opened["name"] if opened else "headline")
    return found


def _of_run(blocks: list[_Block], run_id: str) -> list[_Block]:
    chosen = [block for block in blocks if block.run in ("", run_id)]
    if not chosen:
        named = ", ".join(dict.fromkeys(block.run for block in blocks))
        raise HarnessError(
            f"the document's tables are of other runs: {named}, and none of {run_id}"
        )
    return chosen


def _unpaired(name: str) -> HarnessError:
    return HarnessError(
        f"the document needs one '<!-- {name}:begin -->' and, after it, one '<!-- {name}:end -->'"
    )
