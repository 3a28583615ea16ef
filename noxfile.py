"""The project's sessions. `nox -s bench` is the main one; `nox -l` lists them all.

Sessions share one virtual environment per need, so that a second run starts at once; versions are
locked by constraints.txt. Where there is no Rust toolchain, arrow_rs is left out and said so.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["bench"]

ROOT = Path(__file__).parent
CRATE = "backends/arrow_rs"
NO_RUST = (
    "no Rust toolchain: arrow_rs is left out; install one with your system's `rustup` or `cargo` "
    "package to measure it"
)
CONSTRAINTS = ("-c", "constraints.txt")


def has_rust() -> bool:
    return shutil.which("cargo") is not None


def install(session: nox.Session, *extra: str) -> None:
    """The harness with every backend, editable, and the crate as a release build."""
    session.install(*CONSTRAINTS, "-e", ".[all]", *extra)
    if has_rust():
        session.install(*CONSTRAINTS, f"./{CRATE}")
    else:
        session.warn(NO_RUST)


@nox.session
def bench(session: nox.Session) -> None:
    """Build everything, run every backend through every scenario, print the table, write the report."""
    install(session)
    session.run("firstbyte", "run", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """All Python tests; arguments go to pytest."""
    install(session, *nox.project.dependency_groups(PYPROJECT, "test"))
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff: format and rules."""
    session.install(*CONSTRAINTS, *nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict on harness, backends and scenarios."""
    install(session, *nox.project.dependency_groups(PYPROJECT, "types"))
    session.run("mypy")


@nox.session(venv_backend="none")
def rust(session: nox.Session) -> None:
    """rustfmt, clippy and the core crate's tests."""
    if not has_rust():
        session.error("no Rust toolchain: install `cargo` to run this session")
    with session.chdir(CRATE):
        session.run("cargo", "fmt", "--all", "--check", external=True)
        session.run(
            *(
                "cargo",
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "-D",
                "warnings",
            ),
            external=True,
        )
        runner = ("nextest", "run") if shutil.which("cargo-nextest") else ("test",)
        session.run("cargo", *runner, "--locked", "-p", "firstbyte-core", external=True)


@nox.session
def microbench(session: nox.Session) -> None:
    """Hot in-process paths under pytest-benchmark; the result becomes a run beside the others."""
    install(session, *nox.project.dependency_groups(PYPROJECT, "test"))
    session.run("firstbyte", "microbench", *session.posargs)


@nox.session
def gate(session: nox.Session) -> None:
    """Compare a base with this checkout: PASS, REGRESSED, IMPROVED or INCONCLUSIVE."""
    install(session)
    improved = 12  # not a failure
    session.run("firstbyte", "gate", *session.posargs, success_codes=[0, improved])


@nox.session
def leaks(session: nox.Session) -> None:
    """Say for each backend whether it leaks, and how small a leak would have been seen."""
    install(session)
    session.run("firstbyte", "leaks", *session.posargs)


@nox.session
def selfcheck(session: nox.Session) -> None:
    """Try the harness itself on planted faults of known size, and print its certificate."""
    install(session, *nox.project.dependency_groups(PYPROJECT, "test"))
    session.run("firstbyte", "selfcheck", *session.posargs)


@nox.session
def report(session: nox.Session) -> None:
    """Write the HTML report of a run again; the newest, or the one that is named."""
    install(session)
    session.run("firstbyte", "report", *(session.posargs or ["latest"]))


PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
