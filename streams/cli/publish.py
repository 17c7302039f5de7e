"""`baton publish`: events from a file of JSON lines to Kafka."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import BinaryIO

import click

from projections.playbook import Playbook, read_playbook
from projections.unfamiliar import unfamiliar
from schemas.catalogue import EventType
from schemas.copies import Copies
from schemas.errors import BatonError, ExitCode
from schemas.validation import ContractViolation, EventReader, Record
from streams.cli.output import json_option, messages, print_json, print_rows, progress
from streams.kafka.json_lines import LONGEST_LINE, parse_line, read_lines
from streams.kafka.publisher import Publisher, PublishReport
from streams.project import Project
from streams.queries.values import printable

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
    messages.print(printable(text), markup=False, soft_wrap=True)


@dataclass
class Warnings:
    """Words that the playbook does not know: each once, with the first line that has it and how many do."""

    playbook: Playbook
    found: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def note(self, event: EventType, record: Record, line: int) -> None:
        for word in unfamiliar(event, record, self.playbook):
            self.found.setdefault(word, [line, 0])[1] += 1

    def say(self, file: str) -> None:
        for (name, why), (line, count) in list(self.found.items())[:MOST_PRINTED]:
            lines = "" if count == 1 else f" ({count:,} lines)"
            _say(f"{file}:{line}: warning: {name}: {why}{lines}")

    def as_rows(self) -> list[dict[str, str | int]]:
        return [
            {"field": name, "why": why, "line": line, "lines": count}
            for (name, why), (line, count) in list(self.found.items())[:MOST_LISTED]
        ]


@click.command()
@click.argument("file", metavar="FILE|-")
@click.option("--dry-run", is_flag=True, help="Check the events and send nothing; needs no Kafka.")
@json_option
def publish(file: str, dry_run: bool, as_json: bool) -> None:
    """Publish events from a file of JSON lines, or from standard input (-).

    A line that violates the contract is refused with its line number and the reason, and so is one with the
    id of an earlier line and another content; the others are published, and the exit code is 5. Equal lines
    are published and counted as copies. A team or metric that the playbook does not know is a warning.
    Publishing the same file again changes no number.

    \b
    Example:
      baton publish events.jsonl
    """
    started = monotonic()
    refused = RefusedLines()
    project = Project.here()
    warnings = Warnings(read_playbook(project.playbook_file))
    with ExitStack() as stack:
        stream = stack.enter_context(open_events(file))
        publisher = None if dry_run else stack.enter_context(Publisher(project))
        by_type: Counter[str] = Counter()

        def take(event: EventType, record: Record) -> None:
            by_type[event.name] += 1
            if publisher is not None:
                publisher.publish_record(event, record)

        copies = check_events(stream, file, refused, warnings, take)
        report = PublishReport(by_type.total(), by_type) if publisher is None else publisher.flush()
    warnings.say(shown_name(file))
    summary = Summary(file, report, refused, copies, warnings, monotonic() - started, dry_run)
    summary.print_json() if as_json else summary.print()
    if refused.count:
        sys.exit(int(ExitCode.DATA_PROBLEMS))


def shown_name(file: str) -> str:
    return "<stdin>" if file == "-" else file


def check_events(
    stream: BinaryIO,
    file: str,
    refused: RefusedLines,
    warnings: Warnings,
    take: Callable[[EventType, Record], object],
) -> int:
    """Hand every valid event to take() and report the others, with a progress bar over the file's bytes.

    Returns the number of copies: events that equal an earlier line.
    """
    read_event = EventReader().read
    copies = Copies()
    name = shown_name(file)
    size = os.fstat(stream.fileno()).st_size if file != "-" else None
    read = 0
    with progress() as bar:
        task = bar.add_task("events", total=size)
        for number, line in read_lines(stream):
            read += len(line)
            if number == 1:
                _refuse_csv(name, line)
            if number % _LINES_BETWEEN_UPDATES == 0:
                bar.update(task, completed=read, description=f"line {number:,}")
            try:
                if line and not line.isspace():
                    event, record = read_event(parse_line(line))
                    copies.note(event, record, number)
                    warnings.note(event, record, number)
                    take(event, record)
            except ContractViolation as violation:
                refused.add(RefusedLine(name, number, violation.field, violation.why))
    return copies.count


def _refuse_csv(name: str, first: bytes) -> None:
    """Raise BatonError for a table's header: each of its lines would be refused, and no reason would help."""
    header = first.decode(errors="replace").strip()
    if not header.startswith(("{", "[", '{"')) and re.search(r"\w\"?[,;\t]\"?\w", header):
        raise BatonError(
            "The file looks like CSV; events are JSON lines",
            where=f"{name}:1",
            why=f"its first line is {header[:60]!r}, and each line has to be one JSON object with its fields",
            next_command="baton simulate --leads 10 --out story   (story/events.jsonl then has such lines)",
            exit_code=ExitCode.USAGE,
        )


@contextmanager
def open_events(file: str) -> Iterator[BinaryIO]:
    """A file of events, or standard input (-). Raises BatonError when it cannot be opened."""
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = open(file, "rb", buffering=LONGEST_LINE)
    except OSError as error:
        raise BatonError(
            "The file of events cannot be read",
            where=file,
            why=error.strerror or str(error),
            next_command="baton publish FILE   (one JSON object per line; - is standard input)",
            exit_code=ExitCode.USAGE,
        ) from error
    with stream:
        yield stream


@dataclass(frozen=True)
class Summary:
    """What became of a file. `report` counts acknowledged events, copies too; in a dry run, what would go."""

    file: str
    report: PublishReport
    refused: RefusedLines
    copies: int
    warnings: Warnings
    seconds: float
    is_dry_run: bool

    def print_json(self) -> None:
        print_json(
            {
                "file": self.file,
                "is_dry_run": self.is_dry_run,
                "published": self.report.acked,
                "copies": self.copies,
                "refused": self.refused.count,
                "by_type": dict(sorted(self.report.by_type.items())),
                "seconds": round(self.seconds, 3),
                "refused_lines": [asdict(line) for line in self.refused.listed],
                "warnings": self.warnings.as_rows(),
            }
        )

    def print(self) -> None:
        acked = self.report.acked
        verb = "would be published" if self.is_dry_run else "published"
        rows = sorted(self.report.by_type.items())
        print_rows(("event", "would publish" if self.is_dry_run else "published"), rows)
        copies = f"{self.copies:,} were copies of others, " if self.copies else ""
        rate = f", {acked / self.seconds:,.0f} a second" if acked >= _WORTH_A_RATE else ""
        print(f"{acked:,} {verb}, {copies}{self.refused.count:,} refused, {self.seconds:.1f} s{rate}")
