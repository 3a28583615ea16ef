"""Control groups of both versions, as files below a root of the test's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from firstbyte.engine import doctor, room
from firstbyte.engine.cgroups import Groups, effective_cores
from firstbyte.engine.fingerprint import differences, host
from firstbyte.errors import HarnessError
from firstbyte.model import Limits
from firstbyte.render import provenance

ASKED = Limits(timeout_s=1.0, memory_bytes=8_000_000_000)
NO_LIMIT = "9223372036854771712"


def put(root: Path, **files: object) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


def files(folder: str, **values: object) -> dict[str, object]:
    return {f"{folder}/{name.replace('__', '.')}": text for name, text in values.items()}


def first(root: Path, mounted: str = "/") -> Groups:
    """Version 1: `/a/b` in the hierarchies of cpu and memory; others are there and limit nothing."""
    line = "{} 31 0:2 {} /cg/{} rw,relatime shared:1 - cgroup cgroup rw,{}"
    put(
        root,
        **{
            "proc/self/cgroup": "3:cpu,cpuacct:/a/b\n2:memory:/a/b\n1:name=systemd:/x\n0::/",
            "proc/self/mountinfo": "\n".join(
                (
                    "31 23 0:28 / /cg rw - tmpfs tmpfs rw",
                    line.format(32, mounted, "cpu", "cpu,cpuacct"),
                    line.format(33, mounted, "memory", "memory"),
                )
            ),
        },
    )
    return Groups(root)


def second(root: Path) -> Groups:
    """Version 2: `/a/b`."""
    put(
        root,
        **{
            "proc/self/cgroup": "0::/a/b",
            "proc/self/mountinfo": "30 23 0:26 / /cg rw,nosuid shared:4 - cgroup2 cgroup2 rw",
        },
    )
    return Groups(root)


def limit_first(root: Path, at: str, limit: object, used: int = 0, cached: int = 0) -> None:
    stat = f"cache 5\ntotal_inactive_file {cached}\ntotal_active_file 0"
    put(
        root,
        **files(
            f"cg/memory{at}",
            memory__limit_in_bytes=limit,
            memory__usage_in_bytes=used,
            memory__stat=stat,
        ),
    )


def limit_second(root: Path, at: str, limit: object, used: int = 0, cached: int = 0) -> None:
    stat = f"anon 5\ninactive_file {cached}\nactive_file 0"
    put(root, **files(f"cg{at}", memory__max=limit, memory__current=used, memory__stat=stat))


LIMIT = {"first": limit_first, "second": limit_second}
MADE = {"first": first, "second": second}


def quota(root: Path, version: str, at: str, cores: float | None) -> None:
    micros = None if cores is None else int(cores * 100_000)
    if version == "first":
        put(root, **files(f"cg/cpu{at}", cpu__cfs_quota_us=micros or -1, cpu__cfs_period_us=100000))
    else:
        put(root, **files(f"cg{at}", cpu__max=f"{micros or 'max'} 100000"))


@pytest.fixture(params=["first", "second"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_nothing_limits_where_nothing_is_said(tmp_path: Path, version: str) -> None:
    for groups in (Groups(tmp_path), MADE[version](tmp_path)):
        assert groups.cpu_quota_cores() is None
        assert groups.memory_limit_bytes() is None
        assert groups.memory_left_bytes() is None
        assert groups.oom_kills() == 0
    for at in ("/a/b", "/a", ""):
        quota(tmp_path, version, at, None)
        LIMIT[version](tmp_path, at, NO_LIMIT if version == "first" else "max")
    assert groups.cpu_quota_cores() is None
    assert groups.memory_limit_bytes() is None


@pytest.mark.parametrize("tightest", ["/a/b", "/a", ""])
def test_the_tightest_of_a_group_and_those_around_it_counts(
    tmp_path: Path, version: str, tightest: str
) -> None:
    groups = MADE[version](tmp_path)
    for at in ("/a/b", "/a", ""):
        quota(tmp_path, version, at, 0.5 if at == tightest else 1.5)
        LIMIT[version](tmp_path, at, 400 if at == tightest else 900, 300, 200)
    assert groups.cpu_quota_cores() == 0.5
    assert groups.memory_limit_bytes() == 400
    assert groups.memory_left_bytes() == 300, "file pages can be dropped"


def test_another_group_is_not_ours(tmp_path: Path, version: str) -> None:
    groups = MADE[version](tmp_path)
    quota(tmp_path, version, "/a/c", 0.1)
    LIMIT[version](tmp_path, "/a/c", 1)
    assert (groups.cpu_quota_cores(), groups.memory_limit_bytes()) == (None, None)


@pytest.mark.parametrize(("mounted", "at"), [("/a", "/b"), ("/a/b", ""), ("/elsewhere", "")])
def test_a_container_sees_a_part_of_the_hierarchy(tmp_path: Path, mounted: str, at: str) -> None:
    groups = first(tmp_path, mounted)
    limit_first(tmp_path, at, 400)
    assert groups.memory_limit_bytes() == 400


def test_kills_are_those_of_the_own_group(tmp_path: Path, version: str) -> None:
    groups = MADE[version](tmp_path)
    for at, kills in (("/a/b", 3), ("/a", 50)):
        if version == "first":
            put(
                tmp_path,
                **files(f"cg/memory{at}", memory__oom_control=f"under_oom 0\noom_kill {kills}"),
            )
        else:
            put(tmp_path, **files(f"cg{at}", memory__events=f"oom 9\noom_kill {kills}"))
    assert groups.oom_kills() == 3


def test_doctor_sees_half_a_core_and_400_mb(
    tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    groups = MADE[version](tmp_path)
    quota(tmp_path, version, "/a/b", 0.5)
    LIMIT[version](tmp_path, "/a/b", 400_000_000)
    assert effective_cores(groups) == 0.5
    cores, memory = doctor._cores(groups), doctor._memory_limit(groups)
    assert (cores.state, cores.limits) == ("8, of which a quota gives 0.5", True)
    assert (memory.state, memory.limits) == ("400 MB, of which 200 MB are left to a worker", True)


def test_a_quota_keeps_runs_from_being_compared(tmp_path: Path, version: str) -> None:
    groups = MADE[version](tmp_path)
    free = host(groups)
    assert (free["cpu_quota_cores"], free["memory_limit_bytes"]) == (None, None)
    assert "quota" not in provenance.brief(free)
    quota(tmp_path, version, "/a", 0.5)
    LIMIT[version](tmp_path, "/a", 400_000_000)
    limited = host(groups)
    assert limited["memory_limit_bytes"] == 400_000_000
    assert differences(free, limited) == ["cpu_quota_cores was None, is 0.5"]
    assert "cpu_quota_cores: 0.5" in provenance.brief(limited)


def test_workers_take_what_is_left_and_a_run_without_room_is_refused(
    tmp_path: Path, version: str
) -> None:
    groups = MADE[version](tmp_path)
    assert room.fit(ASKED, groups) == (ASKED, "")
    LIMIT[version](tmp_path, "/a", 500_000_000, 60_000_000)
    limits, note = room.fit(ASKED, groups)
    assert limits.memory_bytes == 240_000_000
    assert note == (
        "workers may take 240 MB and not 8,000 MB: the control group leaves 440 MB of memory, "
        "of which 200 MB are kept for the parent"
    )
    small = Limits(1.0, 100_000_000)
    assert room.fit(small, groups) == (small, ""), "a lower limit stands"
    LIMIT[version](tmp_path, "/a", 120_000_000, 60_000_000)
    with pytest.raises(HarnessError) as caught:
        room.fit(ASKED, groups)
    assert str(caught.value).startswith("the control group leaves 60 MB of memory, and a run takes")
    assert "\n" not in str(caught.value)
