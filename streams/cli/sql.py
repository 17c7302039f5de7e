"""`baton sql`: SELECTs on the live warehouse, or on a file of events."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
import duckdb

from projections.dimensions import unknown_slices
from projections.playbook import read_playbook
from schemas.errors import BatonError, ExitCode
from streams.cli.options import as_known_option, instant, known_at
from streams.cli.output import data, json_option, print_json, print_texts, say
from streams.cli.publish import RefusedLines, Warnings, check_events, open_events, shown_name
from streams.project import Project
from streams.queries import sql_answer
from streams.queries.events_in_memory import EventsInMemory
from streams.queries.log_losses import log_losses
from streams.queries.sql_answer import MOST_COUNTED, Rows
from streams.queries.warehouse_access import Answering, answering, keys_of
from warehouse.reading import check_is_reading, failing_plainly
from warehouse.warehouse import Warehouse

ROWS_ON_A_TERMINAL = 1_000


@click.command()
@click.argument("statement", metavar="QUERY", required=False)
@click.option("--limit", type=click.IntRange(min=0), help="Number of rows; on a terminal 1,000 by default.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), help="Time limit in seconds.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV on stdout.")
@click.option("--parquet", type=click.Path(path_type=Path), metavar="FILE", help="Write a Parquet file.")
@click.option("--events", metavar="FILE|-", help="Answer from a file of events, in memory; needs no worker.")
@click.option("--playbook", type=click.Path(path_type=Path), help="With --events: the playbook that applies.")
@click.option("--as-of", metavar="INSTANT", help="With --events: the instant of open clocks; default: now.")
@as_known_option
@json_option
def sql(
    statement: str | None,
    limit: int | None,
    timeout: float | None,
    as_csv: bool,
    parquet: Path | None,
    events: str | None,
    playbook: Path | None,
    as_of: str | None,
    as_known: str | None,
    as_json: bool,
) -> None:
    """Run SELECTs on the warehouse, even while the worker writes. The views are in schema funnel.

    QUERY is read from standard input when it is missing or '-'; `;` separates several. Values are shown
    whole: where a table is too wide for the terminal, one record follows another.

    With --events the queries are answered in memory from a file of JSON lines, in the words of the warehouse.
    Lines that `baton publish` would refuse are reported and left out, and the exit code is 5. Alerts need a
    worker.

    \b
    Examples:
      baton sql "select state, handoffs from funnel.black_hole"
      baton sql "select table_name, comment from duckdb_views() where comment is not null"
      baton sql --events events.jsonl --as-of 2026-04-01 "from funnel.lead_journey"
    """
    _check_options(events, playbook, as_of, as_known, [as_csv, parquet is not None, as_json])
    if statement in (None, "-") and events == "-":
        raise _usage("QUERY and --events cannot both be standard input")
    queries = _queries(sys.stdin.read() if statement in (None, "-") else str(statement))
    if len(queries) > 1 and (as_csv or parquet):
        raise _usage("--csv and --parquet take one query")
    project = Project.here()
    refused = RefusedLines()
    notices: list[str] = []  # they come after the answer: an error comes alone
    with ExitStack() as stack:
        if events is None:
            answer = stack.enter_context(answering(project, known_at(as_known), notify=notices.append))
        else:
            base = playbook or project.playbook_file
            answer = stack.enter_context(_in_memory(project, events, base, as_of, refused))
        documents = []
        for number, query in enumerate(queries):
            notices += unknown_slices(query)
            with answer(query, timeout) as rows:
                if as_json:
                    found, left_out = sql_answer.dicts(rows, limit)
                    documents.append(found)
                elif as_csv:
                    left_out = sql_answer.write_csv(rows, limit, sys.stdout)
                elif parquet is not None:
                    sql_answer.write_parquet(rows, limit, parquet)
                    left_out = 0
                else:
                    if number:
                        print()
                    left_out = _print_table(rows, limit)
            _say_left_out(left_out)
    if as_json:
        print_json(documents[0] if len(documents) == 1 else documents)
    if parquet is not None:
        say(f"written to {parquet}")
    if events is None:
        notices += [
            f"Kafka lost events, found on {loss.accepted_at[:10]}: baton status"
            for loss in log_losses(project)
        ]
    for notice in notices:
        say(notice)
    if refused.count:
        lines = "line" if refused.count == 1 else "lines"
        say(f"{refused.count:,} {lines} refused: the answer is that of the others")
        sys.exit(int(ExitCode.DATA_PROBLEMS))


def _print_table(rows: Rows, limit: int | None) -> int:
    if limit is None and data.is_terminal:
        limit = ROWS_ON_A_TERMINAL
    columns, are_numbers = rows.columns, sql_answer.is_number(rows)
    found, left_out = sql_answer.texts(rows, limit)
    print_texts(columns, found, are_numbers)
    return left_out


def _say_left_out(count: int) -> None:
    if count:
        more = f"more than {count:,}" if count >= MOST_COUNTED else f"{count:,}"
        say(f"{more} more row{'s' * (count != 1)} not shown (--limit N, --csv, --json)")


def _queries(text: str) -> list[str]:
    """The statements of a text, each checked to be one SELECT."""
    with failing_plainly(text):
        queries = [found.query.strip().rstrip(";").strip() for found in duckdb.extract_statements(text)]
    if not queries:
        raise _usage("There is no query")
    for query in queries if len(queries) > 1 else [text.strip().rstrip(";")]:
        check_is_reading(query)
    return queries


@contextmanager
def _in_memory(
    project: Project, file: str, playbook: Path, as_of: str | None, refused: RefusedLines
) -> Iterator[Answering]:
    """Answers from the events of a file, under a playbook, at an instant."""
    at = None if as_of is None else instant(as_of, "--as-of")
    base = read_playbook(playbook)
    warnings = Warnings(base)
    with Warehouse.open(None, base, keys=keys_of(project)) as warehouse:
        taken = EventsInMemory(warehouse)
        with open_events(file) as stream:
            check_events(stream, file, refused, warnings, taken.take)
        taken.finish()
        warnings.say(shown_name(file))
        warehouse.pin_as_of(at)

        def answer(query: str, seconds: float | None = None) -> AbstractContextManager[Any]:
            return warehouse.answer(query, seconds)

        yield answer


def _check_options(
    events: str | None, playbook: Path | None, as_of: str | None, as_known: str | None, forms: list[bool]
) -> None:
    if events is None and (playbook or as_of):
        raise _usage("--playbook and --as-of go with --events; a live warehouse has its own")
    if events is not None and as_known:
        raise _usage("--as-known is for a live warehouse; with --events, leave later events out of the file")
    if sum(forms) > 1:
        raise _usage("--json, --csv and --parquet exclude each other")


def _usage(what: str) -> BatonError:
    return BatonError(what, next_command="baton sql --help", exit_code=ExitCode.USAGE)
