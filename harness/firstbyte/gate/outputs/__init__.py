"""What a gate can be shown as: an output is one file, see `firstbyte.render.output`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstbyte.render.output import Outputs

if TYPE_CHECKING:
    from firstbyte.gate.result import GateResult

OUTPUTS: Outputs[GateResult] = Outputs(__name__)
