"""`baton demo`: the whole path on lifelike data, and what it says."""

from __future__ import annotations

import sys
from typing import Any

import click

from schemas.errors import ExitCode
from streams import demo as demonstration
from streams.cli.output import data, json_option, print_json, print_rows, progress, say
from streams.project import Project
from streams.reading import ask_warehouse
from streams.replay import Verification, verify

QUESTIONS = {
    "handoff_latency_by_pair": """
        select replace(from_team || ' → ' || to_team, '_', ' ') as "handoff", offered, n, p50_minutes as p50,
            p90_minutes as p90, p95_minutes as p95, sla_due as "SLA due", sla_past_due as "past due",
            round(100 * sla_kept_share, 1) as "kept %"
        from funnel.handoff_pair""",
    "funnel": """
        select stage, entered, advanced, lost, returned, elsewhere,
            still_there as "still there",
            round(100 * cohort_rate, 1) as "cohort %", round(100 * in_period_rate, 1) as "in-period %",
            round(100 * open_rate, 1) as "open %"
        from funnel.funnel_stage where window_start = (
            select max(window_start) from funnel.funnel_stage
            where window_start < (select date_trunc('month', as_of) from warehouse.as_of))
        order by position""",
    "black_hole": "select state, handoffs, says from funnel.black_hole",
    "alerts": """
        select rule, severity, replace(replace(subject, '>', ' → '), '_', ' ') as "handoff", state,
            count(*) as alerts, max(window_start_at) as latest
        from funnel.alert group by all order by alerts desc""",
}


@click.command()
@click.option("--once", is_flag=True, help="Run, print, and leave nothing running (what `make demo` does).")
@click.option("--seed", default=7, show_default=True, help="Which story.")
@click.option(
    "--leads", default=5_000, show_default=True, help="How many leads it has; about 11 events each."
)
@json_option
def demo(once: bool, seed: int, leads: int, as_json: bool) -> None:
    """A made-up company's quarter through a real Kafka, and what Marketing and Sales see.

    Runs in a folder of its own (.baton-demo). Without --once, Kafka and the worker stay up afterwards.
    """
    project = demonstration.prepare(Project.here())
    try:
        with progress() as bar:
            task = bar.add_task("events")
            run = demonstration.run(
                project,
                seed=seed,
                leads=leads,
                tell=say,
                advance=lambda done, total: bar.update(task, completed=done, total=total),
            )
        say("Replaying the log from nothing to check every number ...")
        verification = verify(project)
        answers = {name: ask_warehouse(project, question) for name, question in QUESTIONS.items()}
    except BaseException:
        demonstration.tidy(project)
        raise
    if once:
        demonstration.tidy(project)
    if as_json:
        print_json(_as_dict(run, answers, verification))
    else:
        _show(run, answers, verification, once)
    if not verification.is_equal:
        sys.exit(int(ExitCode.DATA_PROBLEMS))


Answers = dict[str, tuple[list[str], list[tuple[Any, ...]]]]


def _as_dict(run: demonstration.DemoRun, answers: Answers, verification: Verification) -> dict[str, Any]:
    said = {
        name: [dict(zip(columns, row, strict=True)) for row in rows]
        for name, (columns, rows) in answers.items()
    }
    return {
        "as_of": run.as_of,
        "records": run.records,
        "seconds": run.seconds,
        **said,
        "verify": verification.as_dict(),
    }


def _show(run: demonstration.DemoRun, answers: Answers, verification: Verification, is_stopped: bool) -> None:
    data.print(f"\n{run.records:,} records of both teams, through Kafka, as of {run.as_of:%d %B %Y}\n")
    _section(
        "How long one team lets another wait",
        "business minutes from the offer to the first answer, n = answered; SLA due = ever missed,\n"
        "past due = missed and still open",
        answers["handoff_latency_by_pair"],
    )
    _section(
        "The shared funnel, last full month",
        "cohort: of those who entered, the share that ever advanced; in-period: advances / entries of the\n"
        "month; open: undecided. Entered = advanced + lost + returned + elsewhere + still there",
        answers["funnel"],
    )
    columns, states = answers["black_hole"]
    total = sum(row[1] for row in states)
    _section(
        "Where every lead handed over is now",
        "each is in exactly one state",
        (columns, [*states, ("all", total, "")]),
    )
    offered = sum(row[1] for row in answers["handoff_latency_by_pair"][1])
    data.print(f"{total:,} handoffs in a state = {offered:,} offered\n")
    if answers["alerts"][1]:
        _section(
            "Alerts raised on the stream",
            "too many answers overdue in one hour of event time",
            answers["alerts"],
        )
    books = verification.live.books
    data.print(
        f"The log holds {books.total:,} records: {books.good:,} good + {books.failed:,} failed"
        f" + {books.duplicate:,} duplicate."
    )
    tables = len(verification.live.tables)
    verdict = "equal" if verification.is_equal else f"NOT EQUAL: {', '.join(verification.differing)}"
    data.print(f"verify: {verdict} (a replay from nothing, {tables} tables by content hash)\n")
    say("took   " + ", ".join(f"{step} {seconds} s" for step, seconds in run.seconds.items()))
    say(f'next:  BATON_HOME={demonstration.DEMO_FOLDER} baton sql "from funnel.lead_journey limit 20"')
    if not is_stopped:
        say(f"       BATON_HOME={demonstration.DEMO_FOLDER} baton down")


def _section(title: str, meaning: str, answer: tuple[list[str], list[tuple[Any, ...]]]) -> None:
    data.print(f"[bold]{title}[/bold]")
    data.print(f"[dim]{meaning}[/dim]")
    print_rows(*answer)
    data.print()
