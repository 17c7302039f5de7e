"""`baton snapshot`: a copy of the numbers in a file or a folder, for BI tools that want one."""

from __future__ import annotations

import time
from pathlib import Path

import click

from schemas.errors import BatonError
from streams.access.readers import role_of
from streams.cli.output import json_option, print_json, say
from streams.project import Project
from streams.queries.snapshot import Snapshot, dbt_sources, write_snapshot
from warehouse.whole_file import whole_file


@click.command()
@click.argument("target", metavar="FILE.duckdb|FOLDER", type=click.Path(path_type=Path))
@click.option("--role", metavar="ROLE", help="Only what this role reads; default: all views, and the facts.")
@click.option(
    "--every", type=click.FloatRange(min=0, min_open=True), metavar="MINUTES", help="Write it again."
)
@click.option(
    "--dbt", type=click.Path(path_type=Path), metavar="FILE", help="Write a sources.yml for dbt too."
)
@json_option
def snapshot(target: Path, role: str | None, every: float | None, dbt: Path | None, as_json: bool) -> None:
    """Copy the documented views to a DuckDB file, or to a folder of Parquet files.

    All of it is of one moment, also while the worker writes. A new copy takes the place of the old at once;
    in a folder the newest is FOLDER/current. Without --role it holds personal data. Failed events are left
    out. With --every it is written again until Ctrl-C.

    \b
    Example:
      baton snapshot numbers.duckdb --role finance --every 15
    """
    project = Project.here()
    reads = None if role is None else role_of(project, role, "baton snapshot FILE.duckdb --role")
    if dbt is not None:
        with whole_file(dbt, "baton snapshot --dbt FILE") as file:
            file.write_text(dbt_sources(reads), encoding="utf-8")
    _show(write_snapshot(project, target, reads), as_json)
    while every is not None:
        time.sleep(every * 60)
        try:
            _show(write_snapshot(project, target, reads), as_json)
        except BatonError as error:  # the old one stays; the worker may be back the next time
            say(str(error))


def _show(written: Snapshot, as_json: bool) -> None:
    rows = sum(written.rows.values())
    if as_json:
        print_json({"path": str(written.path), "as_of": written.as_of, "rows": dict(written.rows)})
    else:
        as_of = f"as of {written.as_of:%Y-%m-%d %H:%M:%SZ}"
        print(f"{written.path}  {len(written.rows)} tables, {rows:,} rows, {as_of}")
