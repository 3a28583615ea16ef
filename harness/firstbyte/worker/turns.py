"""Two workers that live side by side and measure one at a time, span by span.

On a shared machine the speed of a processor changes within tens of milliseconds: what two processes
measure one after the other differs by more than what is sought, whatever their programs. Spans that
alternate see the same machine, so that their ratio does not. (Repetitions of the compared programs
interleaved: Abedi and Brecht, "Conducting Repeatable Experiments in Highly Variable Cloud Computing
Environments", ICPE 2017; the programs of a pair alive together: Bulej et al., "Duet Benchmarking",
ICPE 2020, where they run at the same time, which would have them compete for memory bandwidth.)
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Turns:
    """One worker's ends of the two pipes between it and the other."""

    wait_descriptor: int
    """Where the other passes the turn; at its end, where the other has ended."""
    pass_descriptor: int
    first: bool
    """Whether this worker measures the first span of each two."""
    core: int | None
    """The core that both keep to; None where their work has threads, which need them all."""

    @property
    def descriptors(self) -> tuple[int, int]:
        return (self.wait_descriptor, self.pass_descriptor)

    def close(self) -> None:
        """Give up the ends that this process holds: the other worker then measures alone."""
        for descriptor in self.descriptors:
            os.close(descriptor)


def make_turns(core: int | None) -> tuple[Turns, Turns]:
    """Ends for the worker that is first and for the other; whoever launches a worker closes its ends."""
    first_waits, second_passes = os.pipe()
    second_waits, first_passes = os.pipe()
    return (
        Turns(first_waits, first_passes, first=True, core=core),
        Turns(second_waits, second_passes, first=False, core=core),
    )


class TurnTaker:
    """The worker's half: `await_turn` stands before every span.

    The turn is passed on only when the next one is asked for (or by the end of the process), so
    that whatever a worker does between its spans does not fall into a span of the other. The second
    worker begins by passing a turn: it says that both are ready.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._has_turn = not turns.first
        for descriptor in turns.descriptors:
            os.set_inheritable(descriptor, False)
        if turns.core is not None:
            os.sched_setaffinity(0, {turns.core})

    def await_turn(self) -> None:
        """Pass the turn on and wait for the next; at once where the other worker has ended."""
        if self._has_turn:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._turns.pass_descriptor, b".")
        os.read(self._turns.wait_descriptor, 1)
        self._has_turn = True
