"""The command behind `make bench`: measure, print the table, and write the page of a whole run."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path

import click

from benchmarks.case import FULL, QUICK
from benchmarks.report import COLUMNS
from benchmarks.run import CASES, run
from schemas.errors import BatonError
from streams.cli.output import print_rows, say

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"


@click.command()
@click.argument("only", nargs=-1, metavar="[CASE]...", type=click.Choice(list(CASES)))
@click.option(
    "--reading-events", type=int, default=FULL.answer_events, show_default=True, help="Of the case reading."
)
@click.option("--quick", is_flag=True, help="Tiny load, once: checks that everything runs, not how fast.")
def bench(only: tuple[str, ...], reading_events: int, quick: bool) -> None:
    """Measure Baton against its peers, each with the same load from a real Kafka.

    A whole run writes docs/benchmarks.md. Single cases and quick runs only print their table. A broker is
    started in a temporary folder, unless BATON_KAFKA_BENCH names an empty one, and everything is removed
    afterwards. A whole run takes some minutes; run nothing else on the machine meanwhile.
    """
    # On SIGTERM, exit normally so that the measured broker and worker are stopped too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        report = run(QUICK if quick else replace(FULL, answer_events=reading_events), only)
    except BatonError as error:
        say(f"benchmarks: {error}")
        sys.exit(int(error.exit_code))
    print_rows(COLUMNS, report.rows())
    for sentence in report.falls_short():
        say(sentence)
    if not only and not quick:
        PAGE.write_text(report.as_page(), encoding="utf-8")
        say(f"{PAGE} written")


if __name__ == "__main__":
    bench()
