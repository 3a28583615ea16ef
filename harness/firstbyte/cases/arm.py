"""The child of a case: runs one arm and prints what it returned as JSON."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path


def main() -> None:
    """`python -m firstbyte.cases.arm MODULE ARM DATA`."""
    module, arm, data = sys.argv[1:]
    protocol = os.dup(1)
    os.dup2(2, 1)
    found = importlib.import_module(module).run(arm, Path(data))
    os.write(protocol, json.dumps(found).encode())


if __name__ == "__main__":
    main()
