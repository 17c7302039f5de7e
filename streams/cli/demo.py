"""`baton demo`: the whole pipeline on simulated data, and the numbers it leads to."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from projections.changes import changes
from projections.playbook import read_playbook
from schemas.errors import BatonError, ExitCode
from streams import demo as demonstration
from streams.cli.output import advancing, data, json_option, print_json, print_rows, progress, say
from streams.cli.whatif import show as show_whatif
from streams.local.worker_process import page_of
from streams.project import Project
from streams.queries.signing import playbook_in_force
from streams.queries.verification import Verification, verify
from streams.queries.warehouse_access import ask_warehouse, recorded
from streams.queries.whatif import VIEWS, WhatIf, compare
from streams.web.picture import take_picture

_THIS_QUARTER = """(
    select quarter_of((as_of at time zone zone)::date) from warehouse.as_of, playbook.version)"""
QUESTIONS = {
    "handoff_latency_by_pair": """
        select replace(from_team || ' → ' || to_team, '_', ' ') as "handoff", offered, n,
            round(p50_minutes, 1) as p50, round(p90_minutes, 1) as p90, round(p95_minutes, 1) as p95,
            sla_due as "SLA due", sla_past_due as "past due", round(100 * sla_kept_share, 1) as "kept %"
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
    "goal": f"""
        select metric as "goal", replace(owner_team, '_', ' ') as "owner", goal_amount, actual,
            round(100 * attained_share, 1) as "reached %", round(100 * pace, 1) as "pace %", gap, n, currency
        from funnel.goal_attainment where period = {_THIS_QUARTER} order by metric desc""",
    "gap": f"""
        select replace(cause, '_', ' ') as "cause", replace(coalesce(owner_team, ''), '_', ' ') as "owner",
            amount, n, says
        from funnel.gap_bridge where period = {_THIS_QUARTER} order by position""",
    "definition": """
        select qualified, answered, accepted,
            round(100 * precision_at_acceptance, 1) as "of answered, accepted %",
            won, lost, round(100 * precision_at_win, 1) as "of decided, won %",
            wins, round(100 * recall, 1) as "of wins, named before %", missed_value, currency
        from funnel.definition_quality where segment = 'all'""",
    "alerts": """
        select rule, severity, count(*) as alerts, count(*) filter (where is_open) as open,
            count(*) filter (where state = 'resolved') as resolved,
            count(*) filter (where state = 'retracted') as retracted, max(opened_at) as latest
        from funnel.alert group by all order by alerts desc, rule""",
    "alert_history": """
        select happened_at, step, by_whom as receiver, says
        from funnel.alert_history
        where alert_id = (
            select max_by(alert_id, {'resolved_at': resolved_at, 'alert_id': alert_id}) from funnel.alert
            where state = 'resolved' and alert_id in (
                select alert_id from funnel.alert_notice where step = 'ended' and not is_undelivered))
            and says not like '%trying'
        order by happened_at, event_type desc, says desc""",
}


@click.command()
@click.option("--once", is_flag=True, help="Stop Kafka and the workers at the end (as `make demo` does).")
@click.option("--seed", default=7, show_default=True, help="Seed of the simulation.")
@click.option(
    "--leads",
    type=click.IntRange(min=1),
    default=5_000,
    show_default=True,
    help="Number of leads, with about 11 events each.",
)
@click.option("--yes", is_flag=True, help="Empty the folder of an earlier demo without asking.")
@json_option
def demo(once: bool, seed: int, leads: int, yes: bool, as_json: bool) -> None:
    """Run a simulated company's quarter through a real Kafka, and print what both teams see.

    Uses its own folder, .baton-demo, and empties it first; asks before when an earlier demo runs there, or
    something was published to it. Without --once, Kafka and the workers keep running.

    \b
    Example:
      baton demo --once
    """
    _ask_before_emptying(Project.here(), yes)
    project = demonstration.prepare(Project.here())
    try:
        with progress() as bar:
            run = demonstration.run(
                project, seed=seed, leads=leads, report=say, step=lambda words: advancing(bar, words)
            )
        say("Replaying the log into an empty warehouse to verify every number ...")
        verification = verify(project)
        answers = {name: ask_warehouse(project, question) for name, question in QUESTIONS.items()}
        picture = _picture(project)
        proposed = demonstration.propose(project)
        with recorded(project, VIEWS) as records:
            tried = compare(
                records, playbook_in_force(project, run.as_of), read_playbook(proposed), run.as_of
            )
    except BaseException:
        demonstration.tidy(project)
        raise
    if once:
        demonstration.tidy(project)
    if as_json:
        print_json(_as_dict(run, answers, tried, verification))
    else:
        _show(run, answers, verification)
        _show_whatif(tried, project.playbook_file, proposed)
        _show_end(run, verification, picture, once)
    if not verification.is_equal:
        sys.exit(int(ExitCode.DATA_PROBLEMS))


def _ask_before_emptying(project: Project, is_agreed: bool) -> None:
    """Ends the command unless the folder may be emptied. Nobody is asked who is not at a terminal."""
    why = "" if is_agreed else demonstration.in_use(project)
    if not why:
        return
    folder = demonstration.DEMO_FOLDER
    if sys.stdin.isatty():
        click.confirm(f"{folder} holds an earlier demo, and {why}. Empty it?", err=True, abort=True)
        return
    raise BatonError(
        "An earlier demo would be lost",
        where=str(project.cwd / folder),
        why=why,
        next_command="baton demo --yes   (empties the folder and begins again)",
    )


Answers = dict[str, tuple[list[str], list[tuple[Any, ...]]]]


def _as_dict(
    run: demonstration.DemoRun, answers: Answers, tried: WhatIf, verification: Verification
) -> dict[str, Any]:
    said = {
        name: [dict(zip(columns, row, strict=True)) for row in rows]
        for name, (columns, rows) in answers.items()
    }
    return {
        "as_of": run.as_of,
        "records": run.records,
        "seconds": run.seconds,
        **said,
        "whatif": tried.as_dict(),
        "verify": verification.as_dict(),
    }


def _show(run: demonstration.DemoRun, answers: Answers, verification: Verification) -> None:
    data.print(f"\n{run.records:,} records of both teams, through Kafka, as of {run.as_of:%d %B %Y}\n")
    _section(
        "Handoff latency by pair of teams",
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
        "Black hole: the state of every handoff",
        "each handoff is in exactly one state",
        (columns, [*states, ("all", total, "")]),
    )
    offered = sum(row[1] for row in answers["handoff_latency_by_pair"][1])
    data.print(f"{total:,} handoffs in a state = {offered:,} offered\n")
    if answers["alerts"][1]:
        _section(
            "Alerts raised on the stream",
            "at risk or past due by the playbook's rules, and too many overdue answers within an hour",
            answers["alerts"],
        )
    if answers["alert_history"][1]:
        _section(
            "The latest alert that ended, from its opening to the receiver",
            "it reached .baton-demo/alerts.txt once at each end; the page shows the same history",
            answers["alert_history"],
        )
    _section(
        "One goal: this quarter, and each team's share of it",
        "pace: reached / expected by now; retained revenue is kept, not won",
        answers["goal"],
    )
    _section(
        "The gap to the goal by cause, in money",
        "Shapley values: each cause averaged over every order, so that no order favours a team; they add up\n"
        "to the gap in revenue and retained revenue together. Positive is a shortfall, negative a gain",
        answers["gap"],
    )
    _section(
        "One definition: precision and recall of the qualified lead",
        "precision: share of qualified leads accepted and won; recall: share of wins qualified before",
        answers["definition"],
    )


def _show_whatif(tried: WhatIf, in_force: Path, proposed: Path) -> None:
    data.print("[bold]What if: a stricter playbook[/bold]")
    data.print("[dim]both playbooks are applied to the same recorded events; the proposal changes:[/dim]")
    for change in changes(read_playbook(in_force), read_playbook(proposed)):
        data.print(f"- {change.says}", markup=False)
    show_whatif(tried, str(proposed))
    data.print()


def _picture(project: Project) -> Path | None:
    """A picture of the page in the demo's folder; None without a browser."""
    file, url = project.home / "page.png", page_of(project.numbers)
    return file if url is not None and take_picture(url, file) else None


def _show_end(
    run: demonstration.DemoRun, verification: Verification, picture: Path | None, is_stopped: bool
) -> None:
    counts = verification.live.record_counts
    quarter = f"{run.as_of.year}-Q{(run.as_of.month + 2) // 3}"
    data.print(
        f"The log holds {counts.total:,} records: {counts.good:,} good + {counts.failed:,} failed"
        f" + {counts.duplicate:,} duplicate."
    )
    tables = len(verification.live.tables)
    verdict = "equal" if verification.is_equal else f"NOT EQUAL: {', '.join(verification.differing)}"
    data.print(f"verify: {verdict} (live and replay, {tables} tables by content hash)\n")
    url = page_of(run.project.numbers)
    if url is not None and not is_stopped:
        data.print(f"The page is at {url}\n")
    if picture is not None:
        data.print(f"A picture of the page: {picture.relative_to(run.project.cwd)}\n")
    say("took   " + ", ".join(f"{step} {seconds} s" for step, seconds in run.seconds.items()))
    say(f"next:  BATON_HOME={demonstration.DEMO_FOLDER} baton explain goal_attainment {quarter} sales")
    say(f'       BATON_HOME={demonstration.DEMO_FOLDER} baton sql "from funnel.lead_journey limit 20"')
    if is_stopped:
        say(f"       BATON_HOME={demonstration.DEMO_FOLDER} baton page    (in a browser; Ctrl-C ends it)")
    else:
        say(f"       BATON_HOME={demonstration.DEMO_FOLDER} baton down")


def _section(title: str, meaning: str, answer: tuple[list[str], list[tuple[Any, ...]]]) -> None:
    data.print(f"[bold]{title}[/bold]")
    data.print(f"[dim]{meaning}[/dim]")
    columns, rows = answer
    print_rows(["description" if name == "says" else name for name in columns], rows)
    data.print()
