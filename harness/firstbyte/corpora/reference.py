"""What the rows of a shard are, when no single reader is to be believed.

Every reader that decodes Parquet by code of its own is a witness. The file itself states how many rows it
has; a number of rows is agreed where two sources give it, the footer being one of them. The content of a
column is agreed where at least two witnesses that deliver so many rows give the same digest, and no
other digest has as many. What is not agreed is not judged: nobody is wrong against one witness's word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Said = TypeVar("Said", int, str)

WRITER = "what was written"
"""The witness of a corpus that was built here: digests of the rows that went into the files."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one witness delivers of a shard."""

    decoder: str
    """The code that decodes: readers that share it are one witness."""
    rows: int
    digests: Mapping[str, str]
    """Column name -> content digest; nothing where it delivered no batch at all."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A witness that could not read the corpus, and why."""

    decoder: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reference:
    """What readers of a shard are judged by."""

    rows: int | None
    """None where no two sources agree."""
    digests: Mapping[str, str | None]
    """Column name -> agreed digest, in the order of the names; None where there is none."""
    doubts: tuple[str, ...]
    """One line for each disagreement, who said what; also where the majority is clear."""

    @property
    def settled(self) -> bool:
        """Whether everything can be judged."""
        return self.rows is not None and None not in self.digests.values()


Witness = Callable[[Sequence[Path]], "Sequence[Reading] | Refusal"]
"""Reads all shards and gives one reading a shard, in order."""


def agree(columns: Sequence[str], footer_rows: int, readings: Iterable[Reading]) -> Reference:
    """The reference that these readings and the footer's count of rows give."""
    heard = tuple(readings)
    doubts: list[str] = []
    rows = _agreed_rows(footer_rows, heard, doubts)
    digests: dict[str, str | None] = dict.fromkeys(columns)
    able = [one for one in heard if one.rows == rows]
    for name in columns:
        if not rows:
            # Rows that do not exist have no content to differ in.
            digests[name] = next((one.digests[name] for one in able if name in one.digests), None)
            continue
        said = {one.decoder: one.digests.get(name, "no such column") for one in able}
        digests[name] = _majority(said)
        if len(set(said.values())) > 1:
            doubts.append(f"column '{name}': {_who_said_what(said)}")
    return Reference(rows, digests, tuple(doubts))


def reference_of(written: Reading, footer_rows: int, read: Reading) -> Reference:
    """The reference of a shard that was written here: the rows that went into it, whoever reads others."""
    doubts = agree(tuple(written.digests), footer_rows, (written, read)).doubts
    return Reference(written.rows, written.digests, doubts)


def hear(
    shards: Sequence[Path],
    columns: Sequence[str],
    footer_rows: Sequence[int],
    first: Sequence[Reading],
    witnesses: Iterable[Witness],
) -> tuple[list[Reference], list[Refusal], list[str]]:
    """The references of all shards, after as many witnesses as it takes to settle them.

    `first` is the reading that is there already, one a shard. Returns the references, who refused, and
    the decoders that were heard.
    """
    heard: list[list[Reading]] = [[one] for one in first]
    decoders = list(dict.fromkeys(one.decoder for one in first))
    refusals: list[Refusal] = []
    for witness in witnesses:
        if all(one.settled for one in _references(columns, footer_rows, heard)):
            break
        said = witness(shards)
        if isinstance(said, Refusal):
            refusals.append(said)
            continue
        decoders += [name for name in {one.decoder for one in said} if name not in decoders]
        for own, one in zip(heard, said, strict=True):
            own.append(one)
    return list(_references(columns, footer_rows, heard)), refusals, decoders


def _references(
    columns: Sequence[str], footer_rows: Sequence[int], heard: Sequence[Sequence[Reading]]
) -> Iterator[Reference]:
    for rows, readings in zip(footer_rows, heard, strict=True):
        yield agree(columns, rows, readings)


def _agreed_rows(footer_rows: int, heard: Sequence[Reading], doubts: list[str]) -> int | None:
    said = {"the footer": footer_rows} | {one.decoder: one.rows for one in heard}
    if len(set(said.values())) > 1:
        doubts.append(f"rows: {_who_said_what(said)}")
    return _majority(said)


def _majority(said: Mapping[str, Said]) -> Said | None:
    """What at least two say, and more than say anything else."""
    ranked = Counter(said.values()).most_common(2)
    if not ranked or ranked[0][1] < 2 or (len(ranked) > 1 and ranked[1][1] == ranked[0][1]):
        return None
    return ranked[0][0]


def _who_said_what(said: Mapping[str, object]) -> str:
    groups: dict[object, list[str]] = {}
    for who, what in said.items():
        groups.setdefault(what, []).append(who)
    return "; ".join(f"{what} by {', '.join(who)}" for what, who in groups.items())
