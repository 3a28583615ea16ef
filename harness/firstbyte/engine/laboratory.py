"""Runs single cells of a memory scenario outside a plan, each with an environment of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from firstbyte import places
from firstbyte.corpora.manifest import Manifest
from firstbyte.engine import registry, room
from firstbyte.engine.cells import Engine
from firstbyte.engine.cgroups import Groups
from firstbyte.engine.launch import current_environment
from firstbyte.engine.plan import Planned
from firstbyte.engine.registry import Catalogue, Chosen, ScenarioInfo
from firstbyte.model import Cell, Limits, Param, Record

DEFAULT_LIMITS = Limits(timeout_s=300.0, memory_bytes=8_000_000_000)


@dataclass
class Laboratory:
    """The corpus, the catalogue and the engine that all checks of one command share."""

    manifest: Manifest
    catalogue: Catalogue
    run_id: str = "by-hand"
    limits: Limits = DEFAULT_LIMITS
    keep: Callable[[Record], None] = lambda _: None
    """Told of every record as soon as it is made."""

    def __post_init__(self) -> None:
        self.limits, _ = room.fit(self.limits, Groups())
        self._engine = Engine(
            self.run_id,
            current_environment(),
            registry.plugin_roots(),
            {self.manifest.spec: self.manifest},
            places.cache() / "prepared",
        )

    def subject(self, text: str) -> Chosen:
        """The backend and variant that `name` or `name:variant` means. Raises UnknownNameError."""
        found = self.catalogue.variants(text)
        return found[0] if len(found) == 1 else next(one for one in found if one.variant.default)

    def measure(
        self,
        subject: Chosen,
        scenario: ScenarioInfo,
        instrument: str,
        *,
        repetitions: int = 1,
        processes: int = 1,
        params: Mapping[str, Param] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Record:
        """The record of one cell, whatever became of it. `environ` is added to the worker's own."""
        backend, variant = subject
        cell = Cell(
            scenario=scenario.name,
            backend=backend.name,
            variant=variant.name,
            environment="current",
            corpus=self.manifest.spec,
            params=dict(params or {}),
            instrument=instrument,
            processes=processes,
            repetitions=repetitions,
            limits=self.limits,
        )
        planned = Planned(
            cell,
            backend,
            variant,
            scenario,
            scenario.instrument(instrument),
            0,
            backend.unavailable,
        )
        record = self._engine.record(planned, environ)
        self.keep(record)
        return record


def scratch(*parts: str) -> Path:
    """A folder in the cache for what memory checks leave behind, such as captures."""
    folder = places.cache().joinpath("memory", *parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
