"""`baton failed`: records that could not become facts, and sending them again once they can."""

from __future__ import annotations

import sys

import click

from schemas.errors import ExitCode
from streams.cli.output import json_option, print_json, print_rows, say
from streams.project import Project
from streams.queries.failed_events import find_failed, list_failed
from streams.queries.redrive import redrive as redrive_records


@click.group()
def failed() -> None:
    """Records that could not be understood. Their bytes are kept; nothing is lost."""


@failed.command()
@click.option("--limit", default=20, show_default=True, help="How many to list, newest first.")
@json_option
def ls(limit: int, as_json: bool) -> None:
    """List failed records: where they lie, which stage refused them, and why."""
    columns, rows, count = list_failed(Project.here(), limit)
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print_rows(columns, rows)
    say(f"{count:,} in all; look at one: baton failed show PLACE")


@failed.command()
@click.argument("place")
@json_option
def show(place: str, as_json: bool) -> None:
    """Show one failed record with its bytes. PLACE is topic/partition/offset, as `ls` prints it."""
    record = find_failed(Project.here(), place)
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
