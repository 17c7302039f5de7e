"""`baton failed`: records that could not be read, and redriving them."""

from __future__ import annotations

import sys

import click

from schemas.errors import ExitCode
from schemas.refused import read_refused
from streams.cli.output import json_option, print_json, print_rows, say
from streams.project import Project
from streams.queries.failed_events import dismiss, find_failed, list_failed
from streams.queries.redrive import redrive as redrive_records

_OF_THE_ROW = ("source", "file", "line", "column", "value", "why", "row")


@click.group()
def failed() -> None:
    """Inspect and redrive records that could not be read. Their bytes are kept.

    \b
    Example:
      baton failed ls
    """


@failed.command()
@click.option("--limit", default=20, show_default=True, help="Number of records, newest first.")
@click.option("--dismissed", "only_dismissed", is_flag=True, help="List those that were dismissed.")
@json_option
def ls(limit: int, only_dismissed: bool, as_json: bool) -> None:
    """List failed records.

    Shows the position of each, the stage that refused it, and the reason.

    \b
    Example:
      baton failed ls --limit 5
    """
    found = list_failed(Project.here(), limit, only_dismissed=only_dismissed)
    if as_json:
        print_json([dict(zip(found.columns, row, strict=True)) for row in found.rows])
        return
    print_rows(found.columns, found.rows)
    dismissed = f", {found.dismissed:,} dismissed" if found.dismissed and not only_dismissed else ""
    say(f"{found.count:,} in total{dismissed}; next: baton failed show PLACE")


@failed.command()
@click.argument("place")
@json_option
def show(place: str, as_json: bool) -> None:
    """Show one failed record with its bytes. PLACE is topic/partition/offset, as `ls` prints it.

    \b
    Example:
      baton failed show funnel.sales/0/1234
    """
    record = find_failed(Project.here(), place)
    if as_json:
        print_json(record)
        return
    print_rows(("field", "value"), [(k, v) for k, v in record.items() if k not in ("value", "key")])
    print()
    said = read_refused(record["value"])
    if said is None:
        print(_hex_dump(record["value"] or b""))
    else:
        print_rows(("of the row", "value"), [(k, v) for k, v in said.items() if k in _OF_THE_ROW])


@failed.command()
@click.option("--dry-run", is_flag=True, help="Only count the records that can be read now.")
@json_option
def redrive(dry_run: bool, as_json: bool) -> None:
    """Send failed records that can be read now to their topics again.

    They become readable with a new schema version or a configured registry. Safe to run twice: an event
    that arrives again is a duplicate and changes no number. Exit code 5 when some are still unreadable and
    not dismissed.

    \b
    Example:
      baton failed redrive --dry-run
    """
    report = redrive_records(Project.here(), is_dry_run=dry_run)
    if as_json:
        print_json(report.as_dict())
    else:
        verb = "can be sent again" if dry_run else "sent again"
        columns = (verb, "still unreadable", "already stored")
        print_rows(columns, [(report.sent, report.unreadable, report.known)])
    if report.unreadable:
        sys.exit(int(ExitCode.DATA_PROBLEMS))


@failed.command("dismiss")
@click.argument("places", metavar="PLACE", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Dismiss every failed record there is now.")
@click.option("--reason", required=True, help="Why they will never be read.")
@json_option
def dismiss_records(places: tuple[str, ...], is_all: bool, reason: str, as_json: bool) -> None:
    """Dismiss records that will never be readable.

    `ls` and `redrive` leave them out; their bytes stay. PLACE is topic/partition/offset, as `ls` prints it.

    \b
    Example:
      baton failed dismiss funnel.sales/0/1234 --reason "a test message"
    """
    if bool(places) == is_all:
        raise click.UsageError("name each PLACE, or give --all")
    new = dismiss(Project.here(), places, reason)
    if as_json:
        print_json({"dismissed": new, "reason": reason})
    else:
        print(f"{new:,} dismissed")


def _hex_dump(value: bytes, limit: int = 1024) -> str:
    lines = []
    for start in range(0, min(len(value), limit), 16):
        chunk = value[start : start + 16]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in chunk)
        lines.append(f"{start:06x}  {chunk.hex(' '):<47}  {text}")
    if len(value) > limit:
        lines.append(f"... {len(value) - limit:,} more bytes (--json has them all)")
    return "\n".join(lines)
