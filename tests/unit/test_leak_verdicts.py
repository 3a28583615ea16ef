"""Leak verdicts beside a run: kept, read back, and shown in its report as they were said."""

from __future__ import annotations

from pathlib import Path

import pytest
from render_fixtures import certify_all, records, run, view

from firstbyte.analysis.stats import Slope
from firstbyte.engine.fingerprint import host
from firstbyte.errors import StoreError
from firstbyte.leaks import kept as verdicts
from firstbyte.leaks.investigation import Investigation
from firstbyte.leaks.rules import LeakClass, LeakVerdict
from firstbyte.leaks.stacks import LeakingStack
from firstbyte.render.html.report import render
from firstbyte.selfcheck import keeping
from firstbyte.selfcheck import of_host as selfchecks
from firstbyte.selfcheck.memory import certificate as selfcheck

LEAK = Investigation(
    "pyarrow",
    "<script>",
    LeakVerdict(
        LeakClass.LEAK,
        "glibc_live_bytes grows 64 B per scan",
        slope=Slope(low=63.0, estimate=64.0, high=65.0),
        scans=480,
        processes=3,
        detectable_bytes={"glibc_live_bytes": 48.0, "rss_anon_bytes": 1024.0},
        stacks=(LeakingStack((("read", "/somewhere/deep/reader.py", 7),), 1.0, 64.0),),
    ),
    (),
    flamegraph=Path("/somewhere/else/leaks-pyarrow.html"),
)
ENDED_BADLY = Investigation("polars", "default", None, (), "CRASHED: signal 11 (SIGSEGV)")


def test_verdicts_survive_the_disk_and_name_no_path_of_the_machine(tmp_path: Path) -> None:
    assert verdicts.read(tmp_path) is None
    verdicts.write(tmp_path, run(), "firstbyte leaks", [LEAK, ENDED_BADLY])
    kept = verdicts.read(tmp_path)
    assert kept is not None
    assert kept.rows == (verdicts.row(LEAK), verdicts.row(ENDED_BADLY))
    assert (kept.run_id, kept.command) == (run().run_id, "firstbyte leaks")
    found = kept.rows[0]
    assert (found.outcome, found.scans) == ("LEAK", "3 x 480")
    assert found.slope == "64 [63, 65]"
    assert found.would_have_seen == "48 counted, 1,024 elsewhere"
    assert found.reason.endswith(
        "64 B per scan from read (reader.py:7); flamegraph: leaks-pyarrow.html"
    )
    assert kept.rows[1].outcome == verdicts.NOT_RUN
    (tmp_path / verdicts.FILE).write_text('{"verdicts": [{}]}')
    with pytest.raises(StoreError, match=r"cannot read .*missing command"):
        verdicts.read(tmp_path)


def test_the_report_shows_verdicts_and_self_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certify_all(monkeypatch)
    verdicts.write(tmp_path, run(), "firstbyte leaks", [LEAK, ENDED_BADLY])
    page = render(
        view(records()[:3]),
        leaks=verdicts.read(tmp_path),
        certificates=("memory not self-checked <here>",),
    )
    assert "<td>LEAK</td><td>64 [63, 65]</td>" in page
    assert "pyarrow:&lt;script&gt;" in page
    assert "CRASHED: signal 11 (SIGSEGV)" in page
    assert "memory not self-checked &lt;here&gt;" in page
    assert 'id="leaks"' not in render(view(records()[:3]))


def test_self_checks_are_of_the_runs_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FIRSTBYTE_RESULTS", str(tmp_path))
    monkeypatch.setattr(keeping, "checkout", lambda: None)
    made = selfcheck.MemoryCertificate(
        made="2026-06-01T10:00:00+00:00",
        host=host(),
        truths=(selfcheck.TruthResult("malloc_leak", LeakClass.LEAK, {"LEAK": 20}, {}),),
        peaks=(),
        sights={},
        sampler=selfcheck.SamplerCost((1.0,), (1.0,)),
        clean_processes=200,
        false_leaks=(),
    )
    _, missing, gate = selfchecks.of_host(host())
    assert missing.startswith("memory not self-checked on this host")
    assert gate.startswith("gate: not self-checked")
    selfcheck.save(made)
    assert selfcheck.DOCUMENT.read(selfcheck.certificate_path()) == made
    assert (
        "20 of 20 planted leaks found, 0 false LEAK in 200 others"
        in (selfchecks.of_host(host())[1])
    )
    selfcheck.certificate_path().write_text("{")
    _, damaged, _ = selfchecks.of_host(host())
    assert damaged.startswith("memory not self-checked on this host")
    assert f"(cannot read {selfcheck.certificate_path()}: no JSON: " in damaged
    selfcheck.save(made)
    other = selfchecks.of_host({**host(), "machine": "pdp11"})[1]
    assert "of another host: machine was" in other
    assert "20 of 20" not in other
