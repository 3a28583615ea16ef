"""The environment variables that this program reads. One of its own that it does not know is misspelt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from firstbyte.errors import UnknownNameError

PREFIX = "FIRSTBYTE_"
KNOWN: Mapping[str, str] = {
    "FIRSTBYTE_PLUGINS": "folders with backends/, scenarios/ and instruments/ of one's own",
    "FIRSTBYTE_RESULTS": "folder of run folders, baselines and certificates",
    "FIRSTBYTE_REPORTS": "folder of HTML reports",
    "FIRSTBYTE_CAPTURES": "folder in which the heap instrument keeps memray's captures",
    "FIRSTBYTE_ORDER": "set by the parent for a micro-benchmark: its order",
    "FIRSTBYTE_WORKER": "set by the parent for each worker: what it and its helpers are known by",
    "FIRSTBYTE_FIRST_VALUE": "set by the parent for a micro-benchmark: what it must find",
}


def check(names: Iterable[str]) -> None:
    """Raise UnknownNameError for a name with this program's prefix that nobody reads."""
    for name in sorted(names):
        if name.startswith(PREFIX) and name not in KNOWN:
            raise UnknownNameError("environment variable", name, KNOWN)
