"""`baton import`: exports of other tools become events, by a mapping."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from schemas.errors import BatonError, ExitCode
from streams.cli.output import json_option, print_json, print_rows, progress, say
from streams.imports.batches import Advance
from streams.imports.into_log import as_json as outcome_as_json
from streams.imports.into_log import compare_with_log, import_files, look_at_files
from streams.imports.reading import assigned
from streams.imports.run import Outcome
from streams.imports.suggestion import suggest
from streams.mapping.language import MappingRules
from streams.mapping.reader import read_mapping
from streams.project import Project

MOST_PRINTED = 20
MOST_NAMED = 20


@click.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--map", "map_file", metavar="MAP.toml", type=click.Path(path_type=Path), help="The mapping.")
@click.option("--dry-run", is_flag=True, help="Show what would come and what would fail; send nothing.")
@click.option("--suggest", "is_suggesting", is_flag=True, help="Draft a mapping for these files on stdout.")
@click.option("--compare", "is_comparing", is_flag=True, help="Show what the files have and the log lacks.")
@json_option
def import_(
    files: tuple[Path, ...],
    map_file: Path | None,
    dry_run: bool,
    is_suggesting: bool,
    is_comparing: bool,
    as_json: bool,
) -> None:
    """Make events of exports: CSV, JSON lines, Parquet, Excel.

    The mapping says which rows become which events (docs/reference/mapping.md). Importing the same files
    again adds nothing; the next export adds what is new and revises what changed. Rows that fail are kept as
    failed events (baton failed ls), and the exit code is 5.

    --suggest drafts a mapping, with questions where something is uncertain. --compare shows, by stage and
    day, what only the files have and what only the log has, with ids.

    \b
    Example:
      baton import leads.csv deals.csv --suggest > crm.toml
      baton import leads.csv deals.csv --map crm.toml --dry-run
      baton import leads.csv deals.csv --map crm.toml
    """
    if is_suggesting:
        print(suggest(files), end="")
        return
    if map_file is None:
        raise BatonError(
            "The files need a mapping",
            why="it says which rows become which events",
            next_command="baton import FILE... --suggest > map.toml   (drafts one; then --map map.toml)",
            exit_code=ExitCode.USAGE,
        )
    rules = read_mapping(map_file)
    paths = assigned(files, rules)
    project = Project.here()
    with progress() as bar:
        task = bar.add_task("importing", total=1.0)

        def advance(share: float, what: str) -> None:
            bar.update(task, completed=share, description=what)

        if is_comparing:
            _print_comparison(project, rules, paths, advance, as_json)
            return
        out = (look_at_files if dry_run else import_files)(project, rules, paths, advance)
    if as_json:
        print_json({"is_dry_run": dry_run, **outcome_as_json(out)})
    else:
        _print_outcome(out, dry_run)
    if out.failed.total():
        sys.exit(int(ExitCode.DATA_PROBLEMS))


def _print_outcome(out: Outcome, is_dry_run: bool) -> None:
    names = sorted({*out.events, *out.not_meant, *(name for name in out.failed if name)})
    columns = ("event", "new", "revised", "unchanged", "copies", "not meant", "failed")
    print_rows(
        columns,
        [
            (n, out.new[n], out.revised[n], out.unchanged[n], out.copies[n], out.not_meant[n], out.failed[n])
            for n in names
        ],
    )
    if out.stand_ins:
        print_rows(("stand-in, default or skip", "events"), sorted(out.stand_ins.items()))
    if is_dry_run:
        for name in sorted(out.shown):
            for event in out.shown[name]:
                said = ", ".join(
                    f"{field}={value}" for field, value in event.items() if field != "recorded_at"
                )
                say(f"such as: {said}")
    for row in out.failed_rows[:MOST_PRINTED]:
        say(str(row))
    if (more := out.failed.total() - MOST_PRINTED) > 0:
        say(f"{more:,} more rows failed; --json lists them")
    verb = "would be sent" if is_dry_run else "sent"
    settled = f", {len(out.settled):,} earlier failures settled" if out.settled else ""
    left_out = f", {out.left_out:,} left out" if out.left_out else ""
    print(
        f"{out.rows:,} rows{left_out}: {out.new.total() + out.revised.total():,} events {verb},"
        f" {out.failed.total():,} failed{settled}"
    )
    if not out.is_read and not is_dry_run:
        say("Kafka has it; the numbers will, once the worker has read it: baton status")
    if out.failed.total() and not is_dry_run:
        say("what failed is kept; next: baton failed ls   (fix the file or the mapping, then import again)")


def _print_comparison(
    project: Project,
    rules: MappingRules,
    paths: Mapping[str, Sequence[Path]],
    advance: Advance,
    as_json: bool,
) -> None:
    found = compare_with_log(project, rules, paths, advance)
    if as_json:
        print_json({"days": found.days.to_dicts(), "missing": found.missing.to_dicts()})
    else:
        print_rows(found.days.columns, found.days.rows())
        if not found.is_equal:
            print()
            print_rows(found.missing.columns, found.missing.head(MOST_NAMED).rows())
        if (more := found.missing.height - MOST_NAMED) > 0:
            say(f"{more:,} more; --json names them all")
    if not found.is_equal:
        sys.exit(int(ExitCode.DATA_PROBLEMS))
