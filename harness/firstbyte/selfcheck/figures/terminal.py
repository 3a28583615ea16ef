"""The certificate of the figures on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from firstbyte.say import Say
from firstbyte.selfcheck.figures.certificate import (
    FiguresCertificate,
    PlantedKind,
    certificate_path,
    in_words,
    save,
)
from firstbyte.selfcheck.figures.check import self_check
from firstbyte.selfcheck.figures.kinds import Sort

SLICE = "figures-quick"
"""A slice is kept beside the certificate and never taken for one."""


def check(
    repetitions: int, say: Say, *, resume: bool = False, quick: bool = False
) -> tuple[RenderableType, bool]:
    """Run the self-check of the figures, keep its certificate, and return what to print.

    Every kind is tried once under each condition, however many `repetitions` are asked for. `quick` tries a
    slice, which certifies nothing: what counts then is that all of it was said.
    """
    made = self_check(say, resume=resume, quick=quick)
    path = certificate_path()
    if quick:
        path = path.with_stem(SLICE)
    save(made, path)
    passed = sound(made) if quick else made.passed
    return Group(*parts(made), Text(f"kept in {path}", style="dim")), passed


def sound(made: FiguresCertificate) -> bool:
    """Whether everything that was tried was said, and nothing bad of the honest."""
    named = made.named()
    return named.found == named.trials and not made.praised and not made.falsely.found


def parts(made: FiguresCertificate) -> Iterator[RenderableType]:
    """What was planted, wanted and said, kind by kind; then the counts."""
    for condition in made.conditions:
        for sort in Sort:
            if mine := [
                one for one in made.kinds if (one.condition, one.sort) == (condition, sort)
            ]:
                yield Text(f"\n{sort}, {condition}", style="bold")
                yield _table(mine)
                yield Text(f"{made.named(condition, sort)} said by their name")
    yield Text("")
    for cells in made.honest:
        said = ", ".join(f"{status} {count}" for status, count in sorted(cells.said.items()))
        yield Text(f"honest, {cells.condition}: {said}")
        yield from (Text(f"FALSELY: {line}", style="bold red") for line in cells.bad)
        yield from (Text(f"did not end well: {line}", style="yellow") for line in cells.not_run)
    yield Text(f"falsely said of honest cells: {made.falsely}")
    yield from (Text(f"missing: {line}", style="bold red") for line in made.missing)
    yield Text(in_words(made), style="bold green" if made.passed else "bold red")


def _table(mine: Sequence[PlantedKind]) -> Table:
    table = Table(
        "",
        "planted",
        "wanted",
        "said",
        box=None,
        pad_edge=False,
        padding=(0, 1),
        header_style="bold",
    )
    table.columns[0].no_wrap = True
    for one in mine:
        table.add_row(
            _mark(one), Text(f"{one.kind}: {one.planted}"), Text(one.wanted), Text(one.said)
        )
    return table


def _mark(one: PlantedKind) -> Text:
    if one.untried:
        return Text("not here", style="dim")
    if one.praised:
        return Text("PRAISED", style="bold red")
    return Text("ok", style="green") if one.named else Text("MISSED", style="bold red")
