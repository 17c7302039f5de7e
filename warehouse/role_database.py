"""What a role's statements run on: a database of its granted views, and the proof that they bind to no other.

Every role has a catalogue in the instance that serves, with one view for each granted view, of the granted
columns. A name with a catalogue before it would still reach everything in that instance. So the statement is
bound first in another instance that holds nothing else: the same catalogue, the same columns, and no rows.
What binds there reads what is granted, and the same text means the same in the serving instance
(docs/adr/0018).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import duckdb

from schemas.errors import BatonError
from warehouse.reading import only_reading, query_failed
from warehouse.role_judge import TABLE_FUNCTIONS, catalog_of, judge, nodes_of, read_nested, refusal_of
from warehouse.roles import LIST_VIEWS, Role

# Binding takes little; what a statement evaluates while it is bound may not take more.
SHAPE_MEMORY = "256MB"
DEEPEST_EXPRESSION = 250


class RoleDatabase:
    """The views of one role on an instance, made once. For any thread; each statement has its own cursor."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, role: Role) -> None:
        self.role = role
        self._connection = connection
        catalog = catalog_of(role)
        [(warehouse,)] = connection.execute("select current_database()").fetchall()
        execute = connection.cursor().execute
        execute(f"attach if not exists ':memory:' as {catalog}")
        execute(f"create schema if not exists {catalog}.funnel")
        for view, columns in role.columns.items():
            execute(
                f"create or replace view {catalog}.funnel.{view} as"
                f' select {", ".join(map(_quoted, columns))} from "{warehouse}".funnel.{view}'
            )
        self._shape = _shape(catalog, role, _types(connection, str(warehouse)))

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor of the serving instance on which unqualified names are those of the role."""
        return _cursor(self._connection, self.role)

    def judge(self, shape: duckdb.DuckDBPyConnection, statement: str) -> tuple[str, ...]:
        """The views it reads, judged by its parse and by binding. BatonError unless the role may ask it.

        `shape`: a cursor of the shape, so that the caller can interrupt what binding evaluates.
        """
        views = judge(shape, self.role, statement)
        self.bind(shape, statement)
        return views

    def shape_cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor of the instance that holds the shape of the granted views and nothing else."""
        return _cursor(self._shape, self.role)

    def bind(self, shape: duckdb.DuckDBPyConnection, statement: str) -> None:
        """Bind in the shape. Raises BatonError when a name in it is not the role's, or when what is bound
        reads more than views: a view without rows is planned without any scan."""
        try:
            found = shape.execute("select json_serialize_plan(?::varchar, optimize := false)", [statement])
            plan = read_nested(statement, found.fetchall()[0][0])
        except duckdb.Error as error:
            raise query_failed(statement, str(error)) from error
        if plan.get("error"):
            raise self._unbound(statement, plan)
        if len(plan["plans"]) != 1:
            raise only_reading(statement, f"these are {len(plan['plans'])} statements")
        for node in nodes_of(plan["plans"]):
            if node.get("type") == "LOGICAL_GET" and _called(node) not in TABLE_FUNCTIONS:
                raise only_reading(statement, f"the table function {_called(node)} is not allowed")
            name = str(node.get("name") or node.get("function_name") or "").lower()
            if str(node.get("expression_class", "")).startswith("BOUND_") and (why := refusal_of(name)):
                raise only_reading(statement, why)

    def _unbound(self, statement: str, plan: Mapping[str, Any]) -> BatonError:
        why = str(plan.get("error_message", ""))
        if plan.get("error_type") in ("binder", "catalog"):
            views = sorted(view for view in self.role.columns if view in statement.lower())
            columns = "; ".join(f"{view}: {', '.join(self.role.columns[view])}" for view in views[:2])
            return BatonError(
                f"The statement names what role {self.role.name} does not read, or what is not there",
                where=statement[:200],
                why=why.split("\n\nLINE")[0].strip(),
                next_command=f"{LIST_VIEWS}   (it reads {columns or ', '.join(sorted(self.role.columns))})",
            )
        return query_failed(statement, why)


class RoleDatabases:
    """The databases of all roles on an instance. Each is made when somebody of that role first asks."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, roles: Mapping[str, Role]) -> None:
        self._connection = connection
        self._roles = roles
        self._made: dict[str, RoleDatabase] = {}
        self._making = threading.Lock()

    def of(self, name: str) -> RoleDatabase | None:
        """The database of this role; None when there is no such role."""
        with self._making:
            if name not in self._made and name in self._roles:
                self._made[name] = RoleDatabase(self._connection, self._roles[name])
            return self._made.get(name)


def _cursor(connection: duckdb.DuckDBPyConnection, role: Role) -> duckdb.DuckDBPyConnection:
    cursor = connection.cursor()
    cursor.execute(f"use {catalog_of(role)}.funnel")
    return cursor


def _types(connection: duckdb.DuckDBPyConnection, warehouse: str) -> Mapping[tuple[str, str], str]:
    found = connection.cursor().execute(
        "select table_name, column_name, data_type from duckdb_columns()"
        " where database_name = ? and schema_name = 'funnel'",
        [warehouse],
    )
    return {(view, column): type_ for view, column, type_ in found.fetchall()}


def _shape(catalog: str, role: Role, types: Mapping[tuple[str, str], str]) -> duckdb.DuckDBPyConnection:
    shape = duckdb.connect(config={"memory_limit": SHAPE_MEMORY, "threads": 1})
    execute = shape.execute
    execute("set global TimeZone = 'UTC'")
    execute(f"attach ':memory:' as {catalog}")
    execute(f"create schema {catalog}.funnel")
    for view, columns in role.columns.items():
        empty = ", ".join(f"null::{types[view, column]} as {_quoted(column)}" for column in columns)
        execute(f"create view {catalog}.funnel.{view} as select {empty} where false")
    execute(f"set global max_expression_depth = {DEEPEST_EXPRESSION}")
    execute("set global python_enable_replacements = false")
    execute("set global autoinstall_known_extensions = false")
    execute("set global autoload_known_extensions = false")
    execute("set global temp_directory = ''")
    execute("set global enable_external_access = false")
    execute("set global lock_configuration = true")
    return shape


def _quoted(column: str) -> str:
    return f'"{column}"'


def _called(get: Mapping[str, Any]) -> str:
    function = get.get("function")
    inner = function.get("name") if isinstance(function, dict) else None
    return str(get.get("name") or inner or "").lower()
