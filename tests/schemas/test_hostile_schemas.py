"""Schemas that nobody has checked: whatever a registry hands out, only the records written with it fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from schemas.catalogue import CATALOGUE, Schema
from schemas.codec import LONGEST_REASON, SchemaWithheld, decode
from schemas.errors import BatonError
from schemas.registry import SchemaRegistry
from tests.laws.records import effort
from tests.schemas.test_codec import GOOD, HEADER, WON, fates, sized, won
from tests.schemas.test_registry import MemoryRegistry, server

__all__ = ["server"]  # the fixture

BODY = GOOD[len(HEADER) :]
ORACLE_NUMBER = {"type": "bytes", "logicalType": "decimal", "precision": 64, "scale": 127}


def framed(schema_id: int, body: bytes = BODY) -> bytes:
    return b"\0" + schema_id.to_bytes(4, "big") + body


def with_extra(*fields: Any) -> Schema:
    """OpportunityWon, and fields after its own."""
    return {**WON.schema, "fields": [*WON.schema["fields"], *fields]}


def with_money(**said: Any) -> Schema:
    """OpportunityWon with another type of its amount."""
    money = next(f["type"] for f in WON.fields if f["name"] == "amount")
    return {
        **WON.schema,
        "fields": [
            {**f, "type": {**money, **said}} if f["name"] == "amount" else f for f in WON.schema["fields"]
        ],
    }


# --- what is passed over ------------------------------------------------------------------------

PASSED_OVER: dict[str, tuple[Any, bytes]] = {
    "a number of Oracle": ({"name": "N", "type": ORACLE_NUMBER}, sized(b"\x01\x02")),
    "a number of Oracle, or none": ({"name": "N", "type": ["null", ORACLE_NUMBER]}, b"\x02" + sized(b"\x01")),
    "called as the place is": ({"name": "_row", "type": "string"}, sized(b"x")),
    "called as the guard is": ({"name": "_guard", "type": "string"}, sized(b"x")),
    "called nothing": ({"name": "", "type": "string"}, sized(b"x")),
    "called something odd": ({"name": "\ud800 \0;drop", "type": "long"}, b"\x02"),
    "a precision that is text": (
        {"name": "n", "type": {"type": "bytes", "logicalType": "decimal", "precision": "9", "scale": "2"}},
        sized(b"\x01"),
    ),
    "an instant in milliseconds": (
        {"name": "n", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        b"\x02",
    ),
    "fixed": ({"name": "n", "type": {"type": "fixed", "name": "", "size": 2}}, b"ab"),
}


@pytest.mark.parametrize(
    ("field", "written"), [pytest.param(*case, id=name) for name, case in PASSED_OVER.items()]
)
def test_a_field_that_the_contract_does_not_have_is_passed_over(field: Any, written: bytes) -> None:
    values = [framed(7, BODY + written), GOOD, framed(7, BODY + written), framed(7, BODY)]
    first, before, second, cut = fates(values, registry={7: with_extra(field)}.get)

    assert first == before == second == won()
    assert isinstance(cut, tuple) and cut[0] == "decode"


# --- what fails, with its bytes -----------------------------------------------------------------

REFUSED: dict[str, Any] = {
    "money with a precision that is text": with_money(precision="18"),
    "money with a scale that is a list": with_money(scale=[4]),
    "money as Oracle writes it": with_money(precision=64, scale=127),
    "a map": with_extra({"name": "m", "type": {"type": "map", "values": "string"}}),
    "a list of nothing": with_extra({"name": "m", "type": {"type": "array", "items": "null"}}),
    "a list of empty records": with_extra(
        {"name": "m", "type": {"type": "array", "items": {"type": "record", "name": "E", "fields": []}}}
    ),
    "a type nobody declared": with_extra({"name": "m", "type": "Attribute"}),
    "a field without a name": with_extra({"type": "string"}),
    "a field that is text": with_extra("name"),
    "a field whose name is a list": with_extra({"name": ["a"], "type": "string"}),
    "a field twice": with_extra(WON.schema["fields"][0]),
    "fields that are an object": {**WON.schema, "fields": {"name": "a", "type": "string"}},
    "a name that is an object": {**WON.schema, "name": {"a": "\ud800"}},
    "a name of a megabyte": {**WON.schema, "name": "n" * 1_000_000},
    "no schema at all": {},
    "a schema of JSON Schema": {"type": "object", "properties": {}},
}


@pytest.mark.parametrize("schema", [pytest.param(schema, id=name) for name, schema in REFUSED.items()])
def test_a_schema_that_cannot_be_read_with_fails_its_own_records_only(schema: Any) -> None:
    values = [GOOD, framed(7), framed(7, b""), framed(8), GOOD]
    first, one, other, neighbour, last = fates(values, registry={7: schema, 8: WON.schema}.get)

    assert first == neighbour == last == won()
    for fate in (one, other):
        assert isinstance(fate, tuple) and fate[0] == "schema"
        assert len(fate[1].encode()) <= 4 * LONGEST_REASON


_NAMES = st.sampled_from(
    ["_row", "_guard", "", "amount", "event_id", "owner", "a.b", "unknown_3", "\ud800", "\0"]
)
_SCALARS = st.sampled_from(
    ["string", "bytes", "int", "long", "double", "float", "boolean", "null", "Nope", "array"]
)
_NUMBERS = st.sampled_from([0, 1, 18, 38, 64, 127, -1, 2**40, "18", None, True, [], 1.5])
_TYPES = st.recursive(
    _SCALARS | st.none() | st.integers(0, 3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.fixed_dictionaries(
            {"type": inner},
            optional={
                "logicalType": st.sampled_from(["decimal", "date", "timestamp-micros", "uuid", 3, None]),
                "precision": _NUMBERS,
                "scale": _NUMBERS,
                "items": inner,
                "values": inner,
                "name": _NAMES,
                "size": _NUMBERS,
                "symbols": st.lists(_NAMES, max_size=2),
            },
        )
        | st.builds(lambda items: {"type": "array", "items": items}, inner)
        | st.builds(
            lambda name, kind: {"type": "record", "name": name, "fields": [{"name": name, "type": kind}]},
            _NAMES,
            inner,
        )
    ),
    max_leaves=4,
)
_FIELDS = st.lists(
    st.fixed_dictionaries({}, optional={"name": _NAMES | st.none(), "type": _TYPES, "default": st.none()}),
    max_size=3,
)


@st.composite
def _schemas(draw: st.DrawFn) -> Any:
    """OpportunityWon with fields changed, left out or added; anything a registry may hold under its name."""
    fields: list[Any] = [dict(f) for f in WON.schema["fields"]]
    for place in draw(st.lists(st.integers(0, len(fields) - 1), max_size=2, unique=True)):
        fields[place]["type"] = draw(_TYPES)
    at = draw(st.integers(0, len(fields)))
    return {**WON.schema, "fields": [*fields[:at], *draw(_FIELDS), *fields[at:]]}


@effort(150)
@for_all(_schemas(), st.lists(st.binary(max_size=40) | st.binary(max_size=12).map(BODY.__add__), max_size=6))
def test_no_schema_and_no_bytes_stop_the_reader_or_hurt_a_neighbour(schema: Any, bodies: list[bytes]) -> None:
    values: list[bytes | None] = [GOOD, *(framed(7, body) for body in bodies), framed(8), GOOD]
    known = {7: json.loads(json.dumps(schema)), 8: WON.schema}

    found = fates(values, registry=known.get)

    assert found[0] == found[-1] == found[-2] == won()
    alone = [fates([value], registry=known.get)[0] for value in values]
    assert found == alone


# --- what the registry says ---------------------------------------------------------------------


@pytest.fixture
def registry(server: MemoryRegistry) -> Iterator[SchemaRegistry]:
    yield SchemaRegistry(server.address)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"schemaType": "PROTOBUF", "schema": 'syntax = "proto3"; message M {}'}, id="protobuf"),
        pytest.param({"schemaType": "JSON", "schema": '{"type": "object"}'}, id="json schema"),
    ],
)
def test_an_id_of_another_kind_of_schema_has_no_avro_schema_and_is_asked_for_once(
    server: MemoryRegistry, registry: SchemaRegistry, answer: dict[str, str]
) -> None:
    server.answer = (200, json.dumps(answer).encode())

    for _ in range(2):
        assert fates([framed(7), GOOD], registry=registry.schema) == [
            ("schema", "the schema registry has no Avro schema 7"),
            won(),
        ]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, b'{"message": "not yours"}'),
        (500, b"oops"),
        (503, b""),
        (429, b""),
        (200, b'{"schema": 7}'),
        (200, b'{"schema": "' + b"[" * 100_000 + b'"}'),
    ],
)
def test_an_answer_about_one_id_withholds_its_records_only(
    server: MemoryRegistry, registry: SchemaRegistry, status: int, body: bytes
) -> None:
    server.answer = (status, body)

    withheld, neighbour = fates([framed(7), GOOD], registry=registry.schema)

    assert isinstance(withheld, tuple) and withheld[0] == "registry"
    assert neighbour == won()


def test_a_refused_login_is_no_matter_of_one_id(server: MemoryRegistry, registry: SchemaRegistry) -> None:
    server.login = "Basic other"
    with pytest.raises(BatonError) as caught:
        decode([framed(7)], CATALOGUE, registry.schema)
    assert not isinstance(caught.value, SchemaWithheld)
