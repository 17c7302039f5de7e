"""`baton simulate`: a made-up funnel to try things on."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from streams.cli.output import json_option, print_json, print_rows, progress, say
from streams.simulator import Summary
from streams.simulator import simulate as write_simulation
from streams.simulator.simulation import DAYS, DUPLICATES, LATE, START


@click.command()
@click.option("--seed", type=int, required=True, help="The same seed gives the same bytes.")
@click.option("--leads", type=int, required=True, help="How many leads; each gives about 12 events.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write into.")
@click.option(
    "--start",
    type=click.DateTime(["%Y-%m-%d"]),
    default=START.isoformat(),
    show_default=True,
    help="First day of the period, in UTC.",
)
@click.option("--days", type=int, default=DAYS, show_default=True, help="Length of the period.")
@click.option(
    "--duplicates", type=float, default=DUPLICATES, show_default=True, help="Share of events written twice."
)
@click.option(
    "--late", type=float, default=LATE, show_default=True, help="Share that arrives 1 hour to 90 days late."
)
@json_option
def simulate(
    seed: int,
    leads: int,
    out: Path,
    start: datetime,
    days: int,
    duplicates: float,
    late: float,
    as_json: bool,
) -> None:
    """Write a simulated funnel to events.jsonl, in order of arrival. `baton publish` reads it."""
    with progress() as bar:
        task = bar.add_task("simulating leads", total=leads)
        summary = write_simulation(
            seed,
            leads,
            out,
            start=start.date(),
            days=days,
            duplicates=duplicates,
            late=late,
            advance=lambda count: bar.advance(task, count),
        )
    _show(summary, as_json)


def _show(summary: Summary, as_json: bool) -> None:
    if as_json:
        print_json(summary.as_dict())
        return
    as_of = summary.as_dict()["as_of"]
    say(f"{summary.events:,} events of {summary.leads:,} leads up to {as_of} in {summary.out}")
    print_rows(
        ("type", "events"),
        [*summary.by_type.items(), ("duplicates", summary.duplicates), ("all", summary.events)],
    )
