"""Where certificates are kept, and which of them is of a host.

A check writes into `results/selfcheck/`; what was published lies in `results/published/`. Both are
looked through, of the project and of the checkout that this package is imported from: the newest one
of the host counts, wherever it lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from firstbyte import places
from firstbyte.contracts import Document
from firstbyte.engine.fingerprint import differences
from firstbyte.errors import HarnessError
from firstbyte.plugins import checkout


class OfAHost(Protocol):
    """A certificate, as far as looking for it goes."""

    @property
    def made(self) -> str:
        """When, as ISO 8601 in UTC."""
        ...

    @property
    def host(self) -> Mapping[str, Any]: ...


C = TypeVar("C", bound=OfAHost)


@dataclass(frozen=True, slots=True)
class Found(Generic[C]):
    """The certificate of a host, or what was found in its place."""

    certificate: C | None
    instead: str
    """Why there is none: one that cannot be read, or is of another host; empty where nothing lies there."""


def path_of(name: str) -> Path:
    """Where a check on this host keeps the certificate of that name."""
    return places.results() / "selfcheck" / f"{name}.json"


def find(name: str, document: Document[C], host: Mapping[str, Any]) -> Found[C]:
    """The newest certificate of that name and that host.

    One that cannot be read does not stop another from being found.
    """
    fitting: list[C] = []
    instead: list[str] = []
    for path in filter(Path.exists, _places(name)):
        try:
            made = document.read(path)
        except HarnessError as error:
            instead.append(str(error))
            continue
        if differing := differences(made.host, host):
            instead.append(f"there is one of another host: {'; '.join(differing)}")
        else:
            fitting.append(made)
    newest = max(fitting, key=lambda one: one.made, default=None)
    return Found(newest, "" if newest or not instead else instead[0])


def _places(name: str) -> list[Path]:
    top = checkout()
    folders = [places.results(), *([top / "results"] if top else [])]
    kept = [folder / "selfcheck" / f"{name}.json" for folder in folders]
    published = [folder / "published" / f"selfcheck-{name}.json" for folder in folders]
    return list(dict.fromkeys(path.resolve() for path in (*kept, *published)))
