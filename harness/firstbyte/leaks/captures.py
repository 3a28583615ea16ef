"""Reads memray captures in the parent: unfreed allocations by stack, and a flamegraph of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from firstbyte.errors import HarnessError
from firstbyte.leaks.stacks import LeakingStack, Stack, Unfreed, scaling_stacks
from firstbyte.worker.captures import capture_path

MAX_FRAMES = 40


def unfreed_by_stack(capture: Path) -> dict[Stack, Unfreed]:
    """What each stack of a capture left behind, threads added up.

    Stacks are hybrid where the capture has native frames. Raises HarnessError if it is unreadable.
    """
    import memray

    found: dict[Stack, Unfreed] = {}
    try:
        with memray.FileReader(capture) as reader:
            native = reader.metadata.has_native_traces
            for record in reader.get_leaked_allocation_records(merge_threads=True):
                frames = record.hybrid_stack_trace(MAX_FRAMES) if native else record.stack_trace()
                stack = tuple((name, file, line) for name, file, line in frames)
                before = found.get(stack, Unfreed(0, 0))
                found[stack] = Unfreed(
                    before.allocations + record.n_allocations, before.size_bytes + record.size
                )
    except OSError as error:
        raise HarnessError(f"cannot read the memray capture {capture}: {error}") from error
    return found


def leaking_stacks(folder: Path, scans: int) -> tuple[LeakingStack, ...]:
    """Rule A on the two captures of the leak scenario under memray, of `scans` and of twice as many."""
    once, twice = capture_path(folder, 0), capture_path(folder, 1)
    return scaling_stacks(unfreed_by_stack(once), unfreed_by_stack(twice), scans)


def flamegraph(capture: Path, target: Path) -> Path:
    """Write memray's flamegraph of what was not freed. Raises HarnessError if memray cannot."""
    command = [sys.executable, "-m", "memray", "flamegraph", "--leaks", "--force"]
    done = subprocess.run(
        [*command, "--output", str(target), str(capture)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise HarnessError(f"memray made no flamegraph of {capture}: {done.stderr.strip()}")
    return target
