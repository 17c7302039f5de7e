"""Whatever keeps the contract survives the wire, and whatever does not is refused and nothing else."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime
from typing import Any

import fastavro
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.avro_types import is_attributes
from schemas.catalogue import CATALOGUE, EventType
from schemas.codec import decode, encode
from schemas.json_form import json_form
from schemas.limits import WIDEST_MONEY
from schemas.validation import ContractViolation, read_event
from schemas.vocabulary import CURRENCIES

INSTANTS = st.datetimes(
    min_value=datetime(2000, 1, 1), max_value=datetime(2099, 12, 31), timezones=st.just(UTC)
)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
IDS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=60)
ATTRIBUTES = st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True), TEXT, max_size=3)


def _values(event: EventType, field: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a field in their JSON form."""
    avro, lowest = field["type"], field.get("minimum")
    if isinstance(avro, list):
        return st.none() | _values(event, {**field, "type": avro[1]})
    if is_attributes(avro):
        return ATTRIBUTES
    kind = avro if isinstance(avro, str) else avro["logicalType"]
    words = {"period": st.just("2026-Q1"), "scope": st.sampled_from(["company", "team"])}
    words["currency"] = st.sampled_from(sorted(CURRENCIES))
    if field["name"] in words:
        return words[field["name"]]
    is_id = field["name"].endswith("_id") or field["name"] in ("source", event.key)
    strategies: dict[str, st.SearchStrategy[Any]] = {
        "string": IDS if is_id else TEXT,
        "boolean": st.booleans(),
        "int": st.integers(-(2**31) if lowest is None else lowest, 2**31 - 1),
        "long": st.integers(-(2**63) if lowest is None else lowest, 2**63 - 1),
        "double": st.floats(lowest, field.get("maximum"), allow_nan=False, allow_infinity=False),
        "timestamp-micros": INSTANTS.map(datetime.isoformat),
        "date": st.dates(date(2000, 1, 1), date(2099, 12, 31)).map(date.isoformat),
        "decimal": st.decimals(
            1 - WIDEST_MONEY if lowest is None else lowest, WIDEST_MONEY - 1, places=4
        ).map(str),
    }
    return strategies[kind]


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """An event of any type, built from its schema; optional fields may be missing altogether."""
    event = draw(st.sampled_from(list(CATALOGUE.event_types.values())))
    required = {f["name"]: _values(event, f) for f in event.fields if "default" not in f}
    optional = {f["name"]: _values(event, f) for f in event.fields if "default" in f}
    said = {"type": event.name, **draw(st.fixed_dictionaries(required, optional=optional))}
    return _agreeing(said)


def _agreeing(said: dict[str, Any]) -> dict[str, Any]:
    """The same where fields would contradict each other: an amount alone, a day with a time."""
    if said.get("amount") is None or said.get("currency") is None or said.get("is_amount_known") is False:
        said = {name: value for name, value in said.items() if name not in ("amount", "currency")}
        said.pop("is_amount_known", None)
    if said.get("is_day_only"):
        said |= {"occurred_at": said["occurred_at"][:10] + "T00:00:00+00:00"}
    return said


def _decoded(event: EventType, record: dict[str, Any]) -> dict[str, Any]:
    stream = io.BytesIO(encode(event, record)[10:])
    found = fastavro.schemaless_reader(stream, event.parsed, None)
    assert isinstance(found, dict)
    return found


@settings(max_examples=150, deadline=None)
@given(events())
def test_an_event_of_the_contract_survives_the_wire(event: dict[str, Any]) -> None:
    event_type, record = read_event(json.loads(json.dumps(event)))

    assert _decoded(event_type, record) == record
    batch = decode([encode(event_type, record)], CATALOGUE)
    assert not batch.failures
    (row,) = batch.frames[event_type.name].drop("_row").to_dicts()
    assert row == record


@settings(max_examples=150, deadline=None)
@given(events())
def test_reading_a_record_again_changes_nothing(event: dict[str, Any]) -> None:
    event_type, record = read_event(event)
    assert read_event({"type": event_type.name, **record}) == (event_type, record)


@settings(max_examples=300, deadline=None)
@given(events())
def test_the_json_of_a_record_says_the_same_event(event: dict[str, Any]) -> None:
    event_type, record = read_event(event)
    assert read_event(json.loads(json.dumps(json_form(event_type, record)))) == (event_type, record)


@settings(max_examples=300, deadline=None)
@given(
    events(),
    st.data(),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.dates()
        | st.datetimes()
        | st.decimals()
        | st.binary(),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    ),
)
def test_any_value_is_taken_or_refused_and_nothing_else(
    event: dict[str, Any], data: st.DataObject, anything: Any
) -> None:
    name = data.draw(st.sampled_from([*event, "type", "no_such_field"]))
    try:
        event_type, record = read_event({**event, name: anything})
    except ContractViolation as violation:
        assert violation.why
    else:
        assert not decode([encode(event_type, record)], CATALOGUE).failures
