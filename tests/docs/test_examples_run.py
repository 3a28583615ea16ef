"""Every command that README and the documents show parses, and every nox session they name exists."""

from __future__ import annotations

import ast
import re
import shlex

import click
import pytest
from cli_tree import commands
from conftest import ROOT, Cli

from firstbyte.__main__ import cli as verbs

PAGES = ("README.md", "CONTRIBUTING.md", "METHODOLOGY.md", "docs/CLI.md")
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMANDS = dict(commands())
CHEAP = ("firstbyte list", "firstbyte doctor", "firstbyte corpus list")


def shown(page: str) -> list[str]:
    """The lines of the page's `sh` blocks."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [line for block in BLOCK.findall(text) for line in block.splitlines() if line.strip()]


EXAMPLES = [(page, line) for page in PAGES for line in shown(page)]


def parts(line: str) -> list[list[str]]:
    """The simple commands of a line: what stands between `&&` and `|`, without redirections."""
    words = shlex.split(re.sub(r"\s>\s*\S+", "", line), comments=True)
    found: list[list[str]] = [[]]
    for word in words:
        if word in ("&&", "|"):
            found.append([])
        else:
            found[-1].append(word)
    return found


def sessions() -> set[str]:
    """Names of the functions that noxfile.py decorates with `nox.session`."""
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any("nox.session" in ast.unparse(mark) for mark in node.decorator_list)
    }


def parse(words: list[str]) -> None:
    """Have click parse a `firstbyte` command line, without running it. Raises click.ClickException."""
    command: click.Command = verbs
    context = click.Context(command)
    rest = words
    while isinstance(command, click.Group):
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command = found
        context = click.Context(command)
    command.make_context(words[0], list(rest))


def check(line: str) -> None:
    """Raises AssertionError or click.ClickException for a line that would not work."""
    for words in parts(line):
        if words[:3] == ["python3", "-m", "pip"]:
            assert words[3] == "install"
        elif words[:3] == ["python3", "-m", "nox"]:
            check_nox(words[3:])
        elif words[0] == "firstbyte":
            parse(words[1:])
        else:
            assert words[:3] == ["python", "-m", "firstbyte.worker"], f"what is {words}?"


def check_nox(words: list[str]) -> None:
    arguments, dashes, rest = words, False, []
    if "--" in words:
        at = words.index("--")
        arguments, dashes, rest = words[:at], True, words[at + 1 :]
    if arguments == ["-l"]:
        return
    assert arguments[0] == "-s"
    assert set(arguments[1:]) <= sessions()
    if dashes:
        takes = {"bench": "run", "microbench": "microbench", "report": "report"}
        parse([takes.get(arguments[1], arguments[1]), *rest])


@pytest.mark.parametrize(("page", "line"), EXAMPLES, ids=lambda value: str(value)[:60])
def test_an_example_parses(page: str, line: str) -> None:
    check(line)


def test_every_page_was_read() -> None:
    assert {page for page, _ in EXAMPLES} >= {"README.md", "docs/CLI.md"}
    assert sessions() >= {"bench", "tests", "lint", "types", "rust", "microbench", "report"}


@pytest.mark.parametrize(
    "line",
    [
        "python3 -m nox -s nonsense",
        "python3 -m nox -s bench -- --no-such-option",
        "firstbyte nonsense",
        "firstbyte run --scenaro full_scan",
        "firstbyte corpus bild mt",
        "firstbyte show",
        "curl example.org | sh",
    ],
)
def test_an_example_that_does_not_work_is_noticed(line: str) -> None:
    with pytest.raises((AssertionError, click.ClickException)):
        check(line)


def test_cheap_examples_run(cli: Cli) -> None:
    for command in CHEAP:
        assert command in COMMANDS
        done = cli(*command.split()[1:])
        assert (done.returncode, done.stderr) == (0, ""), command
        assert done.stdout


def test_links_lead_to_files() -> None:
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
            if "://" not in target:
                assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"
