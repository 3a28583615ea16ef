"""Backends and scenarios are what their folders say; a wrong description names file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstbyte import backends, scenarios
from firstbyte.api import Purpose
from firstbyte.engine import registry
from firstbyte.errors import HarnessError, PluginError, UnknownNameError
from firstbyte.worker import instruments

GOOD = """
name = "invented"
language = "C"
format = "x"
summary = "s"
module = "backend.py"
capabilities = ["scan"]
[[variants]]
name = "one"
default = true
[variants.options]
depth = 3
[[variants]]
name = "two"
best = true
threads = 2
"""


def folder(tmp_path: Path, text: str = GOOD, name: str = "invented") -> Path:
    made = tmp_path / "backends" / name
    made.mkdir(parents=True)
    (made / "backend.py").write_text("raise RuntimeError('imported in the parent')\n")
    (made / "backend.toml").write_text(text, encoding="utf-8")
    return made


def test_a_description_is_read(tmp_path: Path) -> None:
    info = registry.read_backend(folder(tmp_path), "backends.invented")
    assert (info.name, info.module, info.capabilities) == (
        "invented",
        "backends.invented.backend",
        frozenset({"scan"}),
    )
    one, two = info.variants
    assert (one.default, one.best, dict(one.options)) == (True, False, {"depth": 3})
    assert (two.default, two.best, dict(two.options)) == (False, True, {})
    assert (one.threads, two.threads) == (None, 2)
    assert info.variant("two") is two
    assert info.unavailable == ""
    with pytest.raises(UnknownNameError, match="no variant of invented 'tow'; did you mean 'two'"):
        info.variant("tow")


def test_what_is_not_installed_says_how_to_install_it(tmp_path: Path) -> None:
    head = 'distribution = "no-such-thing"\ninstall = "pip install it"\n'
    info = registry.read_backend(folder(tmp_path, head + GOOD), "b")
    assert info.unavailable == "no-such-thing is not installed: pip install it"
    installed = registry.read_backend(
        folder(tmp_path, 'distribution = "pytest"\n' + GOOD, "other"), "b"
    )
    assert installed.unavailable == ""


WRONG = {
    "no TOML": ("name =", "backend.toml: Invalid value"),
    "a missing key": (GOOD.replace('language = "C"\n', ""), "missing language"),
    "no default": (GOOD.replace("default = true", ""), "exactly one variant must say default"),
    "two defaults": (
        GOOD.replace("best = true", "default = true"),
        "exactly one variant must say default",
    ),
    "two of a name": (GOOD.replace('"two"', '"one"'), "two variants have the same name"),
    "a variant without a name": (GOOD.replace('name = "two"', ""), "variants[1]: missing name"),
    "options that nobody reads": (
        GOOD.replace("[variants.options]", "[variants.option]"),
        "variants[0]: unknown key 'option'; did you mean 'options'? (allowed: best, default, ",
    ),
    "a key that nobody reads": (
        "instal = 'pip'\n" + GOOD,
        ": unknown key 'instal'; did you mean 'install'? (allowed: capabilities, ",
    ),
    "a switch as a text": (
        GOOD.replace("best = true", 'best = "yes"'),
        "variants[1].best: expected true or false, got 'yes'",
    ),
    "a text as a list": (
        GOOD.replace('["scan"]', '"scan"'),
        "capabilities: expected a list, got 'scan'",
    ),
    "no module": (GOOD.replace('"backend.py"', '"other.py"'), "module 'other.py' is not a Python"),
    "no Python": (GOOD.replace('"backend.py"', '"backend.toml"'), "'backend.toml' is not a Python"),
    "no file of its own": (
        GOOD.replace('"backend.py"', '"../invented/backend.py"'),
        "is not a Python file of this folder",
    ),
    "a name with a slash": (
        GOOD.replace('"invented"', '"../invented"'),
        "name '../invented' may not contain",
    ),
    "a name with a colon": (GOOD.replace('"invented"', '"mi:ne"'), "name 'mi:ne' may not contain"),
    "a variant with an at": (GOOD.replace('"two"', '"t@o"'), "name 't@o' may not contain"),
    "no thread at all": (
        GOOD.replace("threads = 2", "threads = 0"),
        "threads: expected a whole number from 1",
    ),
    "threads as a switch": (GOOD.replace("threads = 2", "threads = true"), "or 'all', got True"),
    "threads as a word": (
        GOOD.replace("threads = 2", 'threads = "many"'),
        "variants[1].threads: expected a whole number from 1 or 'all', got 'many'",
    ),
    "no name at all": (GOOD.replace('"invented"', '""'), "name '' is empty"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_description_is_refused(tmp_path: Path, kind: str) -> None:
    text, reason = WRONG[kind]
    made = folder(tmp_path, text)
    with pytest.raises(PluginError) as caught:
        registry.read_backend(made, "b")
    assert reason in str(caught.value)
    assert str(made / "backend.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.b", ".hidden", "__pycache__"])
def test_a_folder_that_cannot_be_imported_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PluginError, match=f"a folder of the name '{name}' cannot be imported"):
        registry.read_backend(folder(tmp_path, name=name), f"b.{name}")


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "backends").mkdir()
    monkeypatch.setenv(registry.PLUGINS_VARIABLE, str(tmp_path))
    for package in (backends, scenarios, instruments):
        monkeypatch.setattr(package, "__path__", list(package.__path__))
    return tmp_path


SCENARIO = '''"""Mine."""
from firstbyte.api import ALL, Metric, Repetitions

ORDER = 1
QUICK_VARIANTS = ALL
INSTRUMENTS = ("clock",)
GRID = {"mode": ("scan",)}
METRICS = (Metric("wall_ns", "a time"),)


def needs(params):
    return frozenset({str(params["mode"])})


def repetitions(params, instrument, profile):
    return Repetitions(1, 1)


def run(bench):
    pass


def derive(params, values):
    return {}
'''


def scenario(root: Path, name: str, text: str = SCENARIO) -> Path:
    """A scenario's file in that plug-in folder."""
    path = root / "scenarios" / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


WRONG_SCENARIOS = {
    "attribute": (
        SCENARIO.replace("METRICS =", "METRIC ="),
        "nobody reads 'METRIC'; did you mean 'METRICS'?",
    ),
    "attribute that may be absent": (
        SCENARIO + "PURPOS = None",
        "nobody reads 'PURPOS'; did you mean 'PURPOSE'?",
    ),
    "missing": (SCENARIO.replace("METRICS =", "OTHER ="), "missing METRICS"),
    "type": (
        SCENARIO.replace('("clock",)', '"clock"'),
        "INSTRUMENTS: expected a list, got 'clock'",
    ),
    "value": (SCENARIO.replace('("scan",)', "(None,)"), "GRID.mode[0]: expected a text or "),
    "word": (SCENARIO.replace("= ALL", '= "al"'), "expected 'all' or 'extremes', got 'al'"),
    "purpose": (SCENARIO + "\nPURPOSE = 'leak'\n", "PURPOSE: expected 'leaks' or "),
    "metric": (SCENARIO.replace('Metric("wall_ns", "a time")', '"wall_ns"'), "got 'wall_ns'"),
    "function": (SCENARIO.replace("def derive", "def other"), "missing the functions derive"),
    "needs": (SCENARIO.replace('["mode"]', '["mod"]'), "needs({'mode': 'scan'}) fails: KeyError"),
    "account": (SCENARIO + 'CERTIFIES = "clock"', "missing the functions account"),
    "certified": (
        SCENARIO + 'CERTIFIES = "heap"',
        "CERTIFIES = 'heap' must be one of INSTRUMENTS",
    ),
    "syntax": ("def (", "cannot be imported: SyntaxError"),
    "import": ("import no_such_library", "cannot be imported: ModuleNotFoundError"),
}


@pytest.mark.parametrize("kind", WRONG_SCENARIOS)
def test_a_wrong_scenario_is_refused_in_one_line(plugins: Path, kind: str) -> None:
    text, reason = WRONG_SCENARIOS[kind]
    path = scenario(plugins, f"wrong_{kind.replace(' ', '_')}", text)
    with pytest.raises(PluginError) as caught:
        registry.discover()
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_capability_that_no_scenario_asks_for_is_refused(plugins: Path) -> None:
    made = folder(plugins, GOOD.replace('["scan"]', '["scan", "reopne"]'))
    with pytest.raises(PluginError) as caught:
        registry.discover()
    assert str(caught.value).startswith(
        f"{made / 'backend.toml'}: unknown capability 'reopne'; did you mean 'reopen'? (allowed: "
    )


def test_a_plug_in_scenario_may_ask_for_a_new_capability(plugins: Path) -> None:
    folder(plugins, GOOD.replace('["scan"]', '["scan", "seek"]'))
    scenario(plugins, "my_seek", SCENARIO.replace('("scan",)', '("seek",)'))
    assert registry.discover().backend("invented").capabilities == {"scan", "seek"}


def test_a_folder_is_all_it_takes(plugins: Path) -> None:
    """Nothing else is touched, and nothing of the backend is imported."""
    folder(plugins)
    scenario(plugins, "invented_scan")
    (plugins / "scenarios" / "_helper.py").write_text("")
    known = registry.discover()
    assert known.backend("invented").folder == plugins / "backends" / "invented"
    assert known.scenario("invented_scan").doc == "Mine."
    assert "_helper" not in known.scenarios
    assert list(known.backends) == sorted(known.backends)
    assert registry.plugin_roots() == (plugins,)


def test_variants_are_named_without_an_environment(plugins: Path) -> None:
    folder(plugins)
    known = registry.discover()
    assert [str(one.subject) for one in known.variants("invented")] == [
        "invented:one",
        "invented:two",
    ]
    assert [str(one.subject) for one in known.variants("invented:two")] == ["invented:two"]
    with pytest.raises(
        HarnessError, match=r"'invented:two@old' names an environment, .*: invented:two"
    ):
        known.variants("invented:two@old")


def test_two_of_one_name_are_refused(plugins: Path) -> None:
    folder(plugins, GOOD.replace('"invented"', '"pyarrow"'))
    with pytest.raises(PluginError, match="two backends are called 'pyarrow'"):
        registry.discover()


def test_two_scenarios_of_one_name_are_refused(plugins: Path) -> None:
    scenario(plugins, "full_scan")
    with pytest.raises(PluginError, match="two scenarios are called 'full_scan'"):
        registry.discover()


INSTRUMENT = '''"""Mine."""
from firstbyte.api import Metric
METRICS = (Metric("mine_count", "how often", needs_certificate=True), Metric("wall_ns", "the instrument's"))
class Probe: ...
'''


def instrument(root: Path, name: str, text: str = INSTRUMENT) -> Path:
    """An instrument's file in that plug-in folder."""
    path = root / "instruments" / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_a_scenario_has_the_figures_of_its_instruments(plugins: Path) -> None:
    instrument(plugins, "of_mine")
    instrument(plugins, "helper_of_mine", "")
    scenario(plugins, "scan_of_mine", SCENARIO.replace('("clock",)', '("of_mine", "clock")'))
    known = registry.discover()
    assert "helper_of_mine" not in known.instruments
    found = {metric.name: metric for metric in known.scenario("scan_of_mine").metrics}
    assert list(found)[:3] == ["wall_ns", "mine_count", "cpu_ns"]
    assert found["wall_ns"].help == "a time"
    assert found["mine_count"].needs_certificate


def test_an_instrument_that_is_missing_is_named(plugins: Path) -> None:
    scenario(plugins, "scan_of_nobody", SCENARIO.replace("clock", "of_nobody"))
    with pytest.raises(
        PluginError, match=r"scan_of_nobody\.py: there is no instrument 'of_nobody'"
    ):
        registry.discover()


def test_two_instruments_of_one_name_are_refused(plugins: Path) -> None:
    instrument(plugins, "clock")
    with pytest.raises(PluginError, match="two instruments are called 'clock'"):
        registry.discover()


WRONG_INSTRUMENTS = {
    "syntax": ("class Probe", "expected ':'"),
    "no_metrics": ("class Probe: ...", "METRICS must be a tuple of firstbyte.api.Metric"),
    "metrics": (
        "METRICS = ('x',)\nclass Probe: ...",
        "METRICS must be a tuple of firstbyte.api.Metric",
    ),
    "import": ("import no_such_library\nclass Probe: ...", "cannot be imported: ModuleNotFound"),
    "polling": (f"{INSTRUMENT}class Observer: ...\n", "an Observer needs POLL_SECONDS"),
}


@pytest.mark.parametrize("kind", WRONG_INSTRUMENTS)
def test_a_wrong_instrument_is_refused_in_one_line(plugins: Path, kind: str) -> None:
    text, reason = WRONG_INSTRUMENTS[kind]
    path = instrument(plugins, f"wrong_{kind}", text)
    with pytest.raises(PluginError) as caught:
        registry.discover()
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_harness_finds_its_scenarios_by_their_purpose(plugins: Path) -> None:
    known = registry.discover()
    for purpose in Purpose:
        assert known.scenario_for(purpose).module.INSTRUMENTS
    without = registry.Catalogue(scenarios={})
    with pytest.raises(PluginError, match="no scenario says PURPOSE = 'leaks'"):
        without.scenario_for(Purpose.LEAKS)


def test_two_scenarios_of_one_purpose_are_refused(plugins: Path) -> None:
    own = registry.discover().scenario_for(Purpose.LEAKS).path
    second = scenario(plugins, "my_leaks", SCENARIO + "\nPURPOSE = 'leaks'\n")
    with pytest.raises(PluginError) as caught:
        registry.discover()
    assert str(caught.value) == (
        f"two scenarios say PURPOSE = 'leaks', one may: {own} and {second}"
    )


def test_a_plug_in_folder_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registry.PLUGINS_VARIABLE, "/no/such/folder")
    with pytest.raises(PluginError, match=r"names '/no/such/folder', which is not a folder"):
        registry.discover()


def test_the_project_describes_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests of planted faults put plug-ins into this process for good.
    monkeypatch.delenv(registry.PLUGINS_VARIABLE, raising=False)
    known = registry.discover()
    assert set(known.backends) >= {"pyarrow", "pure_python", "legacy", "polars", "datafusion"}
    for scenario in known.scenarios.values():
        assert scenario.doc, f"{scenario.name} says nothing about itself"
        assert len({metric.name for metric in scenario.metrics}) == len(scenario.metrics)
        assert set(scenario.module.INSTRUMENTS) <= set(known.instruments)
        assert any(metric.headline for metric in scenario.metrics)
    for instrument in known.instruments.values():
        assert instrument.doc, f"{instrument.name} says nothing about itself"
        assert instrument.metrics, f"{instrument.name} declares no figures"
        assert all(metric.help for metric in instrument.metrics)
    for backend in known.backends.values():
        assert all(variant.summary for variant in backend.variants)
        assert all(variant.threads for variant in backend.variants), backend.name
        assert (backend.folder / "backend.py").is_file()
