"""Bad input is one line that says what is allowed; help is light; a worker can be run by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FAULTY, ROOT, Cli

from firstbyte.__main__ import main

SCAN = ("-b", "sound", "-s", "full_scan", "-i", "clock")

BAD: dict[str, tuple[list[str], int, list[str]]] = {
    "command": (["rnu"], 2, ["no command 'rnu'", "allowed: ", "run", "corpus"]),
    "sub-command": (["corpus", "bild"], 2, ["bild"]),
    "option": (["run", "--scenaro", "x"], 2, ["--scenaro", "--scenario"]),
    "backend": (["run", "-b", "pyarow"], 2, ["did you mean 'pyarrow'", "allowed: ", "legacy"]),
    "variant": (["run", "-b", "pyarrow:bufered"], 2, ["did you mean 'buffered'", "dataset"]),
    "scenario": (["run", "-s", "ful_scan"], 2, ["did you mean 'full_scan'", "leak_scan"]),
    "instrument": (["run", "-i", "clok"], 2, ["did you mean 'clock'", "proc_memory"]),
    "corpus": (["run", "-c", "gettxt"], 2, ["did you mean 'gettext'", "llm", "files"]),
    "corpus option": (["run", "-c", "mt:sise=1MB"], 2, ["did you mean 'size'", "shards"]),
    "corpus value": (["run", "-c", "mt:size=big"], 3, ["size=big is not allowed", "50MB"]),
    "parameter": (["run", "-p", "reader=1"], 2, ["did you mean 'readers'", "mode"]),
    "value": (["run", "-p", "readers=3"], 2, ["no value of parameter readers '3'", "1, 2, 4, 8"]),
    "not a pair": (["run", "-p", "readers"], 2, ["--param takes NAME=VALUE, got 'readers'"]),
    "not a pair either": (["cell", "-p", "=3"], 2, ["NAME=VALUE"]),
    "memory limit": (["run", "--memory-limit", "much"], 2, ["'much' is not a size", "GB"]),
    "memory unit": (["run", "--memory-limit", "3QB"], 2, ["'3QB' is not a size", "KiB"]),
    "endless size": (["run", "--memory-limit", "9" * 400], 2, ["is not a size"]),
    "timeout word": (["run", "--timeout", "soon"], 2, ["--timeout", "'soon'"]),
    "timeout zero": (["run", "--timeout", "0"], 2, ["--timeout", "0.1"]),
    "timeout nan": (["run", "--timeout", "nan"], 2, ["--timeout", "nan"]),
    "timeout inf": (["run", "--timeout", "inf"], 2, ["--timeout", "range"]),
    "results is a file": (["run", "--results", "README.md"], 2, ["README.md", "is a file"]),
    "nothing to run": (
        ["run", "-s", "time_to_first_byte", "-i", "heap"],
        2,
        ["nothing to run", "firstbyte list"],
    ),
    "a scenario without a worker": (["run", "-s", "hot_paths"], 2, ["nothing to run"]),
    "no file": (["run", "-c", "files:/no/such/*.parquet"], 3, ["no file matches", "quotes"]),
    "no pattern": (["run", "-c", "files:"], 3, ["needs a pattern"]),
    "not Parquet": (["run", "-c", f"files:{ROOT}/README.md"], 3, ["README.md", "Parquet"]),
    "run to show": (["show", "nope"], 4, ["run 'nope' does not exist", "runs: "]),
    "run to report": (["report", "nope"], 4, ["run 'nope' does not exist"]),
    "runs to compare": (["compare", "nope", "nope"], 4, ["run 'nope' does not exist"]),
    "no run named": (["show"], 2, ["RUN"]),
    "microbench backend": (["microbench", "-b", "nope"], 2, ["no backend 'nope'", "allowed: "]),
    "policy": (["gate", "--base", "HEAD", "--policy", "no.toml"], 2, ["--policy", "no.toml"]),
    "revisions and versions": (
        ["gate", "--base", "HEAD", "--base-env", "pyarrow==26"],
        2,
        ["--base compares revisions", "--base-env", "give one of the two"],
    ),
    "gate's file": (
        ["gate", "--base", "HEAD", "--json", "README.md/x"],
        2,
        ["cannot write README.md/x"],
    ),
    "baseline file": (["baseline", "update", "-o", "README.md/x"], 2, ["cannot write README.md/x"]),
    "corpus to verify": (["corpus", "verify", "mt:size=1MB"], 3, ["was never built", "build"]),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_argument_is_one_line(
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    arguments, code, words = BAD[kind]
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["firstbyte", *arguments])
    with pytest.raises(SystemExit) as ended:  # anything else would be a traceback
        main()
    stdout, stderr = capsys.readouterr()
    assert ended.value.code == code, stderr
    assert stdout == ""
    assert stderr.startswith("firstbyte: ")
    assert stderr.count("\n") == 1, stderr
    for word in words:
        assert word in stderr


def test_a_bad_argument_ends_the_process_so_too(cli: Cli) -> None:
    done = cli("run", "-b", "pyarow")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("firstbyte: no backend 'pyarow'; did you mean 'pyarrow'?")


def test_a_misspelt_variable_ends_the_process_so_too(cli: Cli) -> None:
    done = cli("list", FIRSTBYTE_PLUGIN="somewhere")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "did you mean 'FIRSTBYTE_PLUGINS'?" in done.stderr


IN_RESULTS = (
    ["show", "latest"],
    ["report", "latest"],
    ["compare", "latest", "latest"],
    ["run", "-b", "pyarrow:buffered", "-s", "full_scan", "-c", "mt:size=1MB", "--dry-run"],
    ["selfcheck", "gate", "--resume"],
    ["gate", "--memory-only"],
)


@pytest.mark.parametrize("arguments", IN_RESULTS, ids=lambda words: words[0])
def test_results_that_are_no_folder_are_named_by_every_command(
    own_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    """Most would find no run in it, and one that checks for hours could not keep what it found."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("FIRSTBYTE_RESULTS", str(tmp_path / "file" / "below"))
    monkeypatch.setattr(sys, "argv", ["firstbyte", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    stdout, stderr = capsys.readouterr()
    assert (ended.value.code, stdout, stderr.count("\n")) == (2, "", 1), stderr
    assert (
        f"results are kept in {tmp_path}/file/below, but {tmp_path}/file is not a folder" in stderr
    )
    assert "FIRSTBYTE_RESULTS" in stderr


@pytest.mark.parametrize("command", ["list", "show latest", "run --dry-run", "gate --base HEAD"])
def test_a_folder_that_was_removed_is_one_line(
    cli_environ: dict[str, str], tmp_path: Path, command: str
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = subprocess.run(
        ["sh", "-c", f'rmdir "{gone}" && exec "{sys.executable}" -m firstbyte {command}'],
        env=cli_environ,
        cwd=gone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith("firstbyte: the current folder cannot be used (No such file")


def test_a_file_that_the_system_refuses_is_one_line(cli: Cli, tiny_shards: Path) -> None:
    """Whichever file it is: here the cache, where a command makes a folder to work in."""
    a_file = str(tiny_shards / "0.parquet")
    done = cli("cases", "arrow_38806_slices_pin", XDG_CACHE_HOME=a_file)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"firstbyte: cannot use {a_file}/firstbyte/")
    assert last.endswith(": Not a directory")


@pytest.mark.parametrize("command", [["gate", "--memory-only"], ["baseline", "update"]])
def test_the_policy_is_that_of_the_project_in_any_of_its_folders(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    """One that is passed over where somebody happens to be would gate something else."""
    (tmp_path / "pyproject.toml").write_text("[tool.firstbyte.gate]\nscenario = ['x']\n")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    monkeypatch.setattr(sys, "argv", ["firstbyte", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    stderr = capsys.readouterr().err
    assert (ended.value.code, stderr.count("\n")) == (13, 1), stderr
    assert f"{tmp_path / 'pyproject.toml'}: tool.firstbyte.gate: unknown key 'scenario'" in stderr


def test_a_readme_that_is_no_text_is_named(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"\xff\xfe")
    run = max((ROOT / "results" / "published").glob("*/run.json")).parent
    done = cli("report", str(run), "--readme", str(tmp_path / "README.md"))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert f"{tmp_path / 'README.md'} is no text in UTF-8" in done.stderr


def test_folders_that_cannot_be_made_are_named_before_the_run(
    cli: Cli, tiny_corpus: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    below = str(tmp_path / "file" / "below")
    good = str(tmp_path / "good")
    for folders, code, words in (
        (["--results", below, "--reports", good], 4, "cannot make the run folder"),
        (["--results", good, "--reports", below], 2, "cannot make the reports folder"),
    ):
        done = cli("run", "-c", tiny_corpus, *SCAN, *folders)
        assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
        assert words in done.stderr
        assert "Not a directory" in done.stderr
    assert not list(Path(good).glob("*/run.json")), "nothing was measured"


def test_a_damaged_run_stops_nobody_but_those_who_name_it(
    cli: Cli, tiny_corpus: str, tmp_path: Path
) -> None:
    folders = ["--results", str(tmp_path / "results"), "--reports", str(tmp_path / "reports")]
    cells = ["run", "-c", tiny_corpus, *SCAN, *folders]
    assert cli(*cells).returncode == 0
    (run,) = (tmp_path / "results").iterdir()
    with (run / "records.jsonl").open("a") as file:
        file.write('{"schema": 99}\n')
    (run / "run.json").write_text("{}")
    problem = "records.jsonl, line 2: its schema is 99, this firstbyte reads up to "
    for more in (["--dry-run"], []):
        done = cli(*cells, *more)
        assert (done.returncode, done.stderr.count("firstbyte: ")) == (0, 1), done.stderr
        assert done.stderr.startswith(
            f"firstbyte: warning: a run was passed over: cannot read {run}"
        )
        assert problem in done.stderr
    named = cli("show", run.name, *folders[:2])
    assert (named.returncode, named.stdout, named.stderr.count("\n")) == (4, "", 1), named.stderr
    assert f"cannot read {run / 'run.json'}: schema: expected a whole number" in named.stderr


def test_plug_ins_that_do_not_describe_themselves(cli: Cli, tmp_path: Path) -> None:
    done = cli("list", FIRSTBYTE_PLUGINS="/no/such/folder")
    assert (done.returncode, done.stderr.count("\n")) == (6, 1)
    assert "FIRSTBYTE_PLUGINS names '/no/such/folder', which is not a folder" in done.stderr
    folder = tmp_path / "backends" / "half"
    folder.mkdir(parents=True)
    done = cli("list", FIRSTBYTE_PLUGINS=str(tmp_path / "backends"))
    assert (done.returncode, done.stderr.count("\n")) == (6, 1)
    assert "which holds none of the folders backends, scenarios, instruments" in done.stderr
    (folder / "backend.toml").write_text('name = "half"\n')
    done = cli("list", FIRSTBYTE_PLUGINS=str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (6, 1)
    assert f"{folder / 'backend.toml'}: missing capabilities, format" in done.stderr


NO_COMPILER = {
    "/no/such/cc": "need a C compiler (cc, or CC=...)",
    "false": "false cannot build the native planted faults",
}


@pytest.mark.parametrize("compiler", NO_COMPILER)
def test_a_self_check_without_a_c_compiler_says_so_at_once(
    cli: Cli, tmp_path: Path, compiler: str
) -> None:
    done = cli("selfcheck", "memory", CC=compiler, XDG_CACHE_HOME=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith("firstbyte: no memory self-check here: ")
    assert NO_COMPILER[compiler] in done.stderr
    assert not (tmp_path / "firstbyte" / "corpora").exists(), "nothing was built for it"


def test_a_base_from_before_the_package_had_its_name_is_refused_at_once(
    cli_environ: dict[str, str], tmp_path: Path, tiny_corpus: str
) -> None:
    sound = FAULTY / "backends" / "sound"
    repository = tmp_path / "repository"
    shutil.copytree(sound, repository / "backends" / "sound")
    module = repository / "backends" / "sound" / "backend.py"
    today = module.read_text()
    module.write_text(f"from harness.api import Unsupported\n{today}")
    who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    for words in (("init", "-q"), ("add", "--all"), (*who, "commit", "-q", "-m", "before")):
        subprocess.run(["git", "-C", str(repository), *words], check=True)
    module.write_text(today)
    gate = ["gate", "--base", "HEAD", "--reuse-environment", "-s", "full_scan", "-c", tiny_corpus]
    done = subprocess.run(
        [sys.executable, "-m", "firstbyte", *gate],
        env={name: value for name, value in cli_environ.items() if name != "FIRSTBYTE_PLUGINS"},
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (15, "", 1), done.stderr
    assert "backends/sound/backend.py imports `harness`" in done.stderr


def test_a_plug_in_root_counts_once_however_often_it_is_named(cli: Cli) -> None:
    roots = [*[str(FAULTY)] * 2, str(FAULTY / "backends" / ".."), str(ROOT)]
    done = cli("list", FIRSTBYTE_PLUGINS=os.pathsep.join(roots))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_plug_in_that_ends_the_program_is_named(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    path = tmp_path / "scenarios" / "rude.py"
    path.write_text("raise SystemExit(0)\n")
    done = cli("list", FIRSTBYTE_PLUGINS=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (6, "", 1)
    assert f"{path}: cannot be imported: SystemExit: 0" in done.stderr


def test_damaged_runs_are_named(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "run.json").write_text("{")
    done = cli("show", "latest", "--results", str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert f"cannot read {tmp_path / 'r' / 'run.json'}: no JSON" in done.stderr


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    cli: Cli, tiny_corpus: str, tmp_path: Path
) -> None:
    folders = ["--results", str(tmp_path / "results"), "--reports", str(tmp_path / "reports")]
    chosen = ["-b", "sound", "-b", "<script>alert(1)<script>", "-s", "concurrent_reads"]
    done = cli(
        "run", "-c", tiny_corpus, *chosen, "-p", "readers=1", "--full", "--dry-run", *folders
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    cells = [line for line in lines[:-1] if line.startswith("concurrent_reads/")]
    assert len(cells) == len(lines) - 1 == 8
    assert "sound:default@current" in lines[0]
    assert sum("SKIPPED: " in line and "does not declare" in line for line in lines) == 4
    # The published run, where there is one, says what scenarios take; else nothing is known.
    costs = [line.rsplit("  ", 1)[1] for line in cells if "SKIPPED: " not in line]
    assert len(costs) == 4
    assert all(cost == "never measured here" or cost.startswith("about ") for cost in costs)
    assert lines[-1].startswith("8 cells, about ")
    assert list(tmp_path.iterdir()) == []


def test_a_cell_must_be_one(cli: Cli, tiny_corpus: str) -> None:
    done = cli("cell", "-c", tiny_corpus, "-b", "sound", "-s", "full_scan")
    assert done.returncode == 2
    assert "the options leave 3 cells, expected 1" in done.stderr
    assert "Traceback" not in done.stderr
    skipped = ["-b", "<script>alert(1)<script>", "-s", "concurrent_reads", "-i", "clock"]
    done = cli("cell", "-c", tiny_corpus, *skipped, "-p", "mode=threads", "-p", "readers=1")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "this cell is SKIPPED" in done.stderr


BY_HAND = {
    "a scan": (["-b", "legacy:r1", "-s", "full_scan", "-i", "clock"], "rows_per_s"),
    "memory": (["-b", "pyarrow:buffered", "-s", "full_scan", "-i", "proc_memory"], "vm_hwm_bytes"),
    "a cold start": (
        ["-b", "pure_python", "-s", "time_to_first_byte", "-p", "start=cold", "-p", "cache=warm"],
        "first_byte_ns",
    ),
}


@pytest.mark.parametrize("kind", BY_HAND)
def test_a_worker_runs_by_hand(
    cli: Cli, cli_environ: dict[str, str], tiny_corpus: str, kind: str
) -> None:
    options, figure = BY_HAND[kind]
    order = cli("cell", "-c", tiny_corpus, *options)
    assert (order.returncode, order.stderr) == (0, "")
    done = subprocess.run(
        [sys.executable, "-m", "firstbyte.worker"],
        input=order.stdout,
        env=cli_environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    names = [event["event"] for event in events]
    assert names[0] == "started"
    assert names[-2:] == ["versions", "done"]
    samples = [event for event in events if event["event"] == "sample"]
    assert samples
    assert all(figure in sample["values"] for sample in samples)


@pytest.mark.parametrize("text", ["", "\n", "no json\n", "{}\n", "[1]\n"])
def test_a_worker_without_an_order_says_so(cli_environ: dict[str, str], text: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "firstbyte.worker"],
        input=text,
        env=cli_environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("worker: standard input holds no order: ")
    assert done.stderr.count("\n") == 1


HEAVY = ("pandas", "pyarrow", "matplotlib", "rich", "numpy", "jinja2", "memray", "scipy", "psutil")


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"], ["rnu"]])
def test_help_imports_nothing_heavy(cli_environ: dict[str, str], arguments: list[str]) -> None:
    program = (
        "import sys; from firstbyte.__main__ import main\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print('\\n', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=cli_environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1].strip() == "[]"


def test_a_worker_starts_light(cli_environ: dict[str, str]) -> None:
    """What the harness imports before the backend would be measured with it."""
    program = (
        "import sys, firstbyte.worker.main; print(sorted(m.split('.')[0] for m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=cli_environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(done.stdout.replace("'", '"')))
    with_site = subprocess.run(
        [sys.executable, "-c", "import sys; print(sorted(sys.modules))"],
        env=cli_environ,
        capture_output=True,
        text=True,
        check=True,
    )
    always = {name.split(".")[0] for name in json.loads(with_site.stdout.replace("'", '"'))}
    foreign = loaded - always - set(sys.stdlib_module_names)
    assert foreign == {"firstbyte"}


def test_list_says_what_is_unavailable_and_why(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "backends" / "absent"
    folder.mkdir(parents=True)
    (folder / "backend.py").touch()
    (folder / "backend.toml").write_text(
        'name = "absent"\nlanguage = "C"\nformat = "x"\nsummary = "[bold]s"\nmodule = "backend.py"\n'
        'distribution = "no-such-distribution"\ninstall = "pip install nothing"\n'
        'capabilities = []\n[[variants]]\nname = "only"\ndefault = true\n'
    )
    done = cli("list", FIRSTBYTE_PLUGINS=str(tmp_path), COLUMNS="300")
    assert done.returncode == 0
    assert "[bold]s [UNAVAILABLE: no-such-distribution is not installed: pip install nothing]" in (
        done.stdout
    )
    for name in ("pyarrow", "buffered (best)", "full_scan", "proc_memory", "gettext"):
        assert name in done.stdout


def test_a_reader_that_goes_away_is_no_error(cli_environ: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m firstbyte list | head -1"],
        env=cli_environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
