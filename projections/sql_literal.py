"""Values as SQL literals, where a statement cannot be given them as parameters."""

from __future__ import annotations

from datetime import datetime


def sql_literal(value: str | datetime) -> str:
    """A text or an instant (which needs a time zone) as DuckDB reads it."""
    if isinstance(value, datetime):
        return f"timestamptz '{value.isoformat()}'"
    return "'" + value.replace("'", "''") + "'"
