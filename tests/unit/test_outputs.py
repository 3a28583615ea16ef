"""Outputs as a kind: found by their files, offered by the commands, and none of them tells a secret."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from render_fixtures import cell, record, run, show
from rich.text import Text

from firstbyte.commands import report
from firstbyte.commands import show as show_command
from firstbyte.commands._outputs import output_options
from firstbyte.engine.registry import discover
from firstbyte.engine.store import RECORDS_FILE, RunFolder
from firstbyte.errors import HarnessError, UnknownNameError
from firstbyte.gate.outputs import OUTPUTS as GATE_OUTPUTS
from firstbyte.model import Record
from firstbyte.render.output import Outputs
from firstbyte.render.outputs import OUTPUTS
from firstbyte.render.request import Request
from firstbyte.render.tables import RunView

HARNESS = Path(report.__file__).parents[1]
SHOWS_FIGURES = ("render", "analysis", "gate/outputs")
SECRET = 1_074_075_119.0
FORMS = ("1074075119", "1074.075", "1.07", "1074")
"""Beginnings of the secret as bytes, kB, MB and GB; no other figure of the run begins so."""


def scan(backend: str, instrument: str, **values: float) -> Record:
    return record(cell("full_scan", backend, "x", instrument), values, spread=0.0)


def sight(backend: str, leaked: float) -> Record:
    values = {"taken_rss_anon_bytes": 8e7, "leaked_heap_bytes": leaked}
    return record(cell("visibility", backend, "x", "heap"), values, spread=0.0)


RECORDS = [
    *(scan(name, "clock", wall_ns=5e9, cpu_ns=4e9, rows_per_s=9.0) for name in "ab"),
    *(scan(name, "proc_memory", peak_rss_anon_bytes=3e7, vm_hwm_bytes=3e7) for name in "ab"),
    scan("a", "heap", peak_heap_bytes=SECRET, total_allocated_bytes=SECRET),
    scan("b", "heap", peak_heap_bytes=2e6, total_allocated_bytes=2e6),
    record(
        cell("leak_scan", "a", "x", "heap"),
        {"leaked_heap_bytes": SECRET},
        series={"leaked_heap_bytes": [SECRET, SECRET]},
        spread=0.0,
    ),
    sight("a", 1e6),
    sight("b", 8e7),
]


def tells(text: str) -> list[str]:
    plain = text.replace(",", "")
    return [form for form in FORMS if form in plain]


@pytest.mark.parametrize("part", ["whole", "full_scan", "leak_scan"])
@pytest.mark.parametrize("chosen", [(), ("peak_heap_bytes", "leaked_heap_bytes")], ids=str)
@pytest.mark.parametrize("name", OUTPUTS.summaries())
def test_no_output_of_a_run_tells_a_figure_that_is_withheld(
    tmp_path: Path, name: str, chosen: tuple[str, ...], part: str
) -> None:
    known = discover()
    shown = show(RECORDS, known=known)
    if part != "whole":
        shown = shown.only(lambda of: of.scenario == part)
    view = RunView(shown, known, frozenset(chosen))
    path = tmp_path / "there" / name
    text = ""
    try:
        OUTPUTS.write(name, Request(view), path)
        text = path.read_text(encoding="utf-8")
    except HarnessError as error:  # a picture of figures that are all withheld cannot be made
        text = str(error)
    assert text.strip()
    # Coordinates of drawings are numbers of any kind; what a drawing says is not in them.
    assert not tells(strip_drawings(text))


def strip_drawings(text: str) -> str:
    return re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)


def test_the_secret_is_told_where_it_is_certified(tmp_path: Path) -> None:
    """Otherwise the test above could not fail."""
    known = discover()
    certified = [*RECORDS[:-2], sight("a", 8e7), sight("b", 8e7)]
    view = RunView(show(certified, known=known), known)
    for name in ("csv", "json", "tables", "html", "scoreboard"):
        OUTPUTS.write(name, Request(view), tmp_path / name)
    chosen = RunView(view.shown, known, frozenset({"peak_heap_bytes"}))
    OUTPUTS.write("tables", Request(chosen), tmp_path / "tables")
    OUTPUTS.write("scoreboard", Request(chosen), tmp_path / "scoreboard")
    for name in ("csv", "json", "tables", "html", "scoreboard"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert tells(strip_drawings(text)), name


def test_commands_offer_every_output(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, run())
    lines = "".join(one.to_json() + "\n" for one in RECORDS)
    (folder.path / RECORDS_FILE).write_text(lines, encoding="utf-8")
    for name in OUTPUTS.summaries():
        words = ["run-1", "--results", str(tmp_path), "--as", name]
        found = CliRunner().invoke(show_command.command, words)
        assert found.exit_code == 0 or isinstance(found.exception, HarnessError), name
        assert not tells(strip_drawings(found.output)), name
    offered = {flag for one in report.command.params for flag in one.opts}
    assert {f"--{name.replace('_', '-')}" for name in OUTPUTS.summaries()} - offered == {"--html"}
    assert {"--output", "-o"} <= offered
    from firstbyte.commands import gate

    offered = {flag for one in gate.command.params for flag in one.opts}
    assert {f"--{name.replace('_', '-')}" for name in GATE_OUTPUTS.summaries()} <= offered


def test_a_file_is_all_that_an_output_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "shouts"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "very_loud.py").write_text(
        '"""All in capitals.\n\nAnd more."""\ndef render(given):\n    return given.upper()\n'
    )
    (package / "_helper.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    outputs: Outputs[str] = Outputs("shouts")
    assert outputs.summaries() == {"very_loud": "All in capitals."}
    assert "shouts.very_loud" not in sys.modules, "listed without being imported"

    @click.command()
    @output_options(outputs)
    def command(files: dict[str, Path]) -> None:
        for name, path in files.items():
            outputs.write(name, "a figure", path)

    assert "Also write: All in capitals." in CliRunner().invoke(command, ["--help"]).output
    target = tmp_path / "new" / "loud.txt"
    assert CliRunner().invoke(command, ["--very-loud", str(target)]).exit_code == 0
    assert target.read_text() == "A FIGURE"
    with pytest.raises(UnknownNameError, match="no output 'very_lod'; did you mean 'very_loud'"):
        outputs.load("very_lod")


def test_an_output_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    known = discover()
    request = Request(RunView(show(RECORDS, known=known), known))
    with pytest.raises(HarnessError, match=r"cannot write .*file/r\.csv: File exists"):
        OUTPUTS.write("csv", request, tmp_path / "file" / "r.csv")


def test_nothing_that_shows_figures_knows_stored_records() -> None:
    """`Record` and the store hold the figures that are withheld; mypy keeps them from these rooms."""
    for room in SHOWS_FIGURES:
        for path in sorted((HARNESS / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module:
                    names = {f"{node.module}.{alias.name}" for alias in node.names}
                    wrong = {"firstbyte.model.Record", "firstbyte.engine.store"} & names
                    assert not wrong, f"{path}: {wrong}"
                    assert node.module != "firstbyte.engine.store", path


def test_what_is_drawn_is_a_text_in_a_file() -> None:
    from firstbyte.render.output import as_text

    assert as_text(Text("red", style="bold red")) == "red\n"
    assert as_text("[red]kept[/red]\r\n") == "[red]kept[/red]\r\n"
