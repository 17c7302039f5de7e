"""What `make bench` calls: measure, show the table, and write the page of a whole run."""

from __future__ import annotations

import signal
import sys
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
@click.option("--quick", is_flag=True, help="A tiny load, once: shows that it runs, not how fast.")
def bench(only: tuple[str, ...], quick: bool) -> None:
    """Measure Baton beside its peers, each with the same load from a real Kafka.

    All cases together write docs/benchmarks.md. Chosen cases and quick runs only show their table: the page
    is one whole run. A broker is started in a temporary folder (or BATON_KAFKA_BENCH names an empty one), and
    nothing is left behind. A whole run takes some minutes; nothing else should run on the machine meanwhile.
    """
    # The broker and the worker that are measured are ours to stop, also when somebody stops us.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        report = run(QUICK if quick else FULL, only)
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
