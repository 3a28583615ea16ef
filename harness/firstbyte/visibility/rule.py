"""Visibility: does a ledger account for the memory that the kernel says a piece of work took?

On work that holds on to what it reads, every byte that RssAnon gains is held by somebody. A
ledger that reports about as much sees this backend's allocations; one that reports far less is
blind to them (an allocator linked into a library), and one that reports far more counts address
space that nobody touched. Either way its figures for this backend are withheld. Nothing here
knows a library by name: a plugged-in backend is certified by the same work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from firstbyte.api import Account
from firstbyte.worker.ledgers import GLIBC, allocator_of

MIN_TAKEN_BYTES = 24 << 20
"""Work that took less proves nothing: what was free in the heap before it would do."""
PARTIAL_SHARE = 0.4
"""From here on a counter is named as the one that shows the memory."""
MIN_SHARE = 0.75
MAX_SHARE = 1.25
"""Within a quarter: requests exceed what was touched by spare capacity, and fall short by overhead
and by Python's arenas that were there already. What is really hidden leaves less than a fifth."""


class Sight(StrEnum):
    """What a ledger sees of a backend's memory."""

    SEEN = "SEEN"
    PARTIAL = "PARTIAL"
    HIDDEN = "HIDDEN"
    OVERCOUNTED = "OVERCOUNTED"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True, slots=True)
class Coverage:
    """One ledger's account of the work."""

    ledger: str
    accounted_bytes: float
    share: float
    sight: Sight


@dataclass(frozen=True, slots=True)
class VisibilityCertificate:
    """What each ledger sees of one backend and variant, an instrument among them."""

    instrument: str
    coverages: tuple[Coverage, ...]
    reason: str

    def sight(self, ledger: str) -> Sight:
        """UNDECIDED for a ledger that was not there."""
        for one in self.coverages:
            if one.ledger == ledger:
                return one.sight
        return Sight.UNDECIDED

    @property
    def verdict(self) -> Sight:
        """What the instrument sees: SEEN, and nothing else, lets its figures be shown."""
        return self.sight(self.instrument)


def certify(
    instrument: str, account: Account, allocators: tuple[str, ...] = ()
) -> VisibilityCertificate:
    """Judge every ledger of the account against the growth of RssAnon over the same work.

    `allocators` are names found inside the backend's libraries: they are quoted where no counter
    names the one that hides the memory, and decide nothing.
    """
    taken = account.taken_bytes
    coverages = tuple(
        _coverage(ledger, size, taken) for ledger, size in sorted(account.accounted_bytes.items())
    )
    return VisibilityCertificate(
        instrument, coverages, _reason(instrument, taken, coverages, allocators)
    )


def _coverage(ledger: str, accounted: float, taken: float) -> Coverage:
    if taken < MIN_TAKEN_BYTES:
        return Coverage(ledger, accounted, 0.0, Sight.UNDECIDED)
    share = accounted / taken
    return Coverage(ledger, accounted, share, _sight(share))


def _sight(share: float) -> Sight:
    if share < PARTIAL_SHARE:
        return Sight.HIDDEN
    if share < MIN_SHARE:
        return Sight.PARTIAL
    if share > MAX_SHARE:
        return Sight.OVERCOUNTED
    return Sight.SEEN


def _reason(
    instrument: str, taken: float, coverages: Sequence[Coverage], allocators: tuple[str, ...]
) -> str:
    if taken < MIN_TAKEN_BYTES:
        return (
            f"the work took {taken / 1e6:,.1f} MB of anonymous memory, "
            f"at least {MIN_TAKEN_BYTES / 1e6:,.0f} MB are needed to tell"
        )
    own = next((one for one in coverages if one.ledger == instrument), None)
    if own is None:
        return f"{instrument} was not there"
    account = f"{instrument} accounts for {own.share:.0%} of {taken / 1e6:,.0f} MB"
    if own.sight is Sight.SEEN:
        return account
    counted = [
        f"{allocator_of(one.ledger)} ({one.share:.0%} by its own counter)"
        for one in coverages
        if one.share >= PARTIAL_SHARE and one.ledger not in (instrument, GLIBC)
    ]
    if own.sight is Sight.OVERCOUNTED:
        return f"{account}: it counts address space that was never touched"
    if counted:
        return f"{account}: hidden by {', '.join(counted)}"
    if allocators:
        return f"{account}: hidden by an allocator inside the library ({', '.join(allocators)})"
    return f"{account}: hidden by an allocator that nothing here can ask"
