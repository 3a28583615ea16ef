"""The run as JSON: description, summary and records, with the reason for each figure that is withheld.

It holds all instruments. Times under an instrument other than the clock are in there, with the
instrument's name beside them: filter before you compare.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from firstbyte.analysis import frames
from firstbyte.render.request import Request
from firstbyte.render.tables import RunView
from firstbyte.visibility.shown import ShownRecord, ShownSample, Withheld


def render(given: Request) -> str:
    view = given.view
    summary = frames.rows_of(frames.summary(frames.samples(view.records)))
    document = {
        "run": asdict(view.run),
        "summary": [row for row in summary if _wanted(view, row["metric"])],
        "records": [_record(view, record) for record in view.records],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _record(view: RunView, record: ShownRecord) -> dict[str, Any]:
    return {
        "run_id": view.run.run_id,
        "cell": asdict(record.cell),
        "versions": dict(record.versions),
        "status": str(record.status),
        "reason": record.reason,
        "samples": [_sample(view, sample) for sample in record.samples],
        "stderr_tail": record.stderr_tail,
        "started": record.started,
        "duration_s": record.duration_s,
        "conditions": asdict(record.conditions) if record.conditions else None,
    }


def _sample(view: RunView, sample: ShownSample) -> dict[str, Any]:
    values = {name: value for name, value in sample.values.items() if _wanted(view, name)}
    everything = {**values, **sample.series}
    return {
        "values": _known(values),
        "series": _known(sample.series),
        "withheld": {k: v.reason for k, v in everything.items() if isinstance(v, Withheld)},
        "process": sample.process,
    }


def _wanted(view: RunView, metric: str) -> bool:
    return not view.chosen or metric in view.chosen


def _known(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, Withheld) else v for k, v in figures.items()}
