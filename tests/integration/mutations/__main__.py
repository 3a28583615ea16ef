"""`python -m tests.integration.mutations --mutants 100000 --seed 1`: a long run, and a table of its ends."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from .readers import PEAK_LIMIT_BYTES, READERS
from .watch import PATIENCE_S, Tally, run

SHOWN = 20


def table(tally: Tally, elapsed_s: float) -> str:
    """The ends by kind, the extremes, and the faults."""
    total = sum(tally.ends.values())
    lines = [f"{'end':<28}{'mutants':>9}{'share':>9}"]
    lines += [
        f"{kind:<28}{count:>9}{count / total:>9.2%}" for kind, count in tally.ends.most_common()
    ]
    lines += [
        f"{'all':<28}{total:>9}",
        f"processes: {tally.processes}; {elapsed_s:.0f} s",
        f"worst peak: {tally.peak[0]} bytes (mutant {tally.peak[1]}; limit {PEAK_LIMIT_BYTES})",
        f"slowest: {tally.slowest[0] / 1e6:.1f} ms (mutant {tally.slowest[1]})",
        "at the end: " + ", ".join(f"{name} {value}" for name, value in tally.left.items()),
        f"faults: {len(tally.faults)}",
    ]
    for fault in tally.faults[:SHOWN]:
        lines.append(f"  {fault.kind}: mutant {fault.number} ({fault.what}) -> {fault.saved}")
        lines.append(f"    {fault.detail}")
    if len(tally.faults) > SHOWN:
        lines.append(f"  and {len(tally.faults) - SHOWN} more")
    return "\n".join(lines)


def main() -> int:
    """Exit status 0 without a fault, 1 with one."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.integration.mutations", description=__doc__
    )
    parser.add_argument("--mutants", type=int, default=3000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="number of the first: repeats one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reader", choices=READERS, default="firstbyte")
    parser.add_argument("--save", type=Path, default=Path("mutants"), help="folder for found files")
    parser.add_argument("--patience", type=float, default=PATIENCE_S, help="seconds per mutant")
    parser.add_argument("--only", default="", help="base files with this in their name")
    options = parser.parse_args()
    start = time.monotonic()
    try:
        tally = run(
            options.reader,
            options.seed,
            options.first,
            options.mutants,
            options.save,
            options.patience,
            options.only,
        )
    except LookupError as error:
        parser.error(str(error))
    print(table(tally, time.monotonic() - start))
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
