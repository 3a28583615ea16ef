"""All that a plug-in needs to import: the protocols of a backend, a scenario and an instrument.

Standard library only. A worker imports this module before the backend, inside the measured process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from firstbyte.model import Param

if TYPE_CHECKING:
    import pyarrow


class Unsupported(Exception):
    """Raised by a backend (or scenario) that cannot do what it is asked: the cell becomes SKIPPED.

    The message is the reason that the report shows, so it names the feature that is missing.
    """


class BuildRefusedError(Exception):
    """Raised by a backend that must not be measured as installed, such as a debug build."""


class Reader(Protocol):
    """One pass over one shard: an iterator of batches and a context manager.

    A batch is whatever the backend natively hands out; only `rows`, `first_value` and `canonical`
    look inside it.
    """

    def __iter__(self) -> Iterator[Any]: ...

    def __next__(self) -> Any: ...

    def __enter__(self) -> Reader: ...

    def __exit__(self, *exc_info: object) -> None: ...

    def close(self) -> None:
        """Release what the reader holds; idempotent."""
        ...

    def rows(self, batch: Any) -> int:
        """Number of rows in the batch; must be O(1), as it runs inside the timed span."""
        ...

    def first_value(self, batch: Any, column: str) -> object:
        """The first row's value of the column as an ordinary Python object (`str` for text)."""
        ...

    def canonical(self, batch: Any) -> pyarrow.RecordBatch:
        """The batch for digests, with the shard's column names and order. Never timed."""
        ...


class Backend(Protocol):
    """A way to read shards. Made in the worker by the module's `create(**options)`.

    Importing the module and calling `create` must import the library: that time is `import_ns`.

    Optional methods, looked up by name:

    * `allocator_bytes() -> dict[str, int]`: live bytes of each allocator that the library has and can
      report, by allocator name; must not allocate through that allocator.
    * `allocator_peak_bytes() -> dict[str, int]` and `reset_peak() -> None`: the same for peaks.
    * `trim() -> None`: give back to the kernel what can be given back.
    * `decompress(shard: Path, *, columns: Sequence[str] | None = None) -> int`: read and decompress
      every page of those columns in the calling thread, decode nothing, and return the decompressed
      bytes.
    * `memory_floor(shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024) ->
      int`: the bytes that a page-wise scan cannot do without: the dictionary and the largest page of
      each column, decompressed, of the row group where that is most, and the largest batch.
    """

    def versions(self) -> dict[str, str]:
        """Name -> version of everything that decides the result. Empty means no measurement.

        Raises BuildRefusedError for a build that must not be measured.
        """
        ...

    def prepare(self, shards: Sequence[Path], directory: Path) -> Sequence[Path]:
        """Convert the Parquet shards to the backend's own format inside `directory`, once.

        Untimed and idempotent; returns one path per shard, in order. A backend that reads Parquet
        returns `shards` unchanged. The sources are never modified.
        """
        ...

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> Reader:
        """A reader over one prepared shard. `columns` are top-level names in file order, None for all."""
        ...


ALL = "all"
EXTREMES = "extremes"
"""Which variants of a backend the quick profile runs: all, or its default and its best."""


POOL = "pool"
"""A parameter that the harness itself acts upon: with the value NORMALISED a worker is started with the
variables of `[normalised]` in its backend's `backend.toml`, which has the capability of that name."""
SHIPPED = "shipped"
NORMALISED = "normalised"


class ReadsInSpan(StrEnum):
    """What a scenario's spans hold of the work on a shard: what the parent can hold figures against."""

    WHOLE = "whole"
    """Every shard that is counted was opened and read to its end within the span."""
    OPENING = "opening"
    """Every shard that is counted, or of which a first value is told, was opened within the span."""


class Purpose(StrEnum):
    """What the harness itself runs a scenario for, and finds it by: it knows no scenario by name."""

    LEAKS = "leaks"
    """Gives the series in which leaks show (`firstbyte.worker.leak_series`)."""
    WHOLE_SCAN = "whole_scan"
    """ReadsInSpan everything once; a peak that was planted in one scan must show in it."""
    FIRST_ROW = "first_row"
    """Waits for the first row only."""
    SIDE_BY_SIDE = "side_by_side"
    """Several readers read at once."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of a corpus as a worker sees it."""

    path: Path
    rows: int


@dataclass(frozen=True, slots=True)
class Repetitions:
    """How a scenario spreads its samples: fresh processes, and samples in each."""

    processes: int
    per_process: int
    warmup_processes: int = 0
    """Processes run first and thrown away, where the cold start itself is what is timed."""
    cold: bool = False
    """Whether the start of the process is part of what is timed. Elsewhere a worker waits before its first
    span until what the import left running stands still."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that an instrument or a scenario gives; the unit is the suffix of its name."""

    name: str
    help: str
    better: str = "lower"
    """`lower`, `higher`, or empty for a figure that ranks nobody."""
    headline: bool = False
    calibration: bool = False
    """True for a figure of the instrument or the machine and not of the backend: it is marked so, and
    ranks nobody. All figures of a scenario that certifies an instrument are."""
    needs_certificate: bool = False
    """True for a figure that says nothing about a backend, and is withheld, unless a scenario certifies
    the instrument for it (`CertifyingScenario`)."""
    parts: tuple[str, ...] = ()
    """Figures of the same sample that add up to this one: they are drawn as a stacked bar."""
    scaling: tuple[str, str] | None = None
    """(metric, parameter) for an efficiency, which the analysis makes from other cells:
    the metric at the parameter's value n, over n times the metric at 1."""
    floor_of: tuple[str, str] | None = None
    """(scenario, metric) that this figure is the floor of: what it would take if nothing but the work that
    no reader can spare were done."""

    def __post_init__(self) -> None:
        """Raises ValueError for a figure of the instrument that ranks backends."""
        if self.calibration and self.better:
            raise ValueError(
                f"metric {self.name}: a calibration ranks nobody: better must be empty"
            )


@dataclass(frozen=True, slots=True)
class Account:
    """What a piece of work took, and what each ledger saw of it: what a certificate is made from."""

    taken_bytes: float
    """What RssAnon gained."""
    accounted_bytes: Mapping[str, float]
    """Ledger -> what it gained over the same work; the certified instrument is a ledger of its name."""


class Probe(Protocol):
    """The half of an instrument that is in the worker, made once for each process.

    `begin` and `end` stand immediately around the measured span. What making it imports is there
    before the worker takes its memory base.
    """

    def begin(self) -> None: ...

    def end(self) -> dict[str, float]:
        """The figures of the span, by name."""
        ...


class Observer(Protocol):
    """The half of an instrument that is in the parent, made with the worker's process id."""

    def poll(self) -> None:
        """Look at the processes once; called every `POLL_SECONDS` or more often."""
        ...

    def observe(self, pids: Sequence[int]) -> None:
        """Look at these processes from now on, instead of those before."""
        ...

    def values(self, begin_ns: int, end_ns: int, sample: dict[str, float]) -> dict[str, float]:
        """The figures between two stamps of CLOCK_MONOTONIC; `sample` is what the worker gave."""
        ...

    def close(self) -> None:
        """Release what it holds; idempotent."""
        ...


class Instrument(Protocol):
    """The module of an instrument's file, `instruments/<name>.py`; its docstring is shown in lists.

    Importing it must be possible in the parent and needs the standard library only. A module whose
    instrument also looks from outside has two attributes more: `Observer`, called with the worker's
    process id, and `POLL_SECONDS`.
    """

    METRICS: tuple[Metric, ...]
    """Its figures, which every scenario that uses it has without repeating them."""

    @property
    def Probe(self) -> Callable[[], Probe]: ...  # noqa: N802 (a class, or what makes one)


class KeptBatches(Protocol):
    """Batches of one shard of a pass, to be looked at after it."""

    def take(self, shard: int, reader: Reader, batch: Any) -> None:
        """Keep the batch, if it is of the shard that was drawn; batches come in order."""
        ...


class Bench(Protocol):
    """What a scenario's `run` gets: the backend, the data and the measured span.

    `span()` is the only thing that starts and stops the instrument; what runs outside it is neither
    timed nor counted. Every shard over which a reader of `backend` was opened is verified when `run` has
    returned: read once more, with the same columns and rows of a batch, and its digests sent to the parent.
    """

    backend: Backend
    shards: Sequence[Shard]
    columns: Sequence[str] | None
    text_column: str
    batch_rows: int
    params: Mapping[str, Param]
    instrument: str
    repetitions: int
    final_process: bool
    """True in the last process of the cell: what was read is verified only once, there."""
    startup: Mapping[str, float]
    """`spawn_ns`, `harness_ns` and `import_ns` of this process, and what the import gained:
    `import_rss_anon_bytes`, `import_rss_shmem_bytes` and `import_rss_file_bytes`."""

    create_backend: Callable[[], Backend]
    """Makes another instance of the same backend and variant; can be sent to a reader process."""

    def span(self) -> AbstractContextManager[dict[str, float]]:
        """The measured span: the instrument is active inside it and nowhere else.

        The mapping is empty inside and holds the instrument's figures afterwards.
        """
        ...

    def emit(
        self, values: Mapping[str, float], series: Mapping[str, Sequence[float]] | None = None
    ) -> None:
        """Hand over one sample. The figures of the last span are merged into it."""
        ...

    def check_rows(self, shard: int, rows: int) -> None:
        """Tell the parent how many rows the timed pass over that shard delivered."""
        ...

    def check_first_value(self, shard: int, value: object, rows: int | None = None) -> None:
        """Tell the parent what the timed pass delivered as the shard's first text, and in a batch of how many
        rows, where a first batch is what was timed.
        """
        ...

    def verify(self, shard: int) -> None:
        """Have that shard verified as well, though no reader of `backend` was opened over it."""
        ...

    def keep(self) -> KeptBatches | None:
        """What keeps the batches of one pass more, which a scenario makes as it made those that were measured
        and which is in no figure; None where there is to be none.
        """
        ...

    def check_kept(self, kept: KeptBatches) -> None:
        """Have what was kept judged, once all is measured."""
        ...

    def check_digests(self, shard: int, digests: Mapping[str, Any]) -> None:
        """Send digests that the scenario had made by `firstbyte.worker.verify.shard_digests`, as where a
        shard is to be verified in the thread or process that reads it. It is then verified.
        """
        ...

    def observe(self, pids: Sequence[int]) -> None:
        """Name the processes whose memory counts, instead of this one, from the next span on."""
        ...


class Scenario(Protocol):
    """The module of a scenario file, `scenarios/<name>.py`; its docstring is shown in reports.

    `PURPOSE`, a `Purpose`, stands only in a scenario that the harness itself needs; one each.
    `NEEDS_ROWS = True` stands in one that measures what is made of rows: on a corpus without any its
    cells are SKIPPED. `READS`, a `ReadsInSpan`, stands in one that uses readers within its spans only; what
    its readers do is then looked at from outside (`firstbyte.engine.plausible`).
    """

    ORDER: int
    """Place in plans, tables and reports; lower comes first."""
    QUICK_VARIANTS: str
    """`ALL` or `EXTREMES`; a variant that the user names is run in any case."""
    INSTRUMENTS: tuple[str, ...]
    GRID: Mapping[str, tuple[Param, ...]]
    """Parameter -> its values; the cells are their product."""
    METRICS: tuple[Metric, ...]
    """Figures beside those of its instruments; one of the same name replaces an instrument's."""

    def needs(self, params: Mapping[str, Param]) -> frozenset[str]:
        """Capabilities that a backend must have; where it lacks one, the cell is SKIPPED."""
        ...

    def repetitions(
        self, params: Mapping[str, Param], instrument: str, profile: str
    ) -> Repetitions:
        """How many processes and samples, for the profile `quick` or `full`.

        No processes: the cell is not part of that profile.
        """
        ...

    def run(self, bench: Bench) -> None:
        """Measure; called in the worker, once per process."""
        ...

    def derive(self, params: Mapping[str, Param], values: Mapping[str, float]) -> dict[str, float]:
        """Figures that follow from a sample's others; called in the parent, when all are there."""
        ...


class CertifyingScenario(Scenario, Protocol):
    """A scenario whose samples tell for which backends an instrument can be believed."""

    CERTIFIES: str
    """The instrument under which it runs, and which it certifies. What the scenario itself declares in
    METRICS is the evidence, and is shown whatever it says."""

    def account(self, values: Mapping[str, float]) -> Account:
        """The account that the values of one sample give. Raises KeyError where one is missing."""
        ...
