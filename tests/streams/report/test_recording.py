"""Decisions and disputes become events that the contract takes and the views show."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from projections.playbook import read_playbook
from schemas.errors import BatonError
from streams.queries.numbers import NAMED, numbers_of, read_number
from streams.queries.panel import Look, circumstances, circumstances_statement
from streams.queries.panels import panel
from streams.report.recording import DIRECTIONS, decision, direction, dispute, resolution
from streams.simulator.company import DECISIONS
from tests.given import as_bytes, given, in_memory
from tests.simulated import simulated


def test_a_decision_is_shown_with_its_number_and_day() -> None:
    number = read_number("sla/answer/sales/kept_share")
    event = decision(
        "Answer sooner.", by="both", owner="maria", number=number, should="rise", due_on=date(2027, 4, 30)
    )
    with in_memory(read_playbook()) as warehouse:
        given(warehouse, as_bytes([event]))
        warehouse.pin_as_of(datetime.now(UTC) + timedelta(hours=1))
        [row] = warehouse.ask("select owner, number, due_on, expected_effect from funnel.decision")[1]
    assert row[:3] == ("maria", number.address, date(2027, 4, 30))
    assert direction(row[3]) == "rise"


def test_a_dispute_is_open_until_it_is_resolved() -> None:
    opened = dispute("number", "gap/speed/amount", team="sales", reason="A calendar was wrong.")
    settled = resolution(opened["dispute_id"], how="corrected", by="both leaders")
    with in_memory(read_playbook()) as warehouse:
        warehouse.pin_as_of(datetime.now(UTC) + timedelta(hours=1))
        given(warehouse, as_bytes([opened]))
        warehouse.refresh()
        assert warehouse.ask("select is_open, subject_id from funnel.dispute")[1] == [
            (True, "gap/speed/amount")
        ]
        given(warehouse, as_bytes([settled]))
        warehouse.refresh()
        assert warehouse.ask("select is_open, resolution from funnel.dispute")[1] == [(False, "corrected")]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("late/ho-1/answer/used_minutes", "it begins with one of"),
        ("nothing", "it begins with one of"),
        ("sla/kept_share", "sla/SLA/OWED_BY/FIGURE"),
        ("sla/answer/sales/owed_by", "kept_share"),
        ("sla/answer/sales/kept", "kept_share"),
    ],
)
def test_a_number_that_is_not_there_is_refused(address: str, why: str) -> None:
    with pytest.raises(BatonError) as refused:
        read_number(address)
    assert why in str(refused.value)


def test_every_number_is_found_by_its_own_address() -> None:
    with simulated(7, 60) as warehouse:
        [row] = warehouse.ask(circumstances_statement(Look()))[1]
        found = circumstances(Look(), row)
        for each in map(panel, NAMED):
            columns, values = warehouse.ask(each.statement(found))
            rows = [dict(zip(columns, line, strict=True)) for line in values]
            addresses = [number.address for number in numbers_of(each, rows)]
            assert len(set(addresses)) == len(addresses)
            for number in numbers_of(each, rows):
                assert read_number(number.address) == number
                assert number.row({each.id: rows}) is not None


def test_the_decisions_of_the_demo_name_numbers_that_are_there() -> None:
    named = [(number, should) for _, number, should in DECISIONS if number is not None]
    assert named and all(should in DIRECTIONS for _, should in named)
    assert all(read_number(number).address == number for number, _ in named)
