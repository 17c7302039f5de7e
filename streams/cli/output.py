"""How commands speak: data on stdout, everything else on stderr, `--json` for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from streams.queries.values import cell

WIDTH_IN_A_PIPE = 2_000  # what reads a pipe folds for itself

messages = Console(stderr=True, highlight=False)
data = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH_IN_A_PIPE)

json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output on stdout.")


def plain(value: Any) -> Any:
    """A value as JSON can hold it: instants ISO-8601 with zone, decimals and bytes as text."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} has no JSON form here")


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, default=plain, indent=2) + "\n")


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> None:
    """A table on stdout. Numbers go right, nulls show as a dash."""
    rows = list(rows)
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for index, name in enumerate(columns):
        cells = [row[index] for row in rows]
        numeric = any(isinstance(cell, int | float | Decimal) for cell in cells)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold", no_wrap=numeric)
    for row in rows:
        table.add_row(*(escape(cell(value)) for value in row))
    data.print(table)


def say(text: str) -> None:
    """A message for the person at the terminal, on stderr."""
    messages.print(text, markup=False, soft_wrap=True)


def progress() -> Progress:
    """A progress bar on stderr; silent when stderr is not a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=messages,
        transient=True,
        disable=not sys.stderr.isatty(),
    )
