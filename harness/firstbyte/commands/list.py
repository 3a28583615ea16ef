"""`firstbyte list`: what can be run here, and what cannot and why."""

from __future__ import annotations

import click


@click.command(short_help="Show backends, scenarios, instruments and corpora.")
def command() -> None:
    """Show backends with their variants, scenarios, instruments and corpora.

    What is not available says why, and what to do.
    """
    from rich.console import Console
    from rich.table import Table

    from firstbyte.corpora.catalogue import available
    from firstbyte.engine import registry

    catalogue = registry.discover()
    console = Console()

    backends = Table("backend", "variant", "language", "format", "what it is", title="backends")
    for backend in catalogue.backends.values():
        state = f" [UNAVAILABLE: {backend.unavailable}]" if backend.unavailable else ""
        backends.add_row(
            backend.name, "", backend.language, backend.format, _plain(backend.summary + state)
        )
        for variant in backend.variants:
            marks = [m for m, on in (("default", variant.default), ("best", variant.best)) if on]
            name = variant.name + (f" ({', '.join(marks)})" if marks else "")
            backends.add_row("", _plain(name), "", "", _plain(variant.summary))
    console.print(backends)

    scenarios = Table("scenario", "parameters", "instruments", "what it does", title="scenarios")
    for scenario in catalogue.scenarios.values():
        grid = "\n".join(
            f"{name}: {', '.join(map(str, values))}"
            for name, values in scenario.module.GRID.items()
        )
        first_line = scenario.doc.partition("\n")[0]
        scenarios.add_row(
            scenario.name, _plain(grid), ", ".join(scenario.module.INSTRUMENTS), _plain(first_line)
        )
    console.print(scenarios)

    instruments = Table("instrument", "what it observes", title="instruments")
    for instrument in catalogue.instruments.values():
        instruments.add_row(instrument.name, _plain(instrument.doc.partition("\n")[0]))
    console.print(instruments)

    corpora = Table("corpus", "what it is", "options", title="corpora")
    for name, summary, options in available():
        corpora.add_row(name, _plain(summary), _plain(str(options)))
    console.print(corpora)


def _plain(text: str):  # type: ignore[no-untyped-def]
    """Text without markup: what a folder says about itself must not be able to colour or break it."""
    from rich.text import Text

    return Text(text)
