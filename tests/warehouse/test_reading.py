"""What is let through as reading, and how it is worded for DuckDB."""

from __future__ import annotations

import duckdb
import pytest

from warehouse.reading import survivable

_OVER_ALL = "over" + "()"


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        (f"select sum(n) {_OVER_ALL} from t", "select sum(n) over(partition by true) from t"),
        ("select n / sum(n) OVER (\n ) from t", "select n / sum(n) OVER (partition by true) from t"),
        ("select sum(n) over (order by n) from t", None),
        (f"select 'it''s {_OVER_ALL}', \"{_OVER_ALL}\" from t", None),
        (f"select 1 -- {_OVER_ALL}\n, 2 /* {_OVER_ALL}\n */, $${_OVER_ALL}$$, $a${_OVER_ALL}$a$", None),
        ("select moreover() from t", None),
    ],
)
def test_a_window_over_everything_is_worded_as_one_partition_and_nothing_else_is_touched(
    written: str, asked: str | None
) -> None:
    assert survivable(written) == (asked or written)


def test_the_answer_is_the_same() -> None:
    query = f"select n, sum(n) {_OVER_ALL} as total, n / max(n) {_OVER_ALL} as share from range(5) as t(n)"

    assert duckdb.sql(query).fetchall() == duckdb.sql(survivable(query)).fetchall()
