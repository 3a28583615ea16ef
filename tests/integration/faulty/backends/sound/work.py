"""How much of its work a planted fault does: all of it, or the share that a run of the tests asked for."""

from __future__ import annotations

import os

WORK = float(os.environ.get("TESTS_WORK", "1"))
