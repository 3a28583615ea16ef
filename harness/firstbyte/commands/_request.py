"""From a run folder to what its outputs are made from."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from firstbyte.engine.registry import Catalogue
from firstbyte.leaks import kept
from firstbyte.render.request import Request
from firstbyte.render.tables import RunView
from firstbyte.selfcheck import of_host as selfchecks
from firstbyte.visibility import shown


def request(folder: Path, catalogue: Catalogue) -> Request:
    """The run in that folder as it may be shown, and what stands beside it. Raises HarnessError."""
    whole = shown.load(folder, catalogue)
    return Request(
        RunView(whole, catalogue),
        leaks=kept.read(folder),
        selfchecks=partial(selfchecks.of_host, whole.run.host),
    )
