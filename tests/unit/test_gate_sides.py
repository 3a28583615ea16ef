"""Sources from git: what is exported, what is left alone, what is refused, in real repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from firstbyte.errors import HarnessError
from firstbyte.gate import needs, sides, sources
from firstbyte.gate.budget import parse_seconds
from firstbyte.gate.sources import WORKING_TREE, SideError


def git(repo: Path, *words: str) -> str:
    command = [
        "git",
        "-C",
        str(repo),
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.com",
        *words,
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / ".gitignore").write_text("ignored\n")
    (folder / "file.txt").write_text("one\n")
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "x"\ndependencies = ["a>=1"]\n'
        '[project.optional-dependencies]\ntiny = ["b"]\nother = ["c"]\nall = ["x[tiny,other]"]\n'
    )
    describe(folder, "tiny")
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def describe(repo: Path, name: str, *, native: bool = False) -> None:
    folder = repo / "backends" / name
    folder.mkdir(parents=True)
    (folder / "backend.py").write_text("")
    (folder / "backend.toml").write_text(
        f'name = "{name}"\nlanguage = "Python"\nformat = "none"\nsummary = ""\n'
        'module = "backend.py"\ncapabilities = []\n[[variants]]\nname = "v"\ndefault = true\n'
    )
    if native:
        (folder / "pyproject.toml").write_text("")


def test_a_revision_is_exported_once_and_named_by_its_content(repo: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    source = sources.export(repo, "main", cache)
    assert (source.folder / "file.txt").read_text() == "one\n"
    assert source.label.startswith("main (")
    before = (source.folder / "file.txt").stat().st_mtime_ns
    again = sources.export(repo, "HEAD", cache)
    assert again.folder == source.folder
    assert (again.folder / "file.txt").stat().st_mtime_ns == before


def test_the_working_tree_is_taken_as_it_is_and_stays_as_it_is(repo: Path, tmp_path: Path) -> None:
    (repo / "file.txt").write_text("two\n")
    (repo / "new.txt").write_text("new\n")
    (repo / "ignored").write_text("ignored\n")
    status = git(repo, "status", "--porcelain")
    source = sources.export(repo, WORKING_TREE, tmp_path / "cache")
    assert (source.folder / "file.txt").read_text() == "two\n"
    assert (source.folder / "new.txt").exists()
    assert not (source.folder / "ignored").exists()
    assert git(repo, "status", "--porcelain") == status
    assert git(repo, "worktree", "list").count("\n") == 1, "nothing stays registered"
    git(repo, "checkout", "-q", "--", "file.txt")
    (repo / "new.txt").unlink()
    clean = sources.export(repo, WORKING_TREE, tmp_path / "cache")
    assert clean.tree == sources.export(repo, "HEAD", tmp_path / "cache").tree


def test_links_that_lead_out_are_exported_as_they_are(repo: Path, tmp_path: Path) -> None:
    """A virtual environment in the checkout is full of them."""
    (repo / "venv").mkdir()
    (repo / "venv" / "python").symlink_to("/usr/bin/env")
    source = sources.export(repo, WORKING_TREE, tmp_path / "cache")
    assert (source.folder / "venv" / "python").readlink() == Path("/usr/bin/env")


def test_a_half_exported_source_is_made_again(repo: Path, tmp_path: Path) -> None:
    source = sources.export(repo, "main", tmp_path / "cache")
    (source.folder / ".complete").unlink()
    (source.folder / "file.txt").unlink()
    assert (sources.export(repo, "main", tmp_path / "cache").folder / "file.txt").exists()


def test_unknown_revisions_and_no_repository_are_one_clear_line(repo: Path, tmp_path: Path) -> None:
    with pytest.raises(SideError, match=r"no revision 'nope' .*shallow clone") as caught:
        sources.export(repo, "nope", tmp_path / "cache")
    assert "\n" not in str(caught.value)
    with pytest.raises(SideError, match="no revision '--exec=x'"):
        sources.export(repo, "--exec=x", tmp_path / "cache")
    (tmp_path / "bare").mkdir()
    with pytest.raises(SideError, match=r"bare is in no git checkout.*rev-parse"):
        sources.repository(tmp_path / "bare")


def test_an_interpreter_is_shared_only_where_nothing_but_python_differs(
    repo: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    base = sources.export(repo, "main", cache)
    (repo / "backends" / "tiny" / "backend.py").write_text("x = 1\n")
    needs.require_same_environment(base, sources.export(repo, WORKING_TREE, cache), ["tiny"])
    text = (repo / "pyproject.toml").read_text()
    (repo / "pyproject.toml").write_text(text.replace('tiny = ["b"]', 'tiny = ["b>2"]'))
    changed = sources.export(repo, WORKING_TREE, cache)
    with pytest.raises(SideError, match="differ in dependencies"):
        needs.require_same_environment(base, changed, ["tiny"])
    needs.require_same_environment(base, changed, ["other"])
    (repo / "pyproject.toml").write_text(text)
    describe(repo, "rusty", native=True)
    native = sources.export(repo, WORKING_TREE, cache)
    with pytest.raises(SideError, match="differ in native code"):
        needs.require_same_environment(base, native, ["rusty"])


def test_a_side_describes_its_own_backends_before_the_plug_ins(repo: Path, tmp_path: Path) -> None:
    source = sources.export(repo, "main", tmp_path / "cache")
    plugin = tmp_path / "plugin"
    describe(plugin, "tiny")
    describe(plugin, "guest")
    side = sides.make_side(
        "head",
        source,
        ["tiny"],
        installer=sides.this_interpreter,
        ruler=tmp_path / "ruler",
        plugins=[plugin],
    )
    assert side.backends["tiny"].folder.is_relative_to(source.folder)
    assert side.backends["guest"].folder.is_relative_to(plugin)
    assert side.environment.root == str(tmp_path / "ruler")
    assert "pyarrow" in side.versions
    with pytest.raises(SideError, match="cannot install"):
        sides.this_interpreter(source, [], ["a==1"])


def test_the_ruler_holds_the_harness_and_no_backend(tmp_path: Path) -> None:
    ruler = sides.make_ruler(tmp_path / "gate")
    assert [path.name for path in ruler.iterdir()] == ["firstbyte"]
    assert [path.name for path in (ruler / "firstbyte" / "backends").iterdir()] == ["__init__.py"]
    assert (ruler / "firstbyte" / "scenarios" / "full_scan.py").is_file()


def test_the_ruler_of_an_installed_package_holds_no_backend_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sides would be measured with it, whatever they have themselves: equal, and wrong."""
    package = tmp_path / "site-packages" / "firstbyte"
    for kind in ("backends", "scenarios"):
        (package / kind).mkdir(parents=True)
        (package / kind / "__init__.py").touch()
    (package / "backends" / "own").mkdir()
    (package / "backends" / "own" / "backend.py").touch()
    (package / "scenarios" / "scan.py").touch()
    monkeypatch.setattr(sides, "PACKAGE", package)
    monkeypatch.setattr(sides, "own_root", lambda: package)
    ruler = sides.make_ruler(tmp_path / "gate")
    assert [path.name for path in (ruler / "firstbyte" / "backends").iterdir()] == ["__init__.py"]
    assert (ruler / "firstbyte" / "scenarios" / "scan.py").is_file()


@pytest.mark.parametrize(
    "line", ["from harness.api import Unsupported", "  import harness", "from harness import api"]
)
def test_backends_from_before_the_package_had_its_name_are_refused(
    repo: Path, tmp_path: Path, line: str
) -> None:
    (repo / "backends" / "tiny" / "deeper").mkdir()
    (repo / "backends" / "tiny" / "deeper" / "more.py").write_text(f'"""Old."""\n{line}\n')
    source = sources.export(repo, WORKING_TREE, tmp_path / "cache")
    needs.require_current_imports(source, ["other"])
    with pytest.raises(SideError, match=r"tiny/deeper/more\.py imports `harness`") as caught:
        needs.require_current_imports(source, ["tiny"])
    assert "\n" not in str(caught.value)


def test_backends_that_only_speak_of_a_harness_are_not(repo: Path, tmp_path: Path) -> None:
    (repo / "backends" / "tiny" / "backend.py").write_text(
        "import harnessed  # not: import harness\n"
    )
    needs.require_current_imports(sources.export(repo, WORKING_TREE, tmp_path / "cache"), ["tiny"])


def test_locked_versions_hold_but_for_what_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text("# locked\nPyArrow==26.0.1\nnumpy==2.4.6  # why\n\n")
    assert needs._constraints(tmp_path, []) == ["PyArrow==26.0.1", "numpy==2.4.6"]
    assert needs._constraints(tmp_path, ["pyarrow[x] >= 25"]) == ["numpy==2.4.6"]
    assert needs._constraints(tmp_path / "none", []) == []


@pytest.mark.parametrize(
    ("text", "seconds"), [("10m", 600), ("90s", 90), ("1h30m", 5400), ("45", 45), ("0.5m", 30)]
)
def test_budgets(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-1m", "ten", "5x", "m"])
def test_bad_budgets(text: str) -> None:
    with pytest.raises(HarnessError, match="not a span of time"):
        parse_seconds(text)
