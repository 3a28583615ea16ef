"""What is shown of a run as tidy pandas frames: one row per figure, so that all else is a group-by.

Only records whose status is OK give figures. All others appear in `statuses`, and nowhere else. A
figure that is withheld is a row without a number in `figures`, and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from firstbyte.model import CellKey, Param, params_text
from firstbyte.visibility.shown import ShownRecord, Withheld

CELL = list(CellKey._fields)
"""The columns that together identify a cell."""

CLOCK = "clock"
MICRO_CLOCK = "pytest_benchmark"
"""The other instrument whose times count: it has a process of its own and nothing beside it."""
_PREFERENCE = (CLOCK, "proc_memory")


def figures(records: Iterable[ShownRecord]) -> pd.DataFrame:
    """One row per sample and metric of the OK records.

    Columns: `CELL`, process, sample (its number within the cell), metric, value (float, in the unit
    that the metric's name ends with; NaN where it is withheld), withheld (why; empty where it is not).
    """
    rows = [
        {**_identity(record), "process": sample.process, "sample": number, "metric": metric}
        | _value(value)
        for record in records
        if record.ok
        for number, sample in enumerate(record.samples)
        for metric, value in sample.values.items()
    ]
    return pd.DataFrame(
        rows, columns=[*CELL, "process", "sample", "metric", "value", "withheld"]
    ).astype({"value": float})


def samples(records: Iterable[ShownRecord]) -> pd.DataFrame:
    """The rows of `figures` that have a number, without the column `withheld`."""
    frame = figures(records)
    return frame[frame["withheld"] == ""].drop(columns="withheld").reset_index(drop=True)


def series(records: Iterable[ShownRecord]) -> pd.DataFrame:
    """One row per element of every raw series of the OK records.

    Columns: `CELL`, process, sample, metric (the series' name), position (0, 1, ...), value.
    """
    rows = [
        {**_identity(record), "process": sample.process, "sample": number, "metric": name}
        | {"position": position, "value": float(value)}
        for record in records
        if record.ok
        for number, sample in enumerate(record.samples)
        for name, values in sample.series.items()
        if not isinstance(values, Withheld)
        for position, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=[*CELL, "process", "sample", "metric", "position", "value"])


def statuses(records: Iterable[ShownRecord]) -> pd.DataFrame:
    """One row per record, OK or not: `CELL`, status, reason, samples (their number), duration_s."""
    rows = [
        _identity(record)
        | {
            "status": str(record.status),
            "reason": record.reason,
            "samples": len(record.samples),
            "duration_s": record.duration_s,
        }
        for record in records
    ]
    return pd.DataFrame(rows, columns=[*CELL, "status", "reason", "samples", "duration_s"])


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Per cell and metric of a `samples` frame: median, min, max, n (samples), processes."""
    grouped = frame.groupby([*CELL, "metric"], sort=False, dropna=False)
    result = grouped.agg(
        median=("value", "median"),
        min=("value", "min"),
        max=("value", "max"),
        n=("value", "size"),
        processes=("process", "nunique"),
    )
    return result.reset_index()


def efficiency(
    frame: pd.DataFrame,
    parameters: Mapping[str, Mapping[str, Param]],
    name: str,
    metric: str,
    parameter: str,
) -> pd.DataFrame:
    """Scaling efficiency per cell of one scenario's `summary` frame, in the form of that frame.

    `metric` at the parameter's value v, over v times `metric` at 1; `parameters` maps a params text
    to its values. It is a ratio of two medians: it has no samples, so min and max are NaN and n is 0.
    Cells without an OK cell at 1 beside them get no row.
    """
    rows: list[dict[str, Any]] = []
    single: dict[tuple[Any, ...], float] = {}
    found: list[tuple[tuple[Any, ...], float, dict[str, Any]]] = []
    for row in rows_of(frame[frame["metric"] == metric]):
        values = parameters[row["params"]]
        others = params_text({key: v for key, v in values.items() if key != parameter})
        key = (*(row[column] for column in CELL if column != "params"), others)
        times = float(values[parameter])
        found.append((key, times, row))
        if times == 1.0:
            single[key] = row["median"]
    for key, times, row in found:
        if single.get(key):
            value = row["median"] / (times * single[key])
            rows.append(
                row | {"metric": name, "median": value, "min": math.nan, "max": math.nan, "n": 0}
            )
    return pd.DataFrame(rows, columns=list(frame.columns))


def instrument_of(scenario: str, metric: str, frame: pd.DataFrame) -> str | None:
    """The one instrument from which a metric of a scenario is reported, None where none has it.

    `frame` is a `samples` or a `summary` frame.

    A scenario hands over the same figures under every instrument, but a time taken under an
    instrument that slows the worker is not a time: times and rates come from the clock alone, for
    all backends. Anything else comes from the least intrusive instrument that has it.
    """
    chosen = frame[(frame["scenario"] == scenario) & (frame["metric"] == metric)]
    if is_timing(metric):
        return MICRO_CLOCK if set(chosen["instrument"]) == {MICRO_CLOCK} else CLOCK
    return _preferred(set(chosen["instrument"]))


def reportable(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of a `samples` frame whose metric is reported from their instrument."""
    if frame.empty:
        return frame
    places = list(zip(frame["scenario"], frame["metric"], frame["instrument"], strict=True))
    chosen = {
        (scenario, metric): instrument_of(scenario, metric, frame)
        for scenario, metric in {place[:2] for place in places}
    }
    return frame[[chosen[place[:2]] == place[2] for place in places]]


def is_timing(metric: str) -> bool:
    """True for times and for rates, which are only true when nothing else was observed."""
    return metric.endswith(("_ns", "_per_s"))


def _preferred(instruments: Collection[str]) -> str | None:
    for instrument in _PREFERENCE:
        if instrument in instruments:
            return instrument
    return min(instruments, default=None)


def key_of(row: Mapping[str, Any]) -> CellKey:
    """The cell that a row is of."""
    return CellKey(*(row[name] for name in CELL))


def _identity(record: ShownRecord) -> dict[str, Any]:
    return record.cell.key._asdict()


def _value(value: float | Withheld) -> dict[str, Any]:
    if isinstance(value, Withheld):
        return {"value": math.nan, "withheld": value.reason}
    return {"value": float(value), "withheld": ""}


def rows_of(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The frame's rows as dictionaries, in order."""
    for row in frame.to_dict("records"):
        yield {str(name): value for name, value in row.items()}
