"""What is measured of a handoff, when, and under which identity."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from projections.playbook import read_playbook
from schemas.catalogue import CATALOGUE
from schemas.codec import decode
from streams.simulator import simulate
from tests.given import as_bytes, given, in_memory
from warehouse.measurement import Measurement
from warehouse.warehouse import Warehouse

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # 10:00 in Berlin, where sales_development works 9 to 18
DUE = MONDAY + timedelta(hours=2)
AT_RISK = MONDAY + timedelta(minutes=90)


def event(kind: str, at: datetime, **said: Any) -> Mapping[str, Any]:
    """An event of handoff h1 of lead l1, with the fields that do not matter here filled in."""
    filled = {
        "HandoffOffered": {"from_team": "marketing", "to_team": "sales_development", "reason": "qualified"},
        "HandoffReassigned": {"to_owner": "sdr-boris", "reason": "load"},
        "HandoffAccepted": {"owner": "sdr-clara"},
        "ContactAttempted": {"channel": "call", "is_automated": False, "owner": "sdr-clara"},
        "BuyerReached": {"channel": "call"},
        "LeadsMerged": {},
    }[kind]
    known = {field["name"] for field in CATALOGUE.event_types[kind].fields}
    ids = {"handoff_id": "h1", "lead_id": "l1", "source": "test", "occurred_at": at.isoformat()}
    return {"type": kind, **{k: v for k, v in {**ids, **filled, **said}.items() if k in known}}


def warehouse_with(*events: Mapping[str, Any], as_of: datetime) -> Warehouse:
    warehouse = in_memory(read_playbook())
    given(warehouse, as_bytes(events))
    warehouse.pin_as_of(as_of)
    return warehouse


def measured(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Every measurement in the outbox, decoded from its bytes, in the order it leaves."""
    rows = warehouse.connection.execute("select value from warehouse.outbox order by rowid").fetchall()
    batch = decode([value for (value,) in rows], CATALOGUE)
    assert not batch.failures
    frame = batch.frames.get("HandoffMeasured")
    return [] if frame is None else frame.sort("_row").to_dicts()


def moments(warehouse: Warehouse) -> list[tuple[str, datetime]]:
    return [(row["measure"], row["occurred_at"]) for row in measured(warehouse)]


def test_a_handoff_is_measured_at_each_of_its_moments() -> None:
    minutes = [0, 30, 45, 50, 55]
    at = [MONDAY + timedelta(minutes=m) for m in minutes]
    warehouse = warehouse_with(
        event("HandoffOffered", at[0], owner="sdr-anna"),
        event("HandoffReassigned", at[1]),
        event("HandoffAccepted", at[2]),
        event("ContactAttempted", at[3]),
        event("BuyerReached", at[4]),
        as_of=MONDAY + timedelta(days=1),
    )

    Measurement(warehouse.read_models()).measure()

    said = [(m["measure"], m["elapsed_minutes"], m["owner"], m["answer"]) for m in measured(warehouse)]
    assert said == [
        ("opened", 0.0, "sdr-anna", None),
        ("answered", 45.0, "sdr-clara", "accepted"),
        ("attempted", 50.0, "sdr-clara", "accepted"),
        ("reached", 55.0, "sdr-clara", "accepted"),
    ]


def test_silence_is_measured_once_the_deadline_has_passed_and_not_before() -> None:
    offer = event("HandoffOffered", MONDAY)
    warehouse = warehouse_with(offer, as_of=DUE)
    measurement = Measurement(warehouse.read_models())

    before = measurement.measure()
    warehouse.pin_as_of(DUE + timedelta(microseconds=1))
    after = measurement.measure()

    assert (before.added, before.next_at) == (2, DUE)  # opened, and at risk
    assert (after.added, after.next_at) == (2, None)  # overdue, and past due
    assert moments(warehouse) == [("opened", MONDAY), ("overdue", DUE)]
    assert measured(warehouse)[1]["business_minutes"] == 120.0


def test_contact_reported_by_a_clock_ahead_is_measured_once_it_has_happened() -> None:
    later = MONDAY + timedelta(minutes=5)
    offered, attempted = event("HandoffOffered", MONDAY), event("ContactAttempted", later)
    warehouse = warehouse_with(offered, attempted, as_of=MONDAY)
    measurement = Measurement(warehouse.read_models())

    before = measurement.measure()
    warehouse.pin_as_of(later)
    after = measurement.measure()

    assert (before.added, before.next_at) == (1, later)
    assert (after.added, after.next_at) == (1, AT_RISK)
    assert moments(warehouse) == [("opened", MONDAY), ("attempted", later)]


def test_an_answer_after_the_deadline_leaves_it_overdue() -> None:
    late = DUE + timedelta(minutes=5)
    offered, accepted = event("HandoffOffered", MONDAY), event("HandoffAccepted", late)
    warehouse = warehouse_with(offered, accepted, as_of=late)

    Measurement(warehouse.read_models()).measure()

    assert moments(warehouse) == [("opened", MONDAY), ("overdue", DUE), ("answered", late)]


def test_a_late_event_that_revises_a_moment_makes_a_new_event_and_nothing_else() -> None:
    first, earlier = MONDAY + timedelta(minutes=40), MONDAY + timedelta(minutes=10)
    offered, accepted = event("HandoffOffered", MONDAY), event("HandoffAccepted", first)
    warehouse = warehouse_with(offered, accepted, as_of=first)
    measurement = Measurement(warehouse.read_models())
    measurement.measure()

    again = measurement.measure()
    given(warehouse, as_bytes([event("HandoffAccepted", earlier)]))
    revised = measurement.measure()

    assert (again.added, revised.added) == (0, 1)
    assert moments(warehouse) == [("opened", MONDAY), ("answered", first), ("answered", earlier)]
    assert len({m["event_id"] for m in measured(warehouse)}) == 3


EARLY, LATE = MONDAY + timedelta(minutes=10), MONDAY + timedelta(minutes=20)
OTHER = {"lead_id": "l2", "handoff_id": "h2"}
OFFERED = [event("HandoffOffered", MONDAY), event("HandoffOffered", MONDAY, **OTHER)]


@pytest.mark.parametrize(
    ("before", "news", "found"),
    [
        pytest.param(
            [event("ContactAttempted", EARLY, lead_id="l3", handoff_id=None)],
            [event("LeadsMerged", EARLY, lead_id="l1", merged_lead_id="l3")],
            [("h1", "attempted", EARLY)],
            id="a merge brings contact with it",
        ),
        pytest.param(
            [
                event("ContactAttempted", EARLY, lead_id="l3", handoff_id=None),
                event("ContactAttempted", LATE),
                event("LeadsMerged", LATE, lead_id="l1", merged_lead_id="l3"),
            ],
            [event("LeadsMerged", EARLY, lead_id="l4", merged_lead_id="l3")],
            [("h1", "attempted", LATE)],
            id="a merge that was told too late takes contact away again",
        ),
        pytest.param(
            [event("ContactAttempted", EARLY, event_id="told-twice"), event("ContactAttempted", LATE)],
            [event("ContactAttempted", EARLY, event_id="told-twice", recorded_at=EARLY.isoformat(), **OTHER)],
            [("h1", "attempted", LATE), ("h2", "attempted", EARLY)],
            id="a record of the same event that names another handoff",
        ),
        pytest.param(
            [event("ContactAttempted", EARLY, lead_id="l3")],
            [event("ContactAttempted", LATE)],
            [],
            id="contact with another lead that named the handoff still is the first",
        ),
        pytest.param(
            [
                event("ContactAttempted", EARLY, lead_id="l3", handoff_id=None),
                event("LeadsMerged", EARLY, lead_id="l1", merged_lead_id="l3"),
            ],
            [event("ContactAttempted", LATE)],
            [],
            id="contact with a lead merged long ago still is the first",
        ),
        pytest.param(
            [event("ContactAttempted", EARLY, handoff_id=None)],
            [event("HandoffAccepted", LATE, lead_id="l3")],
            [("h1", "answered", LATE)],
            id="an answer that names another lead",
        ),
        pytest.param(
            [event("ContactAttempted", LATE, handoff_id=None)],
            [event("HandoffOffered", EARLY, handoff_id="h3")],
            [("h3", "attempted", LATE), ("h3", "opened", EARLY)],
            id="a later offer takes over what names no handoff",
        ),
    ],
)
def test_news_of_one_handoff_is_also_news_of_others(
    before: list[Mapping[str, Any]],
    news: list[Mapping[str, Any]],
    found: list[tuple[str, str, datetime]],
) -> None:
    """A pass looks only at what news can have changed; a new look at everything finds nothing it missed."""
    warehouse = warehouse_with(*OFFERED, *before, as_of=MONDAY + timedelta(hours=1))
    measurement = Measurement(warehouse.read_models())
    measurement.measure()
    known = {m["event_id"] for m in measured(warehouse)}

    given(warehouse, as_bytes(news))
    measurement.measure()

    new = [m for m in measured(warehouse) if m["event_id"] not in known]
    assert sorted((m["handoff_id"], m["measure"], m["occurred_at"]) for m in new) == found
    assert Measurement(warehouse.read_models()).measure().added == 0


def test_a_pass_that_failed_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse = warehouse_with(*OFFERED, as_of=LATE)
    measurement = Measurement(warehouse.read_models())
    measurement.measure()
    given(warehouse, as_bytes([event("HandoffAccepted", EARLY)]))

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(measurement, "_messages", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        measurement.measure()

    assert measurement.measure().added == 1


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[bytes], datetime]:
    folder = tmp_path_factory.mktemp("story")
    as_of = simulate(11, 250, folder).as_of
    lines = (folder / "events.jsonl").read_text().splitlines()
    return as_bytes(json.loads(line) for line in lines), as_of


def opened(story: tuple[list[bytes], datetime]) -> Warehouse:
    values, as_of = story
    warehouse = in_memory(read_playbook())
    given(warehouse, values)
    warehouse.pin_as_of(as_of)
    return warehouse


def test_measurements_say_what_the_latency_view_says(story: tuple[list[bytes], datetime]) -> None:
    warehouse = opened(story)
    Measurement(warehouse.read_models()).measure()
    answered = {
        m["handoff_id"]: (m["occurred_at"], m["elapsed_minutes"], m["business_minutes"])
        for m in measured(warehouse)
        if m["measure"] == "answered"
    }
    overdue = {m["handoff_id"] for m in measured(warehouse) if m["measure"] == "overdue"}

    view = warehouse.connection.execute(
        "select handoff_id, answered_at, elapsed_minutes, business_minutes from funnel.handoff_latency"
        " where answered_at is not null"
    ).fetchall()
    late = warehouse.connection.execute(
        "select handoff_id from funnel.handoff, warehouse.as_of"
        " where answer_due_at < coalesce(answered_at, as_of)"
    ).fetchall()

    assert answered == {handoff: tuple(rest) for handoff, *rest in view}
    assert overdue == {handoff for (handoff,) in late} and overdue


def test_many_small_passes_add_what_one_large_pass_adds(story: tuple[list[bytes], datetime]) -> None:
    whole, piecemeal = opened(story), opened(story)

    Measurement(whole.read_models()).measure()
    in_pieces = Measurement(piecemeal.read_models(), most=100)
    passes = [in_pieces.measure()]
    while not passes[-1].is_all:
        passes.append(in_pieces.measure())

    assert len(passes) > 3 and all(p.added == 100 for p in passes[:-1])
    assert measured(piecemeal) == measured(whole)


def test_a_measurement_travels_as_a_cloud_event(story: tuple[list[bytes], datetime]) -> None:
    warehouse = opened(story)
    Measurement(warehouse.read_models(), most=1).measure()
    row = warehouse.connection.execute(
        "select topic, key, headers::varchar, message_id from warehouse.outbox"
    )
    topic, key, headers, message_id = row.fetchall()[0]
    (told,) = measured(warehouse)

    assert (topic, key.decode(), message_id) == (
        "funnel.handoff-latency",
        told["handoff_id"],
        told["event_id"],
    )
    assert json.loads(headers) == {
        "ce_specversion": "1.0",
        "content-type": "application/avro",
        "ce_id": told["event_id"],
        "ce_source": "baton",
        "ce_type": "HandoffMeasured",
        "ce_time": told["occurred_at"].isoformat(timespec="microseconds"),
    }
