"""`baton bench`: what this costs on this machine, beside what else could do it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from schemas.errors import BatonError, ExitCode
from streams.bench.case import EVENTS, Scale
from streams.bench.load import Advance
from streams.bench.report import COLUMNS, Report
from streams.bench.run import CASES, run
from streams.cli.output import json_option, print_json, print_rows, progress, say

PAGE = "docs/benchmarks.md"


@click.command()
@click.option("--events", type=click.IntRange(min=100), help=f"Size of the load (default: about {EVENTS:,}).")
@click.option("--quick", is_flag=True, help="Small loads and few rounds: shows that it runs, not how fast.")
@click.option("--only", multiple=True, type=click.Choice(list(CASES)), help="Measure these cases only.")
@click.option("--write", is_flag=False, flag_value=PAGE, help=f"Write the page (default: {PAGE}).")
@click.option("--check", is_flag=True, help="Exit code 5 when a target is missed.")
@json_option
def bench(
    events: int | None, quick: bool, only: tuple[str, ...], write: str | None, check: bool, as_json: bool
) -> None:
    """Measure Baton beside its peers, each with the same load from a real Kafka.

    It starts a broker of its own in a temporary folder (or uses an empty one: BATON_KAFKA_BENCH) and leaves
    nothing behind. A full run takes some minutes; nothing else should run on the machine meanwhile.
    """
    # The broker and the worker that are measured are ours to stop, also when somebody stops us.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    _refuse_unwritable(write)
    with progress() as bar:

        def advance(what: str, total: int) -> Advance:
            task = bar.add_task(what, total=total)
            return lambda count: bar.advance(task, count)

        report = run(Scale.of(events, quick), only, _command(events, quick, only, write), say, advance)
    if write:
        Path(write).write_text(report.as_page(), encoding="utf-8")
        say(f"{write} written")
    _show(report, as_json)
    if check and report.missed:
        sys.exit(int(ExitCode.DATA_PROBLEMS))


def _show(report: Report, as_json: bool) -> None:
    if as_json:
        print_json(report.as_dict())
        return
    print_rows(COLUMNS, report.rows())
    for sentence in report.falls_short():
        say(sentence)


def _command(events: int | None, quick: bool, only: tuple[str, ...], write: str | None) -> str:
    """The command as it can be typed again."""
    words = ["baton bench"]
    if quick:
        words.append("--quick")
    if events is not None:
        words.append(f"--events {events}")
    words += [f"--only {name}" for name in only]
    if write:
        words.append("--write" if write == PAGE else f"--write {write}")
    return " ".join(words)


def _refuse_unwritable(write: str | None) -> None:
    """Say so before the measuring and not after it."""
    if write and not Path(write).absolute().parent.is_dir():
        raise BatonError(
            "The page cannot be written",
            where=write,
            why="its folder does not exist",
            next_command="run it where the source tree is, or name another file: baton bench --write FILE",
            exit_code=ExitCode.USAGE,
        )
