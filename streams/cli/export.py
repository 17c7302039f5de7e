"""`baton export`: the recorded events as JSON lines."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import click

from schemas.catalogue import CATALOGUE
from streams.cli.output import json_option, print_json, print_rows, progress
from streams.project import Project
from streams.queries.kept_events import lines_of
from streams.queries.warehouse_access import asking
from warehouse.whole_file import whole_file


@click.command()
@click.argument("file", metavar="FILE|-")
@json_option
def export(file: str, as_json: bool) -> None:
    """Write every recorded event, each once, to a file of JSON lines, or to standard output (-).

    `baton publish` reads the same form: what was exported and published again changes no number. Works while
    the worker writes. Of what the events say nothing is left out, personal data neither.

    \b
    Example:
      baton export events.jsonl
    """
    by_type: Counter[str] = Counter()
    with ExitStack() as stack:
        ask = stack.enter_context(asking(Project.here()))
        bar = stack.enter_context(progress())
        out = sys.stdout
        if file != "-":
            partial = stack.enter_context(whole_file(Path(file), "baton export FILE"))
            out = stack.enter_context(partial.open("w", encoding="utf-8"))
        for event in bar.track(CATALOGUE.facts, description="exporting"):
            for line in lines_of(ask, event):
                out.write(line + "\n")
                by_type[event.name] += 1
    if file == "-":
        return
    if as_json:
        print_json({"file": file, "exported": by_type.total(), "by_type": +by_type})
    else:
        print_rows(("event", "exported"), sorted((+by_type).items()))
        print(f"{by_type.total():,} exported to {file}")
