"""A warehouse judges by what was in force at the time, and says so again after any restart or replay."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from projections.agreement import Proposal
from projections.playbook import Playbook, parse_playbook
from tests.given import all_hashes, as_bytes, given, in_memory, shuffled
from tests.projections.test_playbook import GOOD
from tests.signed import KEYS, as_events, proposal, signature
from warehouse.authority import PROPOSALS
from warehouse.measurement import Measurement
from warehouse.sql_endpoint import ask, serve_sql
from warehouse.warehouse import Warehouse

# The office keeps other hours from the signing on, so that a calendar changes its meaning as well.
QUICKER = GOOD.replace("2 hours", "1 hour").replace("Mon-Fri 09:00-18:00", "Mon-Fri 07:00-18:00")
BASE, SIGNED = parse_playbook(GOOD), parse_playbook(QUICKER)
SIGNED_AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
AS_OF = datetime(2026, 3, 6, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def handoff(name: str, at: datetime) -> list[Mapping[str, Any]]:
    """Offered at this moment and accepted 90 minutes later."""
    common = {"source": "crm", "handoff_id": name, "lead_id": f"lead of {name}"}
    offer = {**common, "type": "HandoffOffered", "from_team": "marketing", "to_team": "sales"}
    answer = {**common, "type": "HandoffAccepted", "owner": "zoe"}
    return [
        {**offer, "occurred_at": at.isoformat()},
        {**answer, "occurred_at": (at + timedelta(minutes=90)).isoformat()},
    ]


AGREED = as_events(
    proposal(SIGNED, SIGNED_AT - 2 * DAY),
    signature(SIGNED, "marketing", SIGNED_AT - DAY),
    signature(SIGNED, "sales", SIGNED_AT),
)
BEFORE = datetime(2026, 3, 3, 7, tzinfo=UTC)  # 08:00 in Berlin
AFTER = datetime(2026, 3, 5, 7, tzinfo=UTC)
STORY = as_bytes([*handoff("before", BEFORE), *handoff("after", AFTER), *AGREED])


def opened(path: Path | None = None, base: Playbook = BASE) -> Warehouse:
    return Warehouse.open(path, base, keys=KEYS)


def rows(warehouse: Warehouse, select: str) -> list[tuple[Any, ...]]:
    warehouse.pin_as_of(AS_OF)
    return warehouse.connection.execute(select).fetchall()


def test_a_verdict_keeps_the_version_in_force_when_the_handoff_was_offered() -> None:
    with opened() as warehouse:
        given(warehouse, STORY)

        owed = rows(
            warehouse,
            "select handoff_id, playbook_version, allowed_minutes, epoch(due_at - starts_at) / 60, is_met"
            " from funnel.handoff_sla where sla = 'answer' order by starts_at",
        )
        took = rows(
            warehouse, "select handoff_id, business_minutes from funnel.handoff_latency order by offered_at"
        )

    # Before: the office opens at 09:00, so two hours run from then on. After: open since 07:00, one hour.
    assert owed == [
        ("before", BASE.version, 120.0, 180.0, True),
        ("after", SIGNED.version, 60.0, 60.0, False),
    ]
    assert took == [("before", 30.0), ("after", 90.0)]


def test_a_measured_moment_is_judged_by_its_own_version_too() -> None:
    with opened() as warehouse:
        given(warehouse, STORY)
        warehouse.pin_as_of(AS_OF)
        Measurement(warehouse.read_models()).measure()
        overdue = rows(warehouse, "select count(*) from warehouse.outbox")

    # opened and answered of both; of the one that had an hour and took ninety minutes overdue, and what was
    # owed
    assert overdue == [(6,)]


@pytest.mark.parametrize("cut", [[], [1], [3], [5], [6], [1, 2, 3, 4, 5, 6]])
def test_order_and_batches_do_not_decide_what_is_in_force(cut: list[int]) -> None:
    with opened() as straight, opened() as other:
        given(straight, STORY)
        given(other, [*shuffled(STORY, len(cut)), *STORY[4:]], cuts=cut)

        assert all_hashes(other.connection, AS_OF) == all_hashes(straight.connection, AS_OF)
        assert rows(other, "select * from playbook.all_version") == rows(
            straight, "select * from playbook.all_version"
        )


def test_what_is_in_force_is_there_again_after_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path / "baton.duckdb") as warehouse:
        given(warehouse, STORY)
        live = all_hashes(warehouse.connection, AS_OF)
    with opened(tmp_path / "baton.duckdb") as again:
        assert all_hashes(again.connection, AS_OF) == live
        assert again.playbook_in_force() == SIGNED
        in_force = (
            "select playbook_version, is_signed, in_force_from, in_force_until from playbook.all_version"
        )
        assert rows(again, f"{in_force} order by in_force_from nulls first") == [
            (BASE.version, False, None, SIGNED_AT),
            (SIGNED.version, True, SIGNED_AT, None),
        ]


def test_a_changed_file_does_not_change_what_both_signed(tmp_path: Path) -> None:
    with opened(tmp_path / "baton.duckdb") as warehouse:
        given(warehouse, STORY)
    changed = parse_playbook(GOOD.replace("2 hours", "9 hours"))
    with opened(tmp_path / "baton.duckdb", changed) as warehouse:
        allowed = "select allowed_us // 60000000 from playbook.sla where sla = 'answer'"
        assert rows(warehouse, allowed) == [(60,)]
        judged = "select is_met from funnel.handoff_sla where handoff_id = 'after' and sla = 'answer'"
        assert rows(warehouse, judged) == [(False,)]


def test_a_file_that_was_signed_stands_once(tmp_path: Path) -> None:
    with opened(tmp_path / "baton.duckdb") as warehouse:
        given(warehouse, STORY)
    with opened(tmp_path / "baton.duckdb", SIGNED) as warehouse:
        assert rows(warehouse, "select playbook_version, in_force_from from playbook.all_version") == [
            (SIGNED.version, None)
        ]
        assert rows(warehouse, "select count(*) from funnel.handoff") == [(2,)]


def test_it_comes_into_force_behind_the_locked_door_of_a_worker(tmp_path: Path) -> None:
    with opened(tmp_path / "baton.duckdb") as warehouse:
        endpoint = serve_sql(warehouse.connection)
        given(warehouse, STORY)

        found = ask(endpoint, "select playbook_version, in_force_from from playbook.version")[1]
        proposed = ask(endpoint, PROPOSALS)[1]

    assert found == [(SIGNED.version, SIGNED_AT)]
    assert [Proposal(*row).proposed_at for row in proposed] == [SIGNED_AT - 2 * DAY]


def test_without_keys_no_signature_counts() -> None:
    with in_memory(BASE) as warehouse:
        given(warehouse, STORY)
        assert rows(warehouse, "select playbook_version from playbook.version") == [(BASE.version,)]


def test_a_batch_that_fails_leaves_what_was_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    with opened() as warehouse:
        given(warehouse, STORY[:4])

        def fail(*_: object) -> None:
            raise OSError("no space left")

        # Nothing of ours can be made to fail between the tables and the commit without this.
        monkeypatch.setattr("warehouse.commit.Committer._advance_offsets", fail)
        with pytest.raises(OSError, match="no space"):
            given(warehouse, STORY[4:])

        assert rows(warehouse, "select playbook_version from playbook.all_version") == [(BASE.version,)]
        assert rows(warehouse, "select count(*) from facts.playbook_signed") == [(0,)]
