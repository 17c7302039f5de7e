"""What a role's statement may say, judged on DuckDB's own parse of it (docs/adr/0018).

The parse is DuckDB's, so that there is no second grammar to disagree with the one that runs. What names mean
is decided afterwards, by binding (warehouse/role_database.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb

from warehouse.reading import only_reading, query_failed
from warehouse.roles import Role

LONGEST_STATEMENT = 64 << 10
TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "json_each", "json_tree"})
# They read settings, catalogues or plans, keep state, or hold a thread for as long as one likes.
FORBIDDEN = frozenset({
    "col_description", "current_connection_id", "current_query", "current_query_id", "current_schemas",
    "current_setting", "currval", "get_block_size", "getenv", "getvariable", "in_search_path",
    "json_deserialize_sql", "json_execute_serialized_sql", "json_serialize_plan", "json_serialize_sql",
    "nextval", "obj_description", "parse_duckdb_log_message", "query", "query_table", "setseed",
    "shobj_description", "sleep_ms", "stats", "write_log",
})  # fmt: skip
FORBIDDEN_PREFIXES = ("duckdb_", "has_", "inet_", "pg_", "pragma_", "quack_", "__internal")
# One call of these makes gigabytes of a few bytes, and cannot be interrupted. As tables, range() and
# generate_series() stream, and are allowed.
GROWING = frozenset({
    "array_resize", "bitstring", "equi_width_bins", "format", "generate_series", "list_resize", "lpad",
    "printf", "range", "repeat", "rpad",
})  # fmt: skip
# One call of these compares two texts for hours, and cannot be interrupted either.
COSTLY = frozenset({
    "damerau_levenshtein", "editdist3", "jaccard", "jaro_similarity", "jaro_winkler_similarity",
    "levenshtein",
})  # fmt: skip
# Of these the text that is put in is a short literal.
REPLACING = frozenset({"replace", "regexp_replace"})
LONGEST_REPLACEMENT = 100


def judge(connection: duckdb.DuckDBPyConnection, role: Role, statement: str) -> tuple[str, ...]:
    """The granted views that a statement names. Raises BatonError for one that the role may not ask.

    `connection`: any; it parses. Whether the columns are the role's is decided by binding.
    """
    nodes = list(nodes_of(_parse(connection, statement)))
    common = frozenset(_common_tables(nodes))
    named = [_view(role, node, common) for node in nodes if node.get("type") == "BASE_TABLE"]
    tables = [node["function"] for node in nodes if node.get("type") == "TABLE_FUNCTION"]
    for node in nodes:
        if node.get("type") == "SHOW_REF" and (node.get("query") is None or node.get("table_name")):
            raise only_reading(statement, "SHOW lists what there is; what a role reads, GET /views lists")
        if node.get("function_name"):
            _refuse_call(statement, node, is_table=any(node is table for table in tables))
    return tuple(dict.fromkeys(view for view in named if view))


def _parse(connection: duckdb.DuckDBPyConnection, statement: str) -> dict[str, Any]:
    """DuckDB's parse of one SELECT. Raises BatonError for anything else."""
    if len(statement.encode(errors="surrogatepass")) > LONGEST_STATEMENT:
        raise only_reading(statement, f"it is longer than {LONGEST_STATEMENT:,} bytes")
    if "\0" in statement:
        raise only_reading(statement, "it holds a zero byte, where a parser stops")
    try:
        [(text,)] = connection.execute("select json_serialize_sql(?::varchar)", [statement]).fetchall()
    except duckdb.Error as error:
        raise query_failed(statement, str(error)) from error
    tree = read_nested(statement, text)
    if tree.get("error"):
        why = str(tree.get("error_message", ""))
        if tree.get("error_type") == "parser":
            raise query_failed(statement, why)
        raise only_reading(statement, why or "it is not one SELECT")
    if len(tree["statements"]) != 1:
        raise only_reading(statement, f"these are {len(tree['statements'])} statements")
    return tree


def read_nested(statement: str, text: str) -> dict[str, Any]:
    """What DuckDB says of a statement, as JSON. Raises BatonError when it is nested too deeply."""
    try:
        found: dict[str, Any] = json.loads(text)
    except RecursionError as error:
        raise only_reading(statement, "it is nested too deeply") from error
    return found


def nodes_of(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of the parse, at any depth."""
    rest = [value]
    while rest:
        node = rest.pop()
        if isinstance(node, dict):
            yield node
            rest += node.values()
        elif isinstance(node, list):
            rest += node


def _common_tables(nodes: Sequence[dict[str, Any]]) -> Iterator[str]:
    for node in nodes:
        cte_map = node.get("cte_map")
        if isinstance(cte_map, dict):
            yield from (entry["key"].lower() for entry in cte_map["map"])
        if node.get("type") == "RECURSIVE_CTE_NODE":
            yield str(node["cte_name"]).lower()


def _view(role: Role, table: dict[str, Any], common: frozenset[str]) -> str | None:
    """The granted view that a table of the parse names; None for a common table expression.

    A name that is one somewhere in the statement counts as one everywhere: where it is none, binding finds
    nothing by that name, for the role's database holds granted views only.
    """
    name, schema, catalog = (str(table[key]).lower() for key in ("table_name", "schema_name", "catalog_name"))
    shown = ".".join(part for part in (catalog, schema, name) if part)
    if table.get("at_clause"):
        raise role.refused(shown, "AT asks for another version of a table")
    if not schema and not catalog and name in common and not _is_internal(name):
        return None
    if schema in ("", "funnel") and catalog in ("", catalog_of(role)) and name in role.columns:
        return name
    raise role.refused(shown, "no view of that name is granted to it")


def _is_internal(name: str) -> bool:
    """Whether DuckDB has a table of that name on every search path."""
    return name.startswith(("duckdb_", "pragma_", "pg_", "sqlite_"))


def catalog_of(role: Role) -> str:
    """The database that holds the views of a role."""
    return f"role_{role.name}"


def _refuse_call(statement: str, call: dict[str, Any], *, is_table: bool) -> None:
    name = str(call["function_name"]).lower()
    if is_table and (name not in TABLE_FUNCTIONS or _place(call)):
        raise only_reading(statement, f"the table function {name} is not allowed")
    if _place(call) not in ("", "main", "system.main"):
        raise only_reading(statement, f"the function {name} is not one of DuckDB's own")
    if why := refusal_of(name, is_table=is_table):
        raise only_reading(statement, why)
    if name in REPLACING and not _is_short_literal(call.get("children", [])[2:3]):
        why = f"what {name} puts in must be a literal of at most {LONGEST_REPLACEMENT} characters"
        raise only_reading(statement, why)


def refusal_of(function: str, *, is_table: bool = False) -> str:
    """Why no statement of a role may call it; empty when it may."""
    if function in GROWING and not is_table:
        return f"{function} makes large values of small ones (range, in FROM, is allowed)"
    if function in COSTLY:
        return f"{function} of long texts takes hours, and cannot be interrupted"
    is_forbidden = function in FORBIDDEN or function.startswith(FORBIDDEN_PREFIXES)
    return f"the function {function} is not allowed" if is_forbidden else ""


def _place(call: dict[str, Any]) -> str:
    return ".".join(str(call.get(key) or "").lower() for key in ("catalog", "schema") if call.get(key))


def _is_short_literal(arguments: Sequence[dict[str, Any]]) -> bool:
    if not arguments:
        return True
    value = arguments[0].get("value")
    text = value.get("value") if isinstance(value, dict) else None
    return arguments[0].get("class") == "CONSTANT" and len(str(text)) <= LONGEST_REPLACEMENT
