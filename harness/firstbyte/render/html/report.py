"""The report: one HTML file that holds everything, needs no network and runs no script.

Every text passes through the template's escaping; the only raw insertions are the style sheet and
our own drawings. The same run gives the same bytes: nothing is read from the clock or the machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from firstbyte.api import Metric
from firstbyte.leaks.kept import LEGEND, Verdicts
from firstbyte.model import Status
from firstbyte.render import provenance
from firstbyte.render.html.figures import Drawing, colours, drawings
from firstbyte.render.tables import WITHHELD, Problem, RunView, Table
from firstbyte.units import DECIMAL_NOTE

_SETTINGS_IN_SUMMARY = 4
"""A scenario with more settings of its parameters has its figures in its own section only."""


@dataclass(frozen=True, slots=True)
class CorpusPart:
    """A scenario on one corpus."""

    corpus: str
    tables: list[Table]
    details: list[Table]
    drawings: list[Drawing]


@dataclass(frozen=True, slots=True)
class Section:
    """A scenario of the report."""

    name: str
    doc: list[str]
    settings: tuple[str, ...]
    """The parameters, as `name=value`, that are the same all over it."""
    parts: list[CorpusPart]
    problems: list[Problem]


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """A row of 'what was measured'."""

    label: str
    colour: str
    language: str
    format: str
    summary: str
    versions: str


def render(
    view: RunView,
    made_by: str = "",
    *,
    leaks: Verdicts | None = None,
    certificates: Sequence[str] = (),
) -> str:
    """The whole report as text.

    `made_by` is the command that writes it, shown in its head: by default the run's own command.
    `leaks` are the verdicts of a leak check beside the run, `certificates` what self-checks of its
    host said, a line each.
    """
    run = view.run
    environment = Environment(
        loader=PackageLoader("firstbyte.render.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("report.html.j2")
    sections = [_section(view, scenario) for scenario in view.scenarios()]
    return template.render(
        run=run,
        made_by=made_by or run.command,
        command=run.command,
        style=Markup(environment.get_template("style.css").render()),
        summaries=_summaries(view),
        beyond_summary=[name for name in view.scenarios() if not _in_summary(view, name)],
        subjects=_subjects(view),
        sections=sections,
        counts=view.counts(),
        extent=view.shown.extent if view.shown.lacking else f"{len(view.records)} cells",
        notes=view.notes,
        problems=view.problems(),
        host=provenance.rows(run.host),
        git=provenance.rows(run.git),
        versions=provenance.rows(run.versions),
        corpora={name: provenance.rows(manifest) for name, manifest in run.corpora.items()},
        headline_host=provenance.brief(run.host),
        decimal_note=DECIMAL_NOTE,
        leaks=leaks,
        leaks_legend=LEGEND,
        certificates=certificates,
        quiet={str(Status.SKIPPED), WITHHELD},
        raw=Markup,
    )


def _section(view: RunView, scenario: str) -> Section:
    known = view.catalogue.scenarios.get(scenario)
    paragraphs = known.doc.split("\n\n") if known and known.doc else []
    headline = view.headline_metrics(scenario)
    others = [metric for metric in view.metrics(scenario) if metric not in headline]
    parts = [
        CorpusPart(
            corpus,
            view.tables(scenario, corpus, headline),
            _details(view, scenario, corpus, others),
            drawings(view, scenario, corpus),
        )
        for corpus in view.corpora(scenario)
    ]
    return Section(
        scenario,
        paragraphs,
        view.constant(scenario),
        parts,
        view.problems(lambda cell: cell.scenario == scenario),
    )


def _details(view: RunView, scenario: str, corpus: str, metrics: Sequence[Metric]) -> list[Table]:
    """The other metrics, one table per setting: here the parts of one cell belong side by side."""
    found: list[Table] = []
    for params in view.settings(scenario):
        tried = [metric for metric in metrics if params in view.settings_of(scenario, metric)]
        if tried:
            places = [(metric, params) for metric in tried]
            caption = " ".join(view.varying(scenario, params))
            found.append(view.table(scenario, corpus, places, caption))
    return found


def _in_summary(view: RunView, scenario: str) -> bool:
    return len(view.settings(scenario)) <= _SETTINGS_IN_SUMMARY


def _summaries(view: RunView) -> list[tuple[str, list[Table]]]:
    """Per corpus, one table of headline figures for each scenario that is small enough."""
    corpora = dict.fromkeys(record.cell.corpus for record in view.records)
    found: list[tuple[str, list[Table]]] = []
    for corpus in corpora:
        tables = [
            view.table(
                scenario,
                corpus,
                [
                    (metric, params)
                    for metric in view.headline_metrics(scenario)
                    for params in view.settings_of(scenario, metric)
                ],
                scenario,
            )
            for scenario in view.scenarios()
            if corpus in view.corpora(scenario)
            and _in_summary(view, scenario)
            and view.headline_metrics(scenario)
        ]
        found.append((corpus, tables))
    return found


def _subjects(view: RunView) -> list[SubjectRow]:
    palette = colours(view)
    found: list[SubjectRow] = []
    for cell in view.subjects():
        known = view.catalogue.backends.get(cell.backend)
        variants = {variant.name: variant.summary for variant in known.variants} if known else {}
        versions = next(
            (
                provenance.flat(record.versions)
                for record in view.records
                if record.cell.subject_here == cell.subject_here and record.versions
            ),
            "not known: it never started",
        )
        found.append(
            SubjectRow(
                view.label(cell),
                palette[cell.backend],
                known.language if known else "",
                known.format if known else "",
                variants.get(cell.variant, "") or (known.summary if known else ""),
                versions,
            )
        )
    return found
