"""docs/CLI.md has every command with every option, and nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cli_tree import commands, options
from cogapp import Cog

PAGE = Path(__file__).parents[2] / "docs" / "CLI.md"
COMMANDS = dict(commands())
SHARED = "Choosing what to run"
TAKES_SHARED = ("firstbyte run", "firstbyte cell")
OPTION = re.compile(r"`(--?[a-z][a-z-]*)")


def sections(page: str) -> dict[str, str]:
    """Heading -> text of each section of the second level."""
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def undocumented(command: str, page: str) -> set[str]:
    """Options of the command that its section does not name, or the command itself."""
    texts = sections(page)
    if command not in texts:
        return {command}
    text = texts[command] + (texts[SHARED] if command in TAKES_SHARED else "")
    return options(COMMANDS[command]) - set(OPTION.findall(text))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_documented_with_all_its_options(command: str) -> None:
    assert undocumented(command, PAGE.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_not_written_is_noticed(command: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert undocumented(command, page.replace(f"## {command}\n", "## other\n", 1)) == {command}
    for option in options(COMMANDS[command]):
        gone = re.sub(rf"`{option}\b(?!-)", "`", page)
        assert undocumented(command, gone) == {option}


def test_no_option_is_documented_that_does_not_exist() -> None:
    texts = sections(PAGE.read_text(encoding="utf-8"))
    for heading, text in texts.items():
        if heading not in COMMANDS:
            continue
        named = set(OPTION.findall(text)) - {"-h", "--help"}
        others = {"--memory-only"} if heading == "firstbyte baseline update" else set()
        assert named - options(COMMANDS[heading]) - others == set(), heading
    shared = set(OPTION.findall(texts[SHARED]))
    for command in TAKES_SHARED:
        assert shared - {"-p"} <= options(COMMANDS[command])


def test_no_section_is_about_a_command_that_does_not_exist() -> None:
    headings = sections(PAGE.read_text(encoding="utf-8"))
    about = [heading for heading in headings if heading.startswith("firstbyte")]
    assert sorted(about) == sorted(COMMANDS)


def cog(*arguments: str, page: Path = PAGE) -> int:
    """Exit code of cog over the page, whose tables come from docs/cli_options.py."""
    prologue = "import cog; from cli_options import table"
    code: int = Cog().main(["cog", *arguments, "-I", str(PAGE.parent), "-p", prologue, str(page)])
    return code


def test_the_tables_are_those_of_the_commands() -> None:
    assert cog("--check") == 0, "`python3 -m nox -s docs` makes them anew"


def test_a_table_that_is_not_is_noticed_and_made_anew(tmp_path: Path) -> None:
    page = tmp_path / "CLI.md"
    whole = PAGE.read_text(encoding="utf-8")
    page.write_text(whole.replace("| `--dry-run` |", "| `--dry-runs` |"), encoding="utf-8")
    assert cog("--check", page=page) != 0
    assert cog("-r", page=page) == 0
    assert page.read_text(encoding="utf-8") == whole


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_with_options_has_its_table(command: str) -> None:
    text = sections(PAGE.read_text(encoding="utf-8"))[command]
    own = command != "firstbyte cell" and bool(options(COMMANDS[command]))
    assert (f'table("{command}")' in text) == own


def test_links_within_the_page_lead_somewhere() -> None:
    page = PAGE.read_text(encoding="utf-8")
    anchors = {heading.lower().replace(" ", "-") for heading in sections(page)}
    links = set(re.findall(r"\(#([^)]+)\)", page))
    assert links
    assert links <= anchors
