"""What is let through as reading, and how it is worded for DuckDB."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from projections.playbook import read_playbook
from schemas.errors import BatonError
from tests.given import in_memory
from warehouse.reading import survivable
from warehouse.warehouse import Warehouse

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


@pytest.mark.parametrize(
    ("statement", "next_command"),
    [
        ("select * from funnel.blackhole", 'baton sql "select * from funnel.black_hole"'),
        ("from black_hole limit 3", 'baton sql "from funnel.black_hole limit 3"'),
        ('from funnel.handof where "x" = 1', "baton sql 'from funnel.handoff where \"x\" = 1'"),
        ("from funnel.nothing_like_it", "baton explain --list   (every view)"),
        ("select stat from funnel.black_hole", 'baton sql "describe funnel.black_hole"'),
        ("selec 1", "baton sql --help"),
    ],
    ids=["a letter left out", "no schema", "quotes", "no such view", "no such column", "no SQL"],
)
def test_what_to_type_after_a_mistake(empty: Warehouse, statement: str, next_command: str) -> None:
    with pytest.raises(BatonError) as error:
        empty.ask(statement)
    assert error.value.next_command == next_command


@pytest.fixture(scope="module")
def empty() -> Iterator[Warehouse]:
    with in_memory(read_playbook()) as warehouse:
        yield warehouse
