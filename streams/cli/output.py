"""Output of commands: data on stdout, everything else on stderr, `--json` for programs."""

from __future__ import annotations

import codecs
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from textwrap import TextWrapper
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from schemas.errors import BatonError, unwritable
from streams.queries.values import cell, plain, printable

WIDTH_IN_A_PIPE = 2_000  # readers of a pipe wrap lines themselves
GAP = 2
_PROSE = re.compile(r"[^\W\d]\S* [^\W\d]")  # two words, so neither a number nor an instant
LEAST_PROSE = 16  # a narrower column of prose reads worse than one record after another

# `:100:` in an id is no emoji, and a number in a text needs no colour.
messages = Console(stderr=True, highlight=False, emoji=False)
data = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else WIDTH_IN_A_PIPE)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")

# What other characters become on a terminal whose encoding lacks them.
_IN_ASCII = {"–": "-", "→": "->", "…": "...", "≥": ">=", "≤": "<="}


class _StandardOutput(io.FileIO):
    """Standard output, whose errors reach the user as such. From the first one on all the rest goes nowhere,
    also what the interpreter would write at its end."""

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if isinstance(error, BrokenPipeError):  # a reader that wants no more, as `head`
                raise
            raise unwritable("standard output", error, "df -h", "COMMAND >FILE") from error


def prepare_output() -> None:
    """Make an error of stdout a BatonError, and let stdout and stderr take every character: what their
    encoding lacks is shown as its escape."""
    out = sys.stdout
    if out is sys.__stdout__ and isinstance(out, io.TextIOWrapper):
        raw = io.BufferedWriter(_StandardOutput(out.fileno(), "w", closefd=False))
        is_terminal = out.isatty()
        sys.stdout = io.TextIOWrapper(
            raw, out.encoding, line_buffering=is_terminal, write_through=out.write_through
        )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="baton")


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return "".join(_IN_ASCII.get(c) or ascii(c)[1:-1] for c in lacking), error.end


codecs.register_error("baton", _in_ascii)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(plain(value), indent=2, allow_nan=False) + "\n")


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> None:
    """Rows of values on stdout. Numbers are right-aligned, nulls are a dash."""
    rows = list(rows)
    is_number = [
        any(isinstance(row[place], int | float | Decimal) for row in rows) for place in range(len(columns))
    ]
    print_texts(columns, [[cell(value) for value in row] for row in rows], is_number, title)


def print_texts(
    columns: Sequence[str], rows: Sequence[Sequence[str]], is_number: Sequence[bool], title: str = ""
) -> None:
    """Rows of texts on stdout, each text whole: as a table, or where that is too wide for the terminal, one
    record after another. A text may have several lines."""
    columns, *rows = [[_shown(text) for text in row] for row in (columns, *rows)]
    if title:
        data.print(_shown(title), markup=False, style="italic", soft_wrap=not data.is_terminal)
    widths = _widths(columns, rows, data.width if data.is_terminal else None)
    if widths is None:
        _print_records(columns, rows)
        return
    table = Table(header_style="bold", box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for name, width, right in zip(columns, widths, is_number, strict=True):
        table.add_column(Text(name), justify="right" if right else "left", width=width, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    needed = sum(widths) + GAP * len(widths)
    wide = data if data.width >= needed or data.is_terminal else Console(emoji=False, width=needed)
    wide.print(table, crop=False)


def is_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether print_texts() would print these as a table."""
    shown = [[_shown(text) for text in row] for row in (columns, *rows)]
    return _widths(shown[0], shown[1:], data.width if data.is_terminal else None) is not None


def _shown(text: str) -> str:
    """The text as stdout can show it, so that it is measured as it will be printed."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return printable(text, keep="\n").encode(encoding, "baton").decode(encoding)


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]], most: int | None) -> list[int] | None:
    """The width of each column so that nothing is cut; None when `most` is too narrow for that.

    Only prose is wrapped, and only between words: a number or an id stays in one piece.
    """
    if not columns:
        return []
    cells = [[name, *(row[place] for row in rows)] for place, name in enumerate(columns)]
    natural = [max(cell_len(line) for text in column for line in text.split("\n")) for column in cells]
    room = None if most is None else most - GAP * (len(columns) - 1)
    if room is None or sum(natural) <= room:
        return natural
    least = [
        min(width, max(LEAST_PROSE, *(cell_len(word) for text in column for word in text.split())))
        if any(_PROSE.search(text) for text in column[1:])
        else width
        for width, column in zip(natural, cells, strict=True)
    ]
    spare = room - sum(least)
    if spare < 0:
        return None
    widths = list(least)
    growing = sorted(range(len(columns)), key=lambda place: natural[place] - least[place])
    for left, place in zip(range(len(growing), 0, -1), growing, strict=True):
        more = min(natural[place] - least[place], spare // left)
        widths[place] += more
        spare -= more
    return widths


def _print_records(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """One record after another, a line for each value; the terminal wraps what is longer than a line."""
    width = max(map(cell_len, columns))
    for number, row in enumerate(rows, 1):
        data.print(f"[bold]record {number:,}[/bold]")
        for name, text in zip(columns, row, strict=True):
            name = name.replace("\n", " ")
            lines = text.replace("\n", "\n" + " " * (width + 4))
            data.print(f"  {name}{' ' * (width - cell_len(name))}  {lines}", markup=False, soft_wrap=True)


def print_labelled(label: str, text: str, width: int = 10, color: str = "") -> None:
    """A text behind its label on stdout. On a terminal what is too long goes on below its first line."""
    text = printable(text, keep="\n")
    if not data.is_terminal:
        below = text.replace("\n", "\n" + " " * (width + 1))
        data.print(f"{label:<{width}} {below}", markup=False, soft_wrap=True)
        return
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_column(width=width, no_wrap=True)
    line.add_column(overflow="fold")
    line.add_row(Text(label, style=color), Text(text))
    data.print(line)


def say(text: str) -> None:
    """A message on stderr; on a terminal it wraps between words."""
    messages.print(printable(text, keep="\n"), markup=False, soft_wrap=not messages.is_terminal)


def advancing(bar: Progress, words: str, then: str = "") -> Callable[[int, int], None]:
    """A line of the bar, and what moves it: (done, all there is). It never goes back, though more may turn up
    on the way or a part be done again; once all is done it says what comes `then`, which has no measure."""
    task, most, is_over = bar.add_task(words, total=None), 0.0, False

    def advance(done: int, total: int) -> None:
        nonlocal task, most, is_over
        if is_over or not total:
            return
        most = max(most, min(done / total, 1.0))
        bar.update(task, completed=most, total=1.0)
        if done >= total and then:
            is_over = True
            bar.remove_task(task)
            task = bar.add_task(then, total=None)

    return advance


def say_error(error: BatonError) -> None:
    """An error on stderr. On a terminal its reason wraps between words; a place or a command stays whole, to
    be copied."""
    lines = printable(f"baton: {error}", keep="\n").split("\n")
    if messages.is_terminal:
        wrapper = TextWrapper(messages.width, subsequent_indent=" " * 9, break_long_words=False)
        wrapper.break_on_hyphens = False
        whole = ("  where:", "  next:")
        lines = [
            part for line in lines for part in ([line] if line.startswith(whole) else wrapper.wrap(line))
        ]
    click.echo("\n".join(lines), err=True)


def progress() -> Progress:
    """A progress bar on stderr; silent when stderr is not a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=messages,
        transient=True,
        disable=not sys.stderr.isatty(),
    )
