"""`baton failed`: records that could not become facts, and sending them again once they can."""

from __future__ import annotations

import sys

import click

from projections.sql_literal import sql_literal
from schemas.errors import BatonError, ExitCode
from streams.cli.output import json_option, print_json, print_rows, say
from streams.project import Project
from streams.reading import ask_warehouse
from streams.redrive import redrive as redrive_records

_PLACE = "topic || '/' || kafka_partition || '/' || kafka_offset"


@click.group()
def failed() -> None:
    """Records that could not be understood. Their bytes are kept; nothing is lost."""


@failed.command()
@click.option("--limit", default=20, show_default=True, help="How many to list, newest first.")
@json_option
def ls(limit: int, as_json: bool) -> None:
    """List failed records: where they lie, which stage refused them, and why."""
    columns, rows = ask_warehouse(
        Project.here(),
        f"select {_PLACE} as place, stage, event_type, bytes, reason from funnel.failed_events"
        f" order by kafka_at desc, place limit {limit}",
    )
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print_rows(columns, rows)
    _, counted = ask_warehouse(Project.here(), "select count(*) from funnel.failed_events")
    say(f"{counted[0][0]:,} in all; look at one: baton failed show PLACE")


@failed.command()
@click.argument("place")
@json_option
def show(place: str, as_json: bool) -> None:
    """Show one failed record with its bytes. PLACE is topic/partition/offset, as `ls` prints it."""
    columns, rows = ask_warehouse(
        Project.here(), f"select * from funnel.failed_events where {_PLACE} = {sql_literal(place)}"
    )
    if not rows:
        raise BatonError(
            "There is no such failed record",
            where=place,
            why="no failed record lies there",
            next_command="baton failed ls",
            exit_code=ExitCode.USAGE,
        )
    record = dict(zip(columns, rows[0], strict=True))
    if as_json:
        print_json(record)
        return
    print_rows(("field", "value"), [(k, v) for k, v in record.items() if k not in ("value", "key")])
    print()
    print(_hex_dump(record["value"] or b""))


@failed.command()
@click.option("--dry-run", is_flag=True, help="Only say which ones can be read now.")
@json_option
def redrive(dry_run: bool, as_json: bool) -> None:
    """Send the failed records that can be read by now (new schema, registry set) to their topics again.

    Safe to run twice: an event that arrives again is a duplicate and changes no number.
    """
    report = redrive_records(Project.here(), is_dry_run=dry_run)
    if as_json:
        print_json(report.as_dict())
    else:
        verb = "can be sent again" if dry_run else "sent again"
        print_rows((verb, "still unreadable", "already in"), [(report.sent, report.unreadable, report.known)])
    if report.unreadable:
        sys.exit(int(ExitCode.DATA_PROBLEMS))


def _hex_dump(value: bytes, limit: int = 1024) -> str:
    lines = []
    for start in range(0, min(len(value), limit), 16):
        chunk = value[start : start + 16]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in chunk)
        lines.append(f"{start:06x}  {chunk.hex(' '):<47}  {text}")
    if len(value) > limit:
        lines.append(f"... {len(value) - limit:,} more bytes (--json has them all)")
    return "\n".join(lines)
