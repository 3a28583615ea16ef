"""What can be wrong with a reader, as it is reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class Bad(AssertionError):
    """Base of all that a reader must not do."""

    kind: str


class WrongRows(Bad):
    """Rows that are not those of the file, without an error."""

    kind = "wrong rows"


class WrongWhere(Bad):
    """A comparison gave other rows than Python's."""

    kind = "wrong comparison"


class Refuses(Bad):
    """A typed error for what at least two others read alike."""

    kind = "refused"


class Untyped(Bad):
    """An exception that is not one of the reader's."""

    kind = "untyped error"


class Greedy(Bad):
    """More memory than was allowed."""

    kind = "over the budget"


KINDS = (
    "wrong rows",
    "wrong comparison",
    "refused",
    "untyped error",
    "over the budget",
    "abort",
    "hang",
)
"""Those of this file, and what only the watching process can see."""


@dataclass(frozen=True)
class Fault:
    """One finding: which reader, in which mode, and what was seen."""

    reader: str
    kind: str
    detail: str


def untyped_becomes_bad(work: Callable[[], T], typed: tuple[type[BaseException], ...]) -> T:
    """What `work` gives. Raises the typed errors as they are, `Bad` as it is, and Untyped for all others."""
    try:
        return work()
    except (*typed, Bad, KeyboardInterrupt, SystemExit):
        raise
    except MemoryError as error:
        raise Greedy("MemoryError") from error
    except BaseException as error:  # a panic of pyo3 is no Exception
        raise Untyped(f"{type(error).__name__}: {error}") from error
