"""Events to bytes and back, and what becomes of bytes that are no events: nothing is lost, nobody is hurt."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from schemas.catalogue import CATALOGUE, Catalogue, EventType, Schema, read_catalogue
from schemas.codec import ROW, DecodedBatch, decode, encode
from tests.laws.records import effort, records

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
WON = CATALOGUE.event_types["OpportunityWon"]
REACHED = CATALOGUE.event_types["BuyerReached"]
HEADER = b"\xc3\x01" + WON.fingerprint


def won(**said: Any) -> dict[str, Any]:
    """An OpportunityWon that keeps the contract, but for what is said otherwise."""
    usual = {"event_id": "e-1", "occurred_at": NOON, "recorded_at": NOON, "source": "salesforce"}
    deal = {"opportunity_id": "deal-1", "account_id": "acme", "amount": Decimal("1200.5"), "currency": "EUR"}
    flags = {"is_amount_known": True, "is_day_only": False}
    return {**usual, **deal, "lead_id": None, "owner": None, **flags, **said}


GOOD = encode(WON, won())


def zigzag(number: int) -> bytes:
    """An Avro long."""
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number & ~0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def sized(content: bytes) -> bytes:
    """Avro bytes or text."""
    return zigzag(len(content)) + content


def won_by_hand(**said: bytes) -> bytes:
    """An OpportunityWon written byte by byte, so that it can say what no encoder would."""
    at = zigzag(int(NOON.timestamp()) * 1_000_000)
    usual = {"event_id": sized(b"e-1"), "occurred_at": at, "recorded_at": at, "source": sized(b"crm")}
    deal = {"opportunity_id": sized(b"deal-1"), "account_id": sized(b"acme"), "lead_id": b"\0"}
    paid = {"amount": sized(b"\x01"), "currency": sized(b"EUR"), "owner": b"\0"}
    flags = {"is_amount_known": b"\1", "is_day_only": b"\0"}
    return HEADER + b"".join({**usual, **deal, **paid, **flags, **said}.values())


def places(batch: DecodedBatch) -> list[int]:
    """Every row of the input that is in a frame or among the failures, in order."""
    rows = [row for frame in batch.frames.values() for row in frame[ROW]]
    return sorted(rows + [failure.row for failure in batch.failures])


def fates(values: Sequence[bytes | None], **how: Any) -> list[object]:
    """What became of each value: the record it holds, or (stage, reason)."""
    batch = decode(values, CATALOGUE, **how)
    assert places(batch) == list(range(len(values)))
    found: dict[int, object] = {failure.row: (failure.stage, failure.reason) for failure in batch.failures}
    for frame in batch.frames.values():
        found |= {row[ROW]: {k: v for k, v in row.items() if k != ROW} for row in frame.iter_rows(named=True)}
    return [found[row] for row in range(len(values))]


# --- what is written is read --------------------------------------------------------------------


@pytest.mark.parametrize("name", list(CATALOGUE.event_types))
def test_every_event_reads_back_as_it_was_written(name: str) -> None:
    event = CATALOGUE.event_types[name]

    @effort(30)
    @for_all(st.lists(records(event), min_size=1, max_size=5))
    def holds(written: list[Mapping[str, Any]]) -> None:
        assert fates([encode(event, record) for record in written]) == written

    holds()


def test_a_batch_of_all_events_in_any_order_finds_each_its_frame() -> None:
    values = [encode(REACHED if i % 3 else WON, _reached() if i % 3 else won()) for i in range(100)]
    batch = decode(values, CATALOGUE)

    assert {name: frame.height for name, frame in batch.frames.items()} == {
        "OpportunityWon": 34,
        "BuyerReached": 66,
    }
    assert places(batch) == list(range(100)) and not batch.failures


def test_an_empty_batch_holds_nothing() -> None:
    assert decode([], CATALOGUE) == DecodedBatch()


def _reached() -> dict[str, Any]:
    usual = {"event_id": "e-2", "occurred_at": NOON, "recorded_at": NOON, "source": "dialer"}
    return {
        **usual,
        "lead_id": "lead-1",
        "handoff_id": None,
        "owner": None,
        "channel": "phone",
        "contact_id": None,
    }


# --- hostile bytes ------------------------------------------------------------------------------

HOSTILE: dict[str, bytes | None] = {
    "no value": None,
    "nothing": b"",
    "JSON": b'{"type": "LeadCaptured"}',
    "a megabyte of zeros": bytes(1 << 20),
    "a megabyte of zeros behind a good header": HEADER + bytes(1 << 20),
    "half a header": GOOD[:7],
    "a header and nothing else": GOOD[:10],
    "one byte too few": GOOD[:-1],
    "one byte too many": GOOD + b"\0",
    "two events in one value": GOOD + GOOD[10:],
    "an unknown fingerprint": b"\xc3\x01" + bytes(8) + GOOD[10:],
    "the fingerprint of another event": b"\xc3\x01" + REACHED.fingerprint + GOOD[10:],
    "another version of the encoding": b"\xc3\x02" + GOOD[2:],
    "a text longer than the value": HEADER + zigzag(2**20) + b"abc",
    "a text longer than memory": HEADER + zigzag(2**62) + b"abc",
    "a text of negative length": HEADER + zigzag(-5) + b"abc",
    "a number without an end": HEADER + b"\xff" * 40,
    "text that is not UTF-8": won_by_hand(event_id=sized(b"\xff\xfe")),
    "text with half a surrogate pair": won_by_hand(event_id=sized(b"\xed\xa0\x80")),
    "a branch of a union that does not exist": won_by_hand(owner=zigzag(3)),
    "framed for a registry": b"\0\0\0\0\x07" + GOOD[10:],
    "half a frame for a registry": b"\0\0\x07",
}


@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in HOSTILE.items()])
def test_bytes_that_are_no_event_fail_alone_and_say_why(value: bytes | None) -> None:
    before, fate, after = fates([GOOD, value, GOOD])

    assert isinstance(fate, tuple) and fate[0] in ("frame", "schema", "decode") and fate[1]
    assert before == after == won(), "its neighbours are read"


def test_a_batch_of_nothing_but_hostile_bytes_is_all_failures() -> None:
    values = list(HOSTILE.values()) * 50
    batch = decode(values, CATALOGUE)

    assert not batch.frames
    assert places(batch) == list(range(len(values)))


@effort(150)
@for_all(st.data())
def test_what_becomes_of_a_value_does_not_depend_on_its_neighbours(data: st.DataObject) -> None:
    """Or the cut of the log into batches would decide what is a fact, and a replay would differ."""
    values: list[bytes | None] = []
    for _ in range(data.draw(st.integers(1, 8), label="values")):
        value = bytearray(GOOD)
        for _ in range(data.draw(st.integers(0, 2), label="changes")):
            at = data.draw(st.integers(0, len(value) - 1))
            value[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        values.append(bytes(value))
    values += data.draw(st.lists(st.sampled_from(list(HOSTILE.values())), max_size=2))
    mixed = data.draw(st.permutations(values))

    assert fates(mixed) == [fates([value])[0] for value in mixed]


@effort(60)
@for_all(st.lists(st.none() | st.binary(max_size=200), max_size=20))
def test_random_bytes_end_in_one_place_each(values: list[bytes | None]) -> None:
    assert places(decode(values, CATALOGUE)) == list(range(len(values)))


def test_a_sender_who_knows_the_format_cannot_reach_into_the_next_value() -> None:
    """Two values that would read as others, if one could foresee what is put between them."""
    guess = b"\x08BATN"
    tail = GOOD[10:]
    swallowing = HEADER + sized(b"e-1") + zigzag(len(guess) + 5)
    assert [type(fate) for fate in fates([swallowing, HEADER + tail + guess + tail, GOOD])] == [
        tuple,
        tuple,
        dict,
    ]


# --- impossible values --------------------------------------------------------------------------


def _microseconds(year: int) -> bytes:
    return zigzag(int(datetime(year, 6, 1, tzinfo=UTC).timestamp()) * 1_000_000)


def _goal(**said: Any) -> dict[str, Any]:
    usual = {"event_id": "e-3", "occurred_at": NOON, "recorded_at": NOON, "source": "crm", "goal_id": "g"}
    line = {"period": "2026", "owner_team": "sales", "metric": "revenue", "is_day_only": False}
    return {**usual, **line, "parent_goal_id": None, "scope": None, "currency": "EUR", **said}


GOAL = CATALOGUE.event_types["GoalSet"]
IMPOSSIBLE = {
    "the year 1900": (
        won_by_hand(occurred_at=_microseconds(1900)),
        "occurred_at is not between 2000 and 2100",
    ),
    "the year 2200": (
        won_by_hand(recorded_at=_microseconds(2200)),
        "recorded_at is not between 2000 and 2100",
    ),
    "the end of time": (
        won_by_hand(occurred_at=zigzag(2**63 - 1)),
        "occurred_at is not between 2000 and 2100",
    ),
    "the beginning of time": (won_by_hand(occurred_at=zigzag(-(2**63))), "occurred_at is not between"),
    "negative money where there is none": (encode(GOAL, _goal(amount=Decimal(-1))), "amount is below 0"),
    "money of 19 digits": (won_by_hand(amount=sized((10**18).to_bytes(8, "big"))), "amount has more digits"),
    "money of 38 digits": (won_by_hand(amount=sized(b"\x7f" * 16)), "amount has more digits"),
    "money of 40 digits": (won_by_hand(amount=sized(b"\x7f" * 17)), "amount has more digits"),
    "money of 700 digits": (won_by_hand(amount=sized(b"\x7f" * 300)), "amount has more digits"),
    "money behind needless zeros": (won_by_hand(amount=sized(bytes(17))), "the block reader refuses it"),
    "a NUL in a text": (won_by_hand(currency=sized(b"E\0R")), "currency holds a NUL character"),
    "an empty id": (won_by_hand(event_id=sized(b"")), "event_id is empty"),
    "an empty key": (won_by_hand(opportunity_id=sized(b"")), "opportunity_id is empty"),
    "a blank id": (won_by_hand(opportunity_id=sized(b" \t ")), "opportunity_id is empty"),
    "an optional id that is empty": (won_by_hand(lead_id=zigzag(1) + sized(b"")), "lead_id is empty"),
    "an empty source": (won_by_hand(source=sized(b"")), "source is empty"),
    "a text of 33 KiB": (
        won_by_hand(currency=sized(b"E" * 33 * 1024)),
        "currency is longer than 32768 bytes",
    ),
}


@pytest.mark.parametrize(
    ("value", "reason"), [pytest.param(*case, id=name) for name, case in IMPOSSIBLE.items()]
)
def test_what_no_source_can_mean_is_refused_with_a_reason(value: bytes, reason: str) -> None:
    before, fate, after = fates([GOOD, value, GOOD])

    assert isinstance(fate, tuple) and reason in fate[1]
    assert fate == fates([value])[0]
    assert before == after == won()


@pytest.mark.parametrize("share", [float("nan"), float("inf"), float("-inf")], ids=str)
def test_a_number_that_is_none_is_refused(share: float) -> None:
    stage = CATALOGUE.event_types["OpportunityStageEntered"]
    usual = {"event_id": "e", "occurred_at": NOON, "recorded_at": NOON, "source": "crm"}
    record = {**usual, "opportunity_id": "o", "lead_id": None, "stage": "proposal", "probability": share}

    assert fates([encode(stage, record)]) == [("validate", "probability is not a finite number")]


# --- versions -----------------------------------------------------------------------------------


def _with_second_version(folder: Path) -> Catalogue:
    """A catalogue in which OpportunityWon has one more version, with one more nullable field."""
    own = folder / "funnel.sales"
    own.mkdir(parents=True)
    first = WON.schema
    added = {"name": "signed_on", "type": ["null", {"type": "int", "logicalType": "date"}], "default": None}
    second = {**first, "fields": [*first["fields"], {**added, "doc": "The day on the paper."}]}
    (own / "OpportunityWon.v1.avsc").write_text(json.dumps(first))
    (own / "OpportunityWon.v2.avsc").write_text(json.dumps(second))
    return read_catalogue(folder)


def test_a_new_reader_takes_old_events_with_the_default(tmp_path: Path) -> None:
    newer = _with_second_version(tmp_path)
    second = encode(newer.event_types["OpportunityWon"], {**won(), "signed_on": date(2026, 3, 1)})

    batch = decode([GOOD, second, GOOD], newer)

    read = batch.frames["OpportunityWon"].sort(ROW)
    assert read["signed_on"].to_list() == [None, date(2026, 3, 1), None]
    assert read["amount"].to_list() == [Decimal("1200.5")] * 3 and not batch.failures


def test_an_old_reader_takes_new_events_by_the_registry_and_drops_what_it_does_not_know(
    tmp_path: Path,
) -> None:
    newer = _with_second_version(tmp_path).event_types["OpportunityWon"]
    framed = b"\0\0\0\0\x02" + encode(newer, {**won(), "signed_on": date(2026, 3, 1)})[10:]

    assert fates([framed], registry={2: newer.schema}.get) == [won()]


def test_an_old_reader_without_registry_keeps_what_it_cannot_know(tmp_path: Path) -> None:
    newer = _with_second_version(tmp_path).event_types["OpportunityWon"]
    value = encode(newer, {**won(), "signed_on": None})

    stage, reason = fates([value, GOOD])[0]  # type: ignore[misc]

    assert (stage, reason) == ("schema", f"no published schema has the fingerprint {newer.fingerprint.hex()}")


# --- the registry's frame -----------------------------------------------------------------------


def _changed(event: EventType, **types: Any) -> Schema:
    """The event's schema with other types for some fields; a type of None drops the field."""
    fields = [{**f, "type": types.get(f["name"], f["type"])} for f in event.fields]
    return {**event.schema, "fields": [field for field in fields if field["type"] is not None]}


STRANGE_SCHEMAS = {
    "an id that is a number": (_changed(WON, event_id="long"), "its event_id is Int64, not String"),
    "no id at all": (_changed(WON, event_id=None), "event_id is required, and it has none"),
    "an id that may be null": (_changed(WON, event_id=["null", "string"]), "its event_id may be null"),
    "an owner that is a list": (
        _changed(WON, owner={"type": "array", "items": "string"}),
        "events may not have",
    ),
    "an owner of three kinds": (_changed(WON, owner=["null", "string", "long"]), "events may not have"),
    "money of another scale": (
        _changed(WON, amount={"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2}),
        "its amount is Decimal",
    ),
    "an instant in milliseconds": (
        _changed(WON, occurred_at={"type": "long", "logicalType": "timestamp-millis"}),
        "its occurred_at is Int64",
    ),
    "an event nobody knows": (
        {**WON.schema, "name": "DealClosed"},
        "DealClosed is not an event of the contract",
    ),
    "no fields": ({"type": "record", "name": "OpportunityWon"}, "it is not a record"),
    "an enum": ({"type": "enum", "name": "OpportunityWon", "symbols": ["A"]}, "it is not a record"),
}


@pytest.mark.parametrize(
    ("schema", "reason"), [pytest.param(*case, id=name) for name, case in STRANGE_SCHEMAS.items()]
)
def test_a_registry_schema_that_is_no_version_of_the_event_is_refused(schema: Schema, reason: str) -> None:
    known = {1: WON.schema, 2: schema}
    before, fate, after = fates(
        [b"\0\0\0\0\x01" + GOOD[10:], b"\0\0\0\0\x02" + GOOD[10:], GOOD], registry=known.get
    )

    assert isinstance(fate, tuple) and fate[0] == "schema" and reason in fate[1]
    assert before == after == won()


def test_a_registry_schema_may_be_narrower_and_may_order_a_union_its_own_way() -> None:
    held = CATALOGUE.event_types["CampaignPlanned"]
    usual = {"event_id": "e", "occurred_at": NOON, "recorded_at": NOON, "source": "crm"}
    planned = {"campaign_id": "c", "name": "spring", "channel": "event", "starts_on": date(2026, 4, 1)}
    record = {**usual, **planned, "goal_id": "g", "ends_on": None, "amount": None, "currency": None}
    swapped = _changed(held, goal_id=["string", "null"])
    other = EventType(held.name, (type(held.newest)(held.name, 1, swapped, Path()),))

    framed = b"\0\0\0\0\x09" + encode(other, record)[10:]

    assert fates([framed], registry={9: swapped}.get) == [record]


def test_an_unknown_registry_id_says_so() -> None:
    assert fates([b"\0\0\0\x01\x00" + GOOD[10:]], registry=lambda schema_id: None) == [
        ("schema", "the schema registry has no Avro schema 256")
    ]


def test_the_two_framings_of_one_event_end_in_one_frame() -> None:
    batch = decode([GOOD, b"\0\0\0\0\x01" + GOOD[10:]], CATALOGUE, {1: WON.schema}.get)

    assert batch.frames["OpportunityWon"].height == 2
    assert batch.frames["OpportunityWon"].schema["occurred_at"] == pl.Datetime("us", "UTC")
