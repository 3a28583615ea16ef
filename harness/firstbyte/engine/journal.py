"""What a check of hours has done so far, noted on disk as it goes, so that it can be gone on with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firstbyte.engine import fingerprint as environment
from firstbyte.errors import HarnessError
from firstbyte.plugins import checkout


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
            path.write_text(json.dumps(_circumstances()) + "\n", encoding="utf-8")

    def find(self, step: str) -> Mapping[str, Any] | None:
        """What the step gave, if it was made before."""
        return self._done.get(step)

    def note(self, step: str, gave: Mapping[str, Any]) -> None:
        """Write it down at once. `gave` must survive JSON."""
        self._done[step] = gave
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "gave": gave}, ensure_ascii=False) + "\n")

    def _read(self) -> None:
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
            begun: dict[str, Any] = json.loads(lines[0])
            # A last line without its end was being written when the check was stopped.
            steps = [json.loads(line) for line in lines[1:] if line.endswith("}}")]
            done = {str(one["step"]): dict(one["gave"]) for one in steps}
        except FileNotFoundError:
            raise HarnessError(
                f"there is no self-check to resume: {self._path} does not exist; leave out --resume"
            ) from None
        except (ValueError, IndexError, KeyError, TypeError) as error:
            raise HarnessError(
                f"{self._path} is damaged ({error}); leave out --resume to begin anew"
            ) from error
        now = _circumstances()
        if differing := [name for name in now if now[name] != begun.get(name)]:
            raise HarnessError(
                f"the self-check in {self._path} was begun elsewhere ({', '.join(differing)} "
                "differ); leave out --resume to begin anew"
            )
        self._path.write_text(lines[0] + "\n", encoding="utf-8")
        for step, gave in done.items():
            self.note(step, gave)


def _circumstances() -> dict[str, Any]:
    host = environment.host()
    return {
        "host": {name: host[name] for name in environment.COMPARABLE_FIELDS},
        "commit": environment.git(checkout()).get("commit"),
        "versions": environment.versions(),
    }
