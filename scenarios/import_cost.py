"""What importing the backend's library costs a fresh process: time, and memory that stays.

The worker reads the clock, RssAnon and RssFile just before and just after it imports the backend's
module and makes the backend; this scenario hands those readings over. The library's files are in
the page cache: one process is run first and thrown away. RssFile is what the process has mapped and
touched of files; other processes that import the library share it.

What it does not show: what a library imports only when it is first used (a cold
`time_to_first_byte` holds that), and modules of Python's own that the harness had imported before,
which a program without it would have to import. The kernel counts resident pages in lots: a gain
is true to some tens of kilobytes.
"""

from __future__ import annotations

from collections.abc import Mapping

from firstbyte.api import ALL, Bench, Metric, Repetitions
from firstbyte.model import Param

ORDER = 70
QUICK_VARIANTS = ALL
INSTRUMENTS = ("clock",)
GRID: Mapping[str, tuple[Param, ...]] = {}
METRICS = (
    Metric("import_ns", "import of the backend's library", headline=True),
    Metric("import_rss_anon_bytes", "RssAnon gained by the import", headline=True),
    Metric("import_rss_shmem_bytes", "RssShmem (shared memory) gained by the import"),
    Metric("import_rss_file_bytes", "RssFile gained by the import"),
)


def needs(params: Mapping[str, Param]) -> frozenset[str]:
    return frozenset()


def repetitions(params: Mapping[str, Param], instrument: str, profile: str) -> Repetitions:
    # The cold cells of `time_to_first_byte` have the same readings in the quick profile.
    processes = 10 if profile == "full" else 0
    return Repetitions(processes=processes, per_process=1, warmup_processes=1)


def derive(params: Mapping[str, Param], values: Mapping[str, float]) -> dict[str, float]:
    return {}


def run(bench: Bench) -> None:
    bench.emit({metric.name: bench.startup[metric.name] for metric in METRICS})
    bench.verify(0)  # it opens no reader
