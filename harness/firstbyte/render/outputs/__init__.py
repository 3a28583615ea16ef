"""What a run can be shown as: an output is one file, see `firstbyte.render.output`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstbyte.render.output import Outputs

if TYPE_CHECKING:
    from firstbyte.render.request import Request

OUTPUTS: Outputs[Request] = Outputs(__name__)
