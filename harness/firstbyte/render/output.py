"""Outputs: a file in a package of outputs is one, and nothing else has to know of it.

`firstbyte.render.outputs` shows a run, `firstbyte.gate.outputs` a gate. The file's name is the name of
the output, and commands make an option of it; the first line of its docstring says what it is.
"""

from __future__ import annotations

import ast
import importlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast

from firstbyte.errors import HarnessError, UnknownNameError

if TYPE_CHECKING:
    from rich.console import RenderableType

Given = TypeVar("Given")
GivenAny = TypeVar("GivenAny", contravariant=True)

TEXT_WIDTH = 160
"""Columns of what is drawn for a terminal and written to a file."""


class Output(Protocol[GivenAny]):
    """The module of an output's file."""

    def render(self, given: GivenAny) -> RenderableType:
        """The whole output: a text, or what rich draws. Raises HarnessError where there is nothing."""
        ...


@dataclass(frozen=True)
class Outputs(Generic[Given]):
    """The outputs in the files of one package; `Given` is what they are made from."""

    package: str

    def summaries(self) -> dict[str, str]:
        """Name -> what it is, of every output; none is imported."""
        (folder,) = importlib.import_module(self.package).__path__
        docs = {
            path.stem: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            for path in sorted(Path(folder).glob("[!_]*.py"))
        }
        return {name: doc.partition("\n")[0] for name, doc in docs.items()}

    def load(self, name: str) -> Output[Given]:
        """The output of that name. Raises UnknownNameError."""
        known = self.summaries()
        if name not in known:
            raise UnknownNameError("output", name, known)
        return cast(Output[Given], importlib.import_module(f"{self.package}.{name}"))

    def write(self, name: str, given: Given, path: Path) -> None:
        """Write the output to the file, making its folder. Raises HarnessError where that fails."""
        text = as_text(self.load(name).render(given))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise HarnessError(f"cannot write {path}: {error.strerror}") from error


def as_text(rendered: RenderableType) -> str:
    """The output without colours, as it goes into a file."""
    from rich.console import Console

    if isinstance(rendered, str):
        return rendered
    console = Console(file=io.StringIO(), width=TEXT_WIDTH, color_system=None)
    console.print(rendered)
    return cast(io.StringIO, console.file).getvalue()
