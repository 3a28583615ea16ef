"""The project's sessions. `nox -s bench` is the main one; `nox -l` lists them all.

All but `minimums` share one virtual environment, `.nox/firstbyte`, that each session fills as far as it
needs, by uv where that is installed and by pip where it is not. What is installed already, from the same
files, is left as it is, so that a second run starts at once; versions are locked by constraints.txt.
Every folder of backends/ whose pyproject.toml has maturin build it is a crate: found, built and checked like
the others. Where there is no Rust toolchain, crates are left out and that is said.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["bench"]

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
CONSTRAINTS = ROOT / "constraints.txt"
NO_RUST = (
    "no Rust toolchain: {} is left out; install one with your system's `rustup` or `cargo` "
    "package to measure it"
)
NO_LLVM_COV = (
    "no cargo-llvm-cov, or no llvm-tools for it: the coverage of {} is left out; `rustup component add "
    "llvm-tools` and `cargo install --locked cargo-llvm-cov` bring them"
)
NO_UV = "no uv, which finds the lowest versions: `python3 -m pip install uv` to run this session"
CONSTRAINED = ("-c", str(CONSTRAINTS))
UV = shutil.which("uv")
COVERED_BY = ("tests/unit", "tests/docs")
"""Tests that measure nothing: what traces lines changes what a worker takes."""
IMPROVED = 12
"""Exit code of a gate that found something better: no failure."""


class Environment:
    """A virtual environment in `.nox`, and what is installed in it."""

    def __init__(self, session: nox.Session, name: str) -> None:
        self._session = session
        self._folder = ROOT / ".nox" / name
        self._bin = self._folder / ("Scripts" if os.name == "nt" else "bin")
        if not (self._bin / "python").exists():
            self._make()
        session.env["VIRTUAL_ENV"] = str(self._folder)
        session.env["PATH"] = os.pathsep.join([str(self._bin), os.environ["PATH"]])

    def _make(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        # With pip in either case: the harness fetches wheels with it.
        maker = [UV, "venv", "--quiet", "--seed", "--python"] if UV else ["-m", "venv"]
        python = [sys.executable]
        command = [*maker, *python] if UV else [*python, *maker]
        self._session.run(*command, str(self._folder), external=True)

    def install(self, *what: str, of: Iterable[Path]) -> None:
        """Install these, unless they were installed from the same content of the files `of`."""
        python = str(self._bin / "python")
        digest = hashlib.sha256()
        for path in sorted(of):
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
        stamp = self._folder / "installed" / hashlib.sha256("\0".join(what).encode()).hexdigest()
        if stamp.exists() and stamp.read_text() == digest.hexdigest():
            return
        stamp.unlink(missing_ok=True)
        uv = shutil.which("uv")
        # As pip does: an import that finds no bytecode compiles its sources in every worker.
        installer = (
            [uv, "pip", "install", "--compile-bytecode", "--python", python]
            if uv
            else [python, "-m", "pip", "install"]
        )
        self._session.run(*installer, "--quiet", *what, external=True)
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(digest.hexdigest())

    def run(self, program: str, *arguments: str, success_codes: Sequence[int] = (0,)) -> None:
        """Run a program of the environment."""
        self._session.run(
            str(self._bin / program), *arguments, success_codes=success_codes, external=True
        )


def has_rust() -> bool:
    return shutil.which("cargo") is not None


def has_llvm_cov() -> bool:
    """Whether cargo-llvm-cov is there, and the tools of the toolchain's LLVM that it calls."""
    if shutil.which("cargo-llvm-cov") is None:
        return False
    return "LLVM_COV" in os.environ or (rust_libraries().parent / "bin" / "llvm-cov").exists()


def rust_libraries() -> Path:
    """Where the toolchain keeps the libraries of this host; its tools lie beside them."""
    command = ("rustc", "--print", "target-libdir")
    return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


@dataclass(frozen=True)
class Crate:
    """A backend that maturin builds: a distribution of its own, and a workspace for cargo."""

    folder: Path
    distribution: str

    @property
    def files(self) -> list[Path]:
        """What it is built from."""
        built = ("*.rs", "*.toml", "Cargo.lock", "*.py", "*.pyi")
        found = [path for pattern in built for path in self.folder.rglob(pattern)]
        return [path for path in found if "target" not in path.relative_to(self.folder).parts]

    @property
    def least_lines_percent(self) -> float:
        """How much of its lines its tests must reach, as its Cargo.toml says; 0 where that says nothing."""
        manifest = nox.project.load_toml(self.folder / "Cargo.toml")
        of_all = manifest.get("workspace", manifest.get("package", {})).get("metadata", {})
        return float(of_all.get("coverage", {}).get("least_lines_percent", 0))

    def install(self, environment: Environment, *constrained: str) -> None:
        """Build it as a release, into the environment."""
        # uv, unlike pip, would keep the build that it has of the same version.
        rebuilt = ("--reinstall-package", self.distribution) if UV else ()
        environment.install(*rebuilt, *constrained, str(self.folder), of=self.files)


def crates() -> list[Crate]:
    """Those of backends/, by name."""
    found = []
    for path in sorted(ROOT.glob("backends/*/pyproject.toml")):
        pyproject = nox.project.load_toml(path)
        if pyproject["build-system"]["build-backend"] == "maturin":
            found.append(Crate(path.parent, pyproject["project"]["name"]))
    return found


def names(of: Iterable[Crate]) -> str:
    return ", ".join(crate.folder.name for crate in of)


def prepared(session: nox.Session, *groups: str, backends: bool = True) -> Environment:
    """The environment with these groups of tools, and with the harness and every backend: editable, the
    crate as a release build.
    """
    environment = Environment(session, "firstbyte")
    tools = [tool for group in groups for tool in nox.project.dependency_groups(PYPROJECT, group)]
    declared = (ROOT / "pyproject.toml", CONSTRAINTS)
    if backends:
        environment.install(*CONSTRAINED, "-e", f"{ROOT}[all]", of=declared)
        install_crates(session, environment, *CONSTRAINED)
    if tools:
        environment.install(*CONSTRAINED, *tools, of=declared)
    return environment


def install_crates(session: nox.Session, environment: Environment, *constrained: str) -> None:
    """All crates, or one line that says why not."""
    found = crates()
    if found and not has_rust():
        session.warn(NO_RUST.format(names(found)))
        return
    for crate in found:
        crate.install(environment, *constrained)


@nox.session
def bench(session: nox.Session) -> None:
    """Build everything, run every backend through every scenario, print the table, write the report."""
    prepared(session).run("firstbyte", "run", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """All Python tests, beside each other but for those that measure; arguments go to one pytest."""
    environment = prepared(session, "test")
    if session.posargs:
        environment.run("pytest", *session.posargs)
        return
    environment.run("pytest", "-n", "auto", "--dist", "loadgroup", "-m", "not alone")
    environment.run("pytest", "-m", "alone")


@nox.session
def coverage(session: nox.Session) -> None:
    """Lines and branches that unit tests and their processes reach, and lines of crates: not to fall."""
    environment = prepared(session, "test", "coverage")
    environment.run("coverage", "erase")
    environment.run("coverage", "run", "-m", "pytest", *(session.posargs or COVERED_BY))
    environment.run("coverage", "combine", "--quiet")
    environment.run("coverage", "report")
    found = crates()
    if found and not has_llvm_cov():
        session.warn(NO_LLVM_COV.format(names(found)))
        return
    for crate in found:
        least = ("--fail-under-lines", f"{crate.least_lines_percent:g}")
        with session.chdir(crate.folder):
            session.run("cargo", "llvm-cov", "--locked", *least, external=True)


@nox.session
def minimums(session: nox.Session) -> None:
    """Unit tests and every backend end to end with the lowest versions that pyproject.toml allows."""
    if not UV:
        session.skip(NO_UV)
    environment = Environment(session, "minimums")
    declared = (ROOT / "pyproject.toml",)
    environment.install("--resolution", "lowest-direct", "-e", f"{ROOT}[all]", of=declared)
    install_crates(session, environment)
    environment.install(*nox.project.dependency_groups(PYPROJECT, "test"), of=declared)
    everywhere = ("tests/unit", "tests/integration/test_workers_every_backend.py")
    environment.run("pytest", "-n", "auto", *(session.posargs or everywhere))


@nox.session
def lint(session: nox.Session) -> None:
    """ruff: format and rules."""
    environment = prepared(session, "lint", backends=False)
    environment.run("ruff", "format", "--check", ".")
    environment.run("ruff", "check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict on harness, backends and scenarios."""
    prepared(session, "types").run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Make the generated parts of docs/CLI.md anew."""
    prologue = "import cog; from cli_options import table"
    environment = prepared(session, "test")
    environment.run("cog", "-r", "-I", "docs", "-p", prologue, "docs/CLI.md")


@nox.session
def rust(session: nox.Session) -> None:
    """rustfmt, clippy and the tests of every crate."""
    if not has_rust():
        session.error("no Rust toolchain: install `cargo` to run this session")
    targets = ("--workspace", "--all-targets", "--all-features")
    runner = ("nextest", "run") if shutil.which("cargo-nextest") else ("test",)
    for crate in crates():
        with session.chdir(crate.folder):
            session.run("cargo", "fmt", "--all", "--check", external=True)
            clippy = ("clippy", *targets, "--locked", "--", "-D", "warnings")
            session.run("cargo", *clippy, external=True)
            # Of the members that its workspace calls its default.
            session.run("cargo", *runner, "--locked", external=True)


@nox.session
def audit(session: nox.Session) -> None:
    """Known vulnerabilities of what constraints.txt locks, and of the crates' dependencies."""
    environment = prepared(session, "audit", backends=False)
    found = Path(session.create_tmp()) / "audit.json"
    found.unlink(missing_ok=True)
    json_to = ("--progress-spinner", "off", "--format", "json", "--output", str(found))
    locked = ("--disable-pip", "--no-deps", "-r", str(CONSTRAINTS))
    vulnerable = 1
    environment.run("pip-audit", *locked, *json_to, success_codes=[0, vulnerable])
    packages = json.loads(found.read_text())["dependencies"] if found.exists() else []
    asked = [package for package in packages if "skip_reason" not in package]
    if len(asked) < max(1, len(packages)):
        session.error(
            f"the advisory database cannot be had: {len(asked)} of {len(packages)} packages were looked up"
        )
    if bad := [package["name"] for package in asked if package["vulns"]]:
        session.error(f"known vulnerabilities in {', '.join(bad)}: see {found}")
    if shutil.which("cargo-deny") is None:
        session.warn(f"no cargo-deny: the dependencies of {names(crates())} are left out")
        return
    for crate in crates():
        with session.chdir(crate.folder):
            session.run("cargo", "deny", "check", external=True)


@nox.session
def differential(session: nox.Session) -> None:
    """Files drawn at random, sound and damaged, by our readers and by others; prints the table."""
    environment = prepared(session, "test")
    folders = ("harness", "tests", "tests/integration")
    session.env["PYTHONPATH"] = os.pathsep.join(str(ROOT / folder) for folder in folders)
    environment.run("python", "-m", "differential", *session.posargs)


@nox.session
def microbench(session: nox.Session) -> None:
    """Hot in-process paths under pytest-benchmark; the result becomes a run beside the others."""
    prepared(session, "test").run("firstbyte", "microbench", *session.posargs)


@nox.session
def gate(session: nox.Session) -> None:
    """Compare a base with this checkout: PASS, REGRESSED, IMPROVED or INCONCLUSIVE."""
    prepared(session).run("firstbyte", "gate", *session.posargs, success_codes=[0, IMPROVED])


@nox.session
def leaks(session: nox.Session) -> None:
    """Say for each backend whether it leaks, and how small a leak would have been seen."""
    prepared(session).run("firstbyte", "leaks", *session.posargs)


@nox.session
def selfcheck(session: nox.Session) -> None:
    """Try the harness itself on planted faults of known size, and print its certificate."""
    prepared(session, "test").run("firstbyte", "selfcheck", *session.posargs)


@nox.session
def report(session: nox.Session) -> None:
    """Write the HTML report of a run again; the newest, or the one that is named."""
    prepared(session).run("firstbyte", "report", *(session.posargs or ["latest"]))
