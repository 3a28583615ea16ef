"""What a check of hours has done so far, noted on disk as it goes, so that it can be gone on with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from firstbyte.contracts import ContractError, conform, read_json
from firstbyte.engine import fingerprint as environment
from firstbyte.errors import HarnessError
from firstbyte.plugins import checkout

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The first line: where the check was begun."""

    host: Mapping[str, Any]
    commit: str | None
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """Every other line: a step that ended, and what it gave."""

    step: str
    gave: Mapping[str, Any]


class Journal:
    """A file with a line for each step that ended.

    Its first line says where it was begun; it is gone on with only by the same sources on the same
    host with the same libraries.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        """Begin it, or read it. Raises HarnessError where there is none to resume, or another's."""
        self._path = path
        self._done: dict[str, Mapping[str, Any]] = {}
        if resume:
            self._read()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(asdict(_circumstances())) + "\n", encoding="utf-8")

    def find(self, step: str, shape: type[T]) -> T | None:
        """What the step gave, if it was made before. Raises HarnessError where it is no `shape`."""
        if (gave := self._done.get(step)) is None:
            return None
        try:
            return conform(gave, shape)
        except ContractError as error:
            raise self._damaged(error) from error

    def note(self, step: str, gave: Mapping[str, Any]) -> None:
        """Write it down at once. `gave` must survive JSON."""
        self._done[step] = gave
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(Step(step, gave)), ensure_ascii=False) + "\n")

    def _read(self) -> None:
        try:
            # What follows the last line break was being written when the check was stopped.
            first, *lines = self._path.read_bytes().split(b"\n")[:-1] or [b""]
            begun = conform(read_json(first), Circumstances)
            steps = [conform(read_json(line), Step) for line in lines]
        except FileNotFoundError:
            raise HarnessError(
                f"there is no self-check to resume: {self._path} does not exist; leave out --resume"
            ) from None
        except ContractError as error:
            raise self._damaged(error) from error
        now = _circumstances()
        names = [one.name for one in fields(Circumstances)]
        if differing := [name for name in names if getattr(now, name) != getattr(begun, name)]:
            raise HarnessError(
                f"the self-check in {self._path} was begun elsewhere ({', '.join(differing)} "
                "differ); leave out --resume to begin anew"
            )
        self._path.write_bytes(first + b"\n")
        for one in steps:
            self.note(one.step, one.gave)

    def _damaged(self, error: ContractError) -> HarnessError:
        return HarnessError(f"cannot read {self._path}: {error}; leave out --resume to begin anew")


def _circumstances() -> Circumstances:
    host = environment.host()
    return Circumstances(
        host={name: host[name] for name in environment.COMPARABLE_FIELDS},
        commit=environment.git(checkout()).get("commit"),
        versions=environment.versions(),
    )
