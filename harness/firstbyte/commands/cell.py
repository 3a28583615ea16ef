"""`firstbyte cell`: the order of one cell, for a worker that is run by hand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from firstbyte.commands._axes import axes_options
from firstbyte.errors import HarnessError

if TYPE_CHECKING:
    from firstbyte.engine.plan import Axes


@click.command(short_help="Print one cell as a worker's order.")
@axes_options
def command(axes: Axes) -> None:
    """Print one cell as the JSON order that a worker reads.

    The options must leave exactly one cell. Run it by hand with

        firstbyte cell -s full_scan -b pyarrow:buffered -i clock | python -m firstbyte.worker
    """
    from firstbyte.engine import session
    from firstbyte.model import Status
    from firstbyte.render import notices
    from firstbyte.worker.order import MEASURE

    workshop = session.open_session(axes)
    for note in workshop.notes:
        notices.warning(note)
    cells = workshop.plan.cells
    if len(cells) != 1:
        shown = "\n".join(f"  {planned.cell.key}" for planned in cells[:12])
        more = f"\n  and {len(cells) - 12} more" if len(cells) > 12 else ""
        raise HarnessError(
            f"the options leave {len(cells)} cells, expected 1; choose with --scenario, --backend, "
            f"--instrument and --param:\n{shown}{more}"
        )
    (planned,) = cells
    engine = workshop.engine("by-hand")
    ready = engine.ready(planned)
    if ready.status is not Status.OK:
        raise HarnessError(f"this cell is {ready.status}: {ready.reason}")
    sys.stdout.write(engine.order(planned, MEASURE, ready.prepared).to_json() + "\n")
