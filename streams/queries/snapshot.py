"""A consistent copy of the numbers in a file or a folder, for tools that want one, while the worker writes.

The copy is computed again from the recorded events, as far as they had been read at one moment
(warehouse/recorded_log.py): all tables are of that moment, and the worker only hands over its log.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from projections.projection import Projection, views
from projections.sql_literal import sql_literal
from schemas.catalogue import CATALOGUE
from schemas.errors import BatonError, ExitCode, quoted
from streams.project import Project
from streams.queries.warehouse_access import authority_of, recorded
from warehouse.roles import Role
from warehouse.warehouse import Warehouse
from warehouse.whole_file import make_lasting

# Of records that could not be read nothing is recorded but where they are: baton failed ls.
LEFT_OUT = frozenset({"failed_events"})
CURRENT = "current"
_KEPT = 2  # snapshots in a folder: that of now, and the one before, which somebody may be reading
_TARGET = "snapshot_target"


@dataclass(frozen=True)
class Snapshot:
    """What was written: where, as of when, and the rows of each table."""

    path: Path
    as_of: datetime
    rows: Mapping[str, int]


def write_snapshot(project: Project, target: Path, role: Role | None) -> Snapshot:
    """Write the views that a role reads, or without one all views and the facts; put it in place at once.

    `target`: a DuckDB file when its name ends in .duckdb, else a folder of Parquet files. What was there
    before stays until then. Raises BatonError when something else is there than a snapshot.
    """
    is_file = is_duckdb_file(target)
    refuse_to_replace(project, target)
    columns = _columns(role)
    with recorded(project, list(columns)) as records:
        as_of = project.pinned_as_of or records.opened_at
        with records.snapshot(authority_of(project), as_of=as_of) as warehouse:
            facts = [] if role or not is_file else [f"facts.{event.table}" for event in CATALOGUE.facts]
            try:
                if is_file:
                    rows = _write_file(warehouse, target, columns, facts, as_of, role)
                else:
                    rows = _write_folder(warehouse, target, columns)
            except OSError as error:
                raise _unwritable(target, error.strerror or str(error)) from error
            except duckdb.IOException as error:
                raise _unwritable(target, str(error).splitlines()[0]) from error
    return Snapshot(target if is_file else target / CURRENT, as_of, rows)


def is_duckdb_file(target: Path) -> bool:
    """Whether a snapshot with this name is one file."""
    return target.suffix in (".duckdb", ".db")


def refuse_to_replace(project: Project, target: Path) -> None:
    """Raise BatonError when something else is there than a snapshot."""
    if not target.exists():
        return
    is_ours = False
    warehouses = [files.warehouse.resolve() for files in project.workers]
    if is_duckdb_file(target) and target.is_file() and target.resolve() not in warehouses:
        with suppress(duckdb.Error), duckdb.connect(str(target), read_only=True) as found:
            found.execute("select as_of from baton_snapshot")
            is_ours = True
    if not is_duckdb_file(target) and target.is_dir():
        is_ours = (target / CURRENT).is_symlink() or not any(target.iterdir())
    if not is_ours:
        raise BatonError(
            "The snapshot is not written over something else",
            where=str(target),
            why="Baton did not write what is there as a snapshot",
            next_command="baton snapshot FILE.duckdb   (a new name, or that of a snapshot)",
            exit_code=ExitCode.USAGE,
        )


def dbt_sources(role: Role | None, name: str = "baton") -> str:
    """sources.yml for dbt over a snapshot attached by this name: what each view and column says."""
    columns = _columns(role)
    lines = ["version: 2", "sources:", f"  - name: {name}", f"    database: {name}", "    schema: funnel"]
    lines.append("    tables:")
    for view in _written(columns):
        lines += [
            f"      - name: {view.name}",
            f"        description: {_text(_describes(view))}",
            "        columns:",
        ]
        for column in view.columns:
            if column.name in columns[view.name]:
                lines += [
                    f"          - name: {_text(column.name)}",
                    f"            description: {_text(column.says)}",
                ]
    return "\n".join(lines) + "\n"


def _describes(view: Projection) -> str:
    return f"{view.says}. Grain: {view.grain}."


def _text(text: str) -> str:
    """In YAML: what is a text in JSON is one there too."""
    return json.dumps(text, ensure_ascii=False)


def _columns(role: Role | None) -> Mapping[str, Sequence[str]]:
    """By view, the columns that are written."""
    if role is None:
        found: Mapping[str, Sequence[str]] = {v.name: [c.name for c in v.columns] for v in views()}
    else:
        found = role.columns
    return {name: columns for name, columns in found.items() if name not in LEFT_OUT}


def _written(columns: Mapping[str, Sequence[str]]) -> list[Projection]:
    return sorted((view for view in views() if view.name in columns), key=lambda view: view.name)


def _write_file(
    warehouse: Warehouse,
    target: Path,
    columns: Mapping[str, Sequence[str]],
    facts: Sequence[str],
    as_of: datetime,
    role: Role | None,
) -> Mapping[str, int]:
    partial = _partial(target)
    try:
        rows: dict[str, int] = {}
        with _attached(warehouse, partial) as connection:
            execute = connection.execute
            execute(f"create schema {_TARGET}.funnel")
            execute(f"create schema {_TARGET}.facts")
            for view in _written(columns):
                rows[view.relation] = _create(connection, view.relation, columns[view.name])
                execute(f"comment on table {_TARGET}.{view.relation} is {sql_literal(_describes(view))}")
                for column in view.columns:
                    if column.name in columns[view.name]:
                        name = f'{_TARGET}.{view.relation}."{column.name}"'
                        execute(f"comment on column {name} is {sql_literal(column.says)}")
            for fact in facts:
                rows[fact] = _create(connection, fact, None)
            says = f"{sql_literal(as_of)} as as_of, {sql_literal(datetime.now(UTC))} as written_at"
            whose = sql_literal(role.name) if role else "null::varchar"
            execute(f"create table {_TARGET}.main.baton_snapshot as select {says}, {whose} as role")
        if role is None:
            partial.chmod(0o600)  # facts hold personal data
        _put_in_place(partial, target)
        return rows
    finally:
        for left in (partial, Path(f"{partial}.wal")):
            left.unlink(missing_ok=True)


def _create(connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str] | None) -> int:
    picked = "*" if columns is None else ", ".join(f'"{column}"' for column in columns)
    made = connection.execute(f"create table {_TARGET}.{relation} as select {picked} from {relation}")
    return int(made.fetchall()[0][0])


@contextmanager
def _attached(warehouse: Warehouse, path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The new file within the connection; complete and closed at the end."""
    connection = warehouse.cursor()
    connection.execute(f"attach {sql_literal(str(path))} as {_TARGET}")
    try:
        yield connection
        connection.execute(f"checkpoint {_TARGET}")
    finally:
        connection.execute(f"detach {_TARGET}")


def _write_folder(
    warehouse: Warehouse, target: Path, columns: Mapping[str, Sequence[str]]
) -> Mapping[str, int]:
    """A folder for each snapshot, and a link to the newest that is moved over at once."""
    target.mkdir(parents=True, exist_ok=True)
    name = f"snapshot-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    partial = target / f".{name}"
    partial.mkdir()
    rows: dict[str, int] = {}
    try:
        connection = warehouse.cursor()
        for view in _written(columns):
            file = partial / f"{view.name}.parquet"
            picked = ", ".join(f'"{column}"' for column in columns[view.name])
            copied = connection.execute(
                f"copy (select {picked} from {view.relation}) to {sql_literal(str(file))} (format parquet)"
            )
            rows[view.relation] = int(copied.fetchall()[0][0])
            make_lasting(file)
        partial.rename(target / name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    link = target / f".{CURRENT}-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(name)
    link.replace(target / CURRENT)
    make_lasting(target)
    for old in sorted(target.glob("snapshot-*"))[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return rows


def _partial(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    partial.unlink(missing_ok=True)
    return partial


def _put_in_place(partial: Path, target: Path) -> None:
    make_lasting(partial)
    partial.replace(target)
    make_lasting(target.parent)


def _unwritable(target: Path, why: str) -> BatonError:
    return BatonError(
        "The snapshot cannot be written",
        where=str(target),
        why=why,
        next_command=f"df -h {quoted(target.parent)}   (or choose another place: baton snapshot FILE.duckdb)",
    )
