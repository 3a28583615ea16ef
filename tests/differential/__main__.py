"""`nox -s differential -- --valid 50000 --damaged 200000 --lshd 50000`: our readers against others."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import sys
import time
from pathlib import Path

from .pool import ROOT, Outcome, Pool
from .table import markdown, put_into

README = ROOT / "backends" / "arrow_rs" / "README.md"
SHOWN = 30
DEFAULTS = {"valid": 1_000, "damaged": 4_000, "lshd": 1_000}


def main() -> int:
    """Exit status 0 without a fault, 1 with one."""
    parser = argparse.ArgumentParser(prog="nox -s differential --", description=__doc__)
    for task, count in DEFAULTS.items():
        parser.add_argument(f"--{task}", type=int, default=count, help=f"files (default {count})")
    parser.add_argument("--seed", type=int, help="of all that is drawn (default: a fresh one)")
    parser.add_argument("--minutes", type=float, help="give out no more files after this time")
    parser.add_argument("--children", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument(
        "--save", type=Path, default=Path("differential"), help="folder for found files"
    )
    parser.add_argument(
        "--notes", action="store_true", help="show what only one of our readers reads"
    )
    parser.add_argument(
        "--write", action="store_true", help="put the table into the crate's README"
    )
    options = parser.parse_args()
    # A run that is ended early has a table of what it did until then.
    ended: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: ended.append(number))
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    end_s = float("inf") if options.minutes is None else time.monotonic() + 60 * options.minutes
    outcomes = []
    for task in DEFAULTS:
        count = getattr(options, task)
        if count < 1:
            continue
        pool = Pool(Outcome(task, seed), options.save, options.children)
        outcome = pool.run(count, lambda: bool(ended) or time.monotonic() > end_s, _tell)
        outcomes.append(outcome)
        _show(outcome, notes=options.notes)
    counts = " ".join(f"--{outcome.task} {outcome.files}" for outcome in outcomes)
    table = markdown(outcomes, f"nox -s differential -- {counts} --seed {seed}")
    print(table)
    if options.write:
        put_into(README, table)
    return 1 if any(outcome.faults for outcome in outcomes) else 0


def _tell(outcome: Outcome) -> None:
    faults = len(outcome.faults)
    print(
        f"{outcome.task}, seed {outcome.seed}: {outcome.files} files, {faults} faults,"
        f" {outcome.elapsed_s:.0f} s",
        file=sys.stderr,
        flush=True,
    )
    for number, fault in outcome.faults[-3:]:
        print(
            f"  file {number}: {fault.reader}: {fault.kind}: {fault.detail:.200}", file=sys.stderr
        )


def _show(outcome: Outcome, *, notes: bool) -> None:
    print(f"{outcome.task}: {outcome.files} files, seed {outcome.seed}, {outcome.elapsed_s:.0f} s")
    for what, count in sorted(outcome.counts.items()):
        print(f"  {count:>9} {what}")
    shown = outcome.faults[:SHOWN] + (outcome.notes if notes else [])
    for number, fault in shown:
        print(f"  file {number}: {fault.reader}: {fault.kind}: {fault.detail}")
    if len(outcome.faults) > SHOWN:
        print(f"  and {len(outcome.faults) - SHOWN} more faults")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
