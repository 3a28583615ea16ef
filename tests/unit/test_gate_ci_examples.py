"""The CI examples and the policy example say only what the gate understands."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from firstbyte.commands.gate import command
from firstbyte.gate.policy import PolicyError, read_policy
from firstbyte.gate.result import EXIT_CODES

DOCS = Path(__file__).resolve().parents[2] / "docs" / "ci"
OPTIONS = {name for parameter in command.params for name in parameter.opts}


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_every_option_of_an_example_exists(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    gate_lines = text[text.index("nox -s gate") :]
    used = set(re.findall(r"(?<=\s)--(?!edit-last|body-file)[a-z-]+", gate_lines))
    assert {"--base", "--budget", "--memory-only"} <= used
    assert used <= OPTIONS


def test_the_policy_example_is_a_policy(tmp_path: Path) -> None:
    text = (DOCS / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    path = tmp_path / "pyproject.toml"
    path.write_text(example)
    policy = read_policy(path, date(2026, 1, 1))
    assert policy.waivers[0].backend == "polars:*"
    path.write_text(example.replace("tolerance =", "tolerence ="))
    with pytest.raises(PolicyError):
        read_policy(path, date(2026, 1, 1))


def test_the_exit_codes_in_the_table_are_the_real_ones() -> None:
    text = (DOCS / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"\| (\d+) \| ([A-Z]+) \|", text))
    assert {int(code): word for code, word in listed.items()} == {
        code: outcome.value for outcome, code in EXIT_CODES.items()
    }
