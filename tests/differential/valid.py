"""Sound files: our readers in every mode against the rows that others see."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import crate, peers, pure
from .canonical import Columns, Values, columns
from .faults import Bad, Fault, Refuses, untyped_becomes_bad
from .libraries import WRITERS
from .own_writer import own_file

OWN_SHARE = 0.45


@dataclass
class Report:
    """What became of one file."""

    what: str
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)
    """What may be looked at and is no fault."""


@dataclass(frozen=True)
class Sound:
    """A file, who wrote it, and what went in where that is known."""

    writer: str
    data: bytes
    written: Columns | None
    unheard: tuple[str, ...] = ()
    """Peers that are known to misread what is in it."""


LOWEST_BIT_FIRST = ("pyarrow", "arro3")
"""They read levels in BIT_PACKED so, where the format and those who wrote them begin with the highest."""


class NotWritten(Exception):
    """The library refuses what was drawn for it."""


def sound_file(draw: random.Random) -> Sound:
    """Raises NotWritten."""
    if draw.random() < OWN_SHARE:
        made = own_file(draw)
        unheard = LOWEST_BIT_FIRST if made.bit_packed else ()
        return Sound("own", made.data, made.columns, unheard)
    names = list(WRITERS)
    writer = draw.choices(names, [weight for _, weight in WRITERS.values()])[0]
    try:
        data, table = WRITERS[writer][0](draw)
    except Exception as error:
        raise NotWritten(f"{writer}: {error}") from error
    return Sound(writer, data, None if table is None else columns(table))


def check(seed: int, number: int, path: Path) -> tuple[Report, bytes]:
    """Draw the file of this number, read it by all, and say what they think."""
    draw = random.Random(f"valid {seed}/{number}")
    while True:
        try:
            sound = sound_file(draw)
            break
        except NotWritten:
            continue
    report = Report(sound.writer)
    path.write_bytes(sound.data)
    witnesses = _witnesses(path, sound, report)
    _judge(report, "crate", witnesses, lambda: _crate(path, draw, report), crate.ERRORS)
    _judge(report, "pure_python", witnesses, lambda: _pure(path, draw), pure.ERRORS)
    return report, sound.data


def _witnesses(path: Path, sound: Sound, report: Report) -> dict[str, Columns]:
    witnesses: dict[str, Columns] = {}
    if sound.written is not None:
        witnesses["written"] = sound.written
    for name in peers.PEERS.keys() - {*sound.unheard}:
        try:
            witnesses[name] = peers.read(name, path)
        except peers.Refused:
            report.counts[f"{name} refuses"] += 1
    for name in peers.PEERS:
        if name in witnesses and alone(name, witnesses):
            report.counts[f"{name} differs"] += 1
    return witnesses


def alone(name: str, witnesses: dict[str, Columns]) -> bool:
    """Whether two others agree on other rows."""
    others = {it: found for it, found in witnesses.items() if it != name}
    mine = witnesses[name]
    return any(
        len(supporters) >= 2 and mine.get(column) != value
        for column, verdicts in verdicts_of(others).items()
        for value, supporters in verdicts
    )


def verdicts_of(witnesses: dict[str, Columns]) -> dict[str, list[tuple[Values, list[str]]]]:
    """For each column the different values of it, and who sees them."""
    found: dict[str, list[tuple[Values, list[str]]]] = {}
    for witness, seen in witnesses.items():
        for name, values in seen.items():
            verdicts = found.setdefault(name, [])
            for value, supporters in verdicts:
                if value == values:
                    supporters.append(witness)
                    break
            else:
                verdicts.append((values, [witness]))
    return found


def _judge(
    report: Report, reader: str, witnesses: dict[str, Columns], read: Any, typed: Any
) -> None:
    verdicts = verdicts_of(witnesses)
    names = set().union(*witnesses.values()) if witnesses else set()
    decided = bool(names) and all(
        any(len(supporters) >= 2 for _, supporters in verdicts[name]) for name in names
    )
    try:
        try:
            found = untyped_becomes_bad(read, typed)
        except typed as error:
            report.counts[f"{reader} refuses"] += 1
            readers = [it for it in witnesses if it != "written"]
            if decided and len(readers) >= 2:
                raise Refuses(f"{error} (read by {', '.join(readers)})") from error
            return
        if not decided:
            report.counts[f"{reader} undecided"] += 1
        compare(found, verdicts)
    except Bad as error:
        report.counts[f"{reader} {error.kind}"] += 1
        report.faults.append(Fault(reader, error.kind, f"{report.what}: {error}"))
        return
    report.counts[f"{reader} right" if decided else f"{reader} alone"] += 1


def compare(found: Columns, verdicts: dict[str, list[tuple[Values, list[str]]]]) -> None:
    """Raises WrongRows where a column is none that two witnesses agree on."""
    for name, values in found.items():
        strong = [(it, who) for it, who in verdicts.get(name, ()) if len(who) >= 2]
        if not strong or any(it == values for it, _ in strong):
            continue
        crate.differs({name: values}, {name: strong[0][0]}, f"not as {', '.join(strong[0][1])}")


def _crate(path: Path, draw: random.Random, report: Report) -> Columns:
    dataset = crate.open_file(path)
    whole = crate.scan(dataset)
    modes = crate.Modes(dataset, whole, draw)
    modes.all()
    report.counts["comparisons"] += modes.comparisons
    return whole


def _pure(path: Path, draw: random.Random) -> Columns:
    whole = pure.scan(path)
    pure.modes(path, whole, draw)
    return whole
