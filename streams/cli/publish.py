"""`baton publish`: events from a file of JSON lines to Kafka."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any, BinaryIO

import click

from schemas.errors import BatonError, ExitCode
from schemas.validation import ContractViolation, EventReader
from streams.cli.output import json_option, messages, print_json, print_rows, progress
from streams.kafka.json_lines import LONGEST_LINE, parse_line, read_lines
from streams.kafka.publisher import Publisher, PublishReport
from streams.project import Project

MOST_PRINTED = 20
MOST_LISTED = 1000
_LINES_BETWEEN_UPDATES = 500
_WORTH_A_RATE = 1000


@dataclass(frozen=True)
class RefusedLine:
    """A line that is not a valid event, and why; field is empty when the whole line is wrong."""

    file: str
    line: int
    field: str
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field + ': ' if self.field else ''}{self.why}"


@dataclass
class RefusedLines:
    """Counts every refused line, keeps the first MOST_LISTED, and prints the first MOST_PRINTED."""

    count: int = 0
    listed: list[RefusedLine] = field(default_factory=list)

    def add(self, line: RefusedLine) -> None:
        self.count += 1
        if self.count <= MOST_LISTED:
            self.listed.append(line)
        if self.count <= MOST_PRINTED:
            _say(str(line))
        elif self.count == MOST_PRINTED + 1:
            _say(f"more lines were refused; --json lists the first {MOST_LISTED:,}")


def _say(text: str) -> None:
    """One line on stderr, above the progress bar; it starts with file:line, which editors can open."""
    messages.print(text, markup=False, soft_wrap=True)


@click.command()
@click.argument("file", metavar="FILE|-")
@click.option("--dry-run", is_flag=True, help="Check the events and send nothing; needs no Kafka.")
@json_option
def publish(file: str, dry_run: bool, as_json: bool) -> None:
    """Publish events from a file of JSON lines, or from standard input (-).

    A line that violates the contract is refused with its line number and the reason; the others are
    published, and the exit code is 5. Publishing the same file again changes no number.

    \b
    Example:
      baton publish events.jsonl
    """
    started = monotonic()
    refused = RefusedLines()
    with ExitStack() as stack:
        stream = sys.stdin.buffer if file == "-" else stack.enter_context(_open(file))
        if dry_run:
            report = _check(stream, file, refused)
        else:
            publisher = stack.enter_context(Publisher(Project.here()))
            _each_event(stream, file, refused, publisher.publish)
            report = publisher.flush()
    _summarise(file, report, refused, monotonic() - started, dry_run, as_json)
    if refused.count:
        sys.exit(int(ExitCode.DATA_PROBLEMS))


def _check(stream: BinaryIO, file: str, refused: RefusedLines) -> PublishReport:
    """The report of publishing, as if everything were acknowledged."""
    read = EventReader().read
    by_type: Counter[str] = Counter()

    def count(event: Any) -> None:
        by_type[read(event)[0].name] += 1

    _each_event(stream, file, refused, count)
    return PublishReport(by_type.total(), by_type)


def _each_event(stream: BinaryIO, file: str, refused: RefusedLines, take: Callable[[Any], object]) -> None:
    """Call take() with the event of every line, with a progress bar over the file's bytes."""
    name = "<stdin>" if file == "-" else file
    size = os.fstat(stream.fileno()).st_size if file != "-" else None
    read = 0
    with progress() as bar:
        task = bar.add_task("events", total=size)
        for number, line in read_lines(stream):
            read += len(line)
            if number % _LINES_BETWEEN_UPDATES == 0:
                bar.update(task, completed=read, description=f"line {number:,}, bytes")
            try:
                if line and not line.isspace():
                    take(parse_line(line))
            except ContractViolation as violation:
                refused.add(RefusedLine(name, number, violation.field, violation.why))


def _open(file: str) -> BinaryIO:
    try:
        return open(file, "rb", buffering=LONGEST_LINE)
    except OSError as error:
        raise BatonError(
            "The file of events cannot be read",
            where=file,
            why=error.strerror or str(error),
            next_command="baton publish FILE   (one JSON object per line; - is standard input)",
            exit_code=ExitCode.USAGE,
        ) from error


def _summarise(
    file: str, report: PublishReport, refused: RefusedLines, seconds: float, dry_run: bool, as_json: bool
) -> None:
    """The summary on stdout. `published` counts acknowledged events; in a dry run, the valid ones."""
    by_type = dict(sorted(report.by_type.items()))
    if as_json:
        print_json(
            {
                "file": file,
                "is_dry_run": dry_run,
                "published": report.acked,
                "refused": refused.count,
                "by_type": by_type,
                "seconds": round(seconds, 3),
                "refused_lines": [asdict(line) for line in refused.listed],
            }
        )
        return
    print_rows(("event", "would publish" if dry_run else "published"), by_type.items())
    verb = "would be published" if dry_run else "published"
    rate = f", {report.acked / seconds:,.0f} a second" if report.acked >= _WORTH_A_RATE else ""
    print(f"{report.acked:,} {verb}, {refused.count:,} refused, {seconds:.1f} s{rate}")
