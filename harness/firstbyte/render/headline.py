"""The headline of a run: a few chosen columns over all backends, absolute values first, ratios last.

What belongs in it is an editorial choice, so README itself holds it, in the comment that opens its
table; the harness knows no scenario and no backend by name:

    <!-- headline:begin
    corpus: gettext
    baseline: legacy:r1
    column: First byte | time_to_first_byte | first_byte_ns | start=cold cache=warm
    -->

Every line is optional. Without columns every headline metric of every scenario is one; without a
baseline there are no ratios; without a corpus it is the first of the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from firstbyte.api import Metric
from firstbyte.errors import HarnessError, UnknownNameError
from firstbyte.model import params_text
from firstbyte.render.tables import NOT_RUN, Column, RunView, TableFigure, heading


@dataclass(frozen=True, slots=True)
class Wanted:
    """One column as README asks for it; `params` is a params text, as in `Cell.key`."""

    heading: str
    scenario: str
    metric: str
    params: str


@dataclass(frozen=True, slots=True)
class HeadlineSpec:
    corpus: str = ""
    baseline: str = ""
    columns: tuple[Wanted, ...] = ()


@dataclass(frozen=True, slots=True)
class HeadlineRow:
    """One backend and variant: its figures and its ratios to the baseline, None where there is none."""

    backend: str
    label: str
    figures: tuple[TableFigure, ...]
    ratios: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Headline:
    corpus: str
    baseline: str
    headings: tuple[str, ...]
    columns: tuple[Column, ...]
    lines: tuple[HeadlineRow, ...]


def parse(text: str) -> HeadlineSpec:
    """The lines between `headline:begin` and the end of its comment. Raises HarnessError."""
    spec = HeadlineSpec()
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, value = (part.strip() for part in line.partition(":"))
        if name == "column":
            spec = replace(spec, columns=(*spec.columns, _wanted(value)))
        elif name == "corpus":
            spec = replace(spec, corpus=value)
        elif name == "baseline":
            spec = replace(spec, baseline=value)
        else:
            raise UnknownNameError("headline setting", name, ["baseline", "column", "corpus"])
    return spec


def headline(view: RunView, spec: HeadlineSpec) -> Headline:
    """The figures that `spec` asks for.

    Raises UnknownNameError for a corpus, scenario, metric, setting or baseline that the run lacks.
    """
    if not view.records:
        raise HarnessError("the run has no records: there is no headline to make")
    corpora = list(dict.fromkeys(record.cell.corpus for record in view.records))
    corpus = spec.corpus or corpora[0]
    if corpus not in corpora:
        raise UnknownNameError("corpus of the run", corpus, corpora)
    wanted = spec.columns or tuple(_everything(view))
    columns: list[Column] = []
    found: list[dict[str, TableFigure]] = []
    for want in wanted:
        table = view.table(want.scenario, corpus, [(_metric(view, want), _setting(view, want))], "")
        columns.append(table.columns[0])
        found.append({row.label: row.figures[0] for row in table.rows})
    labels = {view.label(subject): subject.backend for subject in view.subjects()}
    if spec.baseline and spec.baseline not in labels:
        raise UnknownNameError("baseline in the run", spec.baseline, labels)
    base = [figures.get(spec.baseline, TableFigure(NOT_RUN)) for figures in found]
    lines = []
    for label, backend in labels.items():
        figures = tuple(column.get(label, TableFigure(NOT_RUN)) for column in found)
        ratios = tuple(
            _ratio(figure, of, column.better)
            for figure, of, column in zip(figures, base, columns, strict=True)
        )
        lines.append(HeadlineRow(backend, label, figures, ratios if spec.baseline else ()))
    headings = tuple(want.heading for want in wanted)
    return Headline(corpus, spec.baseline, headings, tuple(columns), tuple(lines))


def _ratio(figure: TableFigure, base: TableFigure, better: str) -> float | None:
    """How many times better than the baseline; None unless both were measured and are positive."""
    if figure.median is None or base.median is None or min(figure.median, base.median) <= 0:
        return None
    return figure.median / base.median if better == "higher" else base.median / figure.median


def _wanted(value: str) -> Wanted:
    parts = [part.strip() for part in value.split("|")]
    if len(parts) not in (3, 4):
        raise HarnessError(
            f"headline column '{value}' must be HEADING | SCENARIO | METRIC [| NAME=VALUE ...]"
        )
    pairs = dict(part.partition("=")[::2] for part in (parts[3] if parts[3:] else "").split())
    return Wanted(parts[0], parts[1], parts[2], params_text(pairs))


def _everything(view: RunView) -> Sequence[Wanted]:
    return [
        Wanted(
            ", ".join([heading(metric), *view.constant(scenario), *view.varying(scenario, params)]),
            scenario,
            metric.name,
            params,
        )
        for scenario in view.scenarios()
        for metric in view.headline_metrics(scenario)
        for params in view.settings(scenario)
    ]


def _metric(view: RunView, want: Wanted) -> Metric:
    if want.scenario not in view.scenarios():
        raise UnknownNameError("scenario in the run", want.scenario, view.scenarios())
    for metric in view.metrics(want.scenario):
        if metric.name == want.metric:
            return metric
    names = [metric.name for metric in view.metrics(want.scenario)]
    raise UnknownNameError(f"metric of {want.scenario}", want.metric, names)


def _setting(view: RunView, want: Wanted) -> str:
    settings = view.settings(want.scenario)
    if want.params not in settings:
        raise UnknownNameError(
            f"setting of {want.scenario}", want.params, [setting or "none" for setting in settings]
        )
    return want.params
