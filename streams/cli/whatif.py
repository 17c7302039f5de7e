"""`baton whatif`: a proposed playbook applied to recorded history."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

import click

from projections.playbook import read_playbook
from streams.cli.options import instant
from streams.cli.output import json_option, print_json, print_labelled, print_rows, say
from streams.project import Project
from streams.queries.signing import playbook_in_force
from streams.queries.warehouse_access import ask_warehouse, recorded
from streams.queries.whatif import VIEWS, WORDS, Measure, WhatIf, compare, sentences


@click.command()
@click.option(
    "--playbook",
    "file",
    required=True,
    type=click.Path(path_type=Path),
    help="The proposed playbook; it is not put into force.",
)
@click.option("--since", metavar="DAY", help="Count only what happened since this day or instant.")
@json_option
def whatif(file: Path, since: str | None, as_json: bool) -> None:
    """Compare a proposed playbook with the one in force, on recorded history.

    Shows which leads would have qualified, been late or been recycled, and how precision, recall, workload
    per team and expected revenue change. Read-only.

    \b
    Example:
      baton whatif --playbook new.toml --since 2026-01-01
    """
    proposed = read_playbook(file)
    project = Project.here()
    start = instant(since, "--since") if since else None
    _, [[as_of]] = ask_warehouse(project, "select as_of from warehouse.as_of")
    begun = time.perf_counter()
    with recorded(project, VIEWS) as records:
        found = compare(records, playbook_in_force(project, as_of), proposed, as_of, start)
    seconds = time.perf_counter() - begun
    if as_json:
        print_json(found.as_dict() | {"seconds": round(seconds, 3)})
        return
    say(f"{found.events:,} events evaluated under both playbooks in {seconds:.1f} s")
    show(found, str(file))


def show(found: WhatIf, name: str) -> None:
    """Print the comparison."""
    click.echo(
        f"As of {found.as_of:%Y-%m-%d %H:%M} UTC" + (f", since {found.since:%Y-%m-%d}" if found.since else "")
    )
    print_rows(
        ("measure", "in force", "proposed", "change", "n"),
        [(_label(m, found.currency), *_values(m)) for m in found.measures if m.measure != "owed" or m.change],
        title=f"In force: {found.in_force[:12]}. Proposed: {name} ({found.proposed[:12]}).",
    )
    print()
    for sentence in sentences(found):
        print_labelled("-", sentence, width=1)


def _label(measure: Measure, currency: str) -> str:
    """What is measured, of whom, in which currency. Short, so that the table fits 80 columns."""
    parts = [WORDS[measure.measure]]
    parts += [] if measure.whom == "all" else [measure.whom.replace("_", " ")]
    parts += [currency] if measure.unit == "money" else []
    return ", ".join(parts)


# Digits after the point of a value as it is shown; a share is shown in percent.
DIGITS = {"share": 1, "money": 2, "per_week": 1}


def _values(measure: Measure) -> tuple[str, str, str, str]:
    """As they are printed. The change is that of the numbers printed, so that it can be checked by eye."""
    was, would_be = (_rounded(value, measure.unit) for value in (measure.in_force, measure.proposed))
    change = None if was is None or would_be is None else would_be - was
    cases = f"{measure.n_in_force:,}"
    if measure.n_proposed != measure.n_in_force:
        cases += f" → {measure.n_proposed:,}"
    percent, points = (" %", " points") if measure.unit == "share" else ("", "")
    return (
        "–" if was is None else f"{was:,}{percent}",
        "–" if would_be is None else f"{would_be:,}{percent}",
        "–" if change is None else f"{change:+,}{points}",
        cases,
    )


def _rounded(value: Decimal | None, unit: str) -> Decimal | None:
    if value is None:
        return None
    return round(value * 100 if unit == "share" else value, DIGITS.get(unit, 0))
