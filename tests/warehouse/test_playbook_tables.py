"""What is written when a playbook changes: its own tables, and calendars that are new."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from projections.agreement import InForce
from projections.playbook import DEFAULT_PLAYBOOK, parse_playbook, read_playbook
from tests.given import in_memory
from warehouse.playbook_tables import are_stored, store_playbooks
from warehouse.warehouse import Warehouse

SINCE = datetime(2026, 4, 1, tzinfo=UTC)
TEXT = DEFAULT_PLAYBOOK.read_text()
TABLES = ("open_day", "open_span")


def rows_of(warehouse: Warehouse, calendar: str) -> list[list[Any]]:
    """The numbers of its rows: others once they are written again."""
    asked = f"select list(rowid order by rowid) from playbook.{{}} where calendar_id = '{calendar}'"
    return [warehouse.connection.execute(asked.format(table)).fetchall()[0][0] for table in TABLES]


def store(warehouse: Warehouse, *texts: str) -> None:
    periods = [InForce(parse_playbook(text), SINCE if n else None, None) for n, text in enumerate(texts)]
    warehouse.connection.execute("begin")
    store_playbooks(warehouse.connection, periods)
    warehouse.connection.execute("commit")
    assert are_stored(warehouse.connection, periods)


def test_calendars_stay_when_another_playbook_comes_into_force() -> None:
    with in_memory(read_playbook()) as warehouse:
        before = rows_of(warehouse, "berlin")
        store(warehouse, TEXT, TEXT.replace("at_risk_share = 0.75", "at_risk_share = 0.5"))
        assert rows_of(warehouse, "berlin") == before


def test_a_calendar_that_changed_takes_the_place_of_what_it_was() -> None:
    changed = TEXT.replace('zone = "Europe/Berlin"', 'zone = "Europe/Lisbon"')
    assert changed != TEXT
    with in_memory(read_playbook()) as warehouse:
        kept, before = rows_of(warehouse, "kolkata"), rows_of(warehouse, "berlin")
        store(warehouse, changed)
        assert rows_of(warehouse, "kolkata") == kept and rows_of(warehouse, "berlin") != before
        found = warehouse.ask(
            "select min(opens_at)::varchar from playbook.open_span where calendar_id = 'berlin'"
        )
        store(warehouse, TEXT)
        again = warehouse.ask(
            "select min(opens_at)::varchar from playbook.open_span where calendar_id = 'berlin'"
        )
        assert found != again and [len(rows) for rows in rows_of(warehouse, "berlin")] == [
            len(r) for r in before
        ]


def test_what_an_earlier_version_left_without_its_content_is_written_again() -> None:
    with in_memory(read_playbook()) as warehouse:
        warehouse.connection.execute("delete from playbook.open_calendar")
        warehouse.connection.execute("insert into playbook.open_day from playbook.open_day")
        store(warehouse, TEXT)
        twice = "select count(*) - count(distinct (calendar_id, utc_day, day_from)) from playbook.open_day"
        assert warehouse.ask(twice)[1] == [(0,)]
