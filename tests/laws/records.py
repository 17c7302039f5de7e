"""Records of any event of the contract, drawn from its schema: what the laws and the codec are tried with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from schemas.avro_types import is_attributes
from schemas.catalogue import EventType
from schemas.limits import is_identifier

Record = dict[str, Any]
Pools = Mapping[str, st.SearchStrategy[Any]]

_EFFORT = int(os.environ.get("BATON_LAW_EFFORT", "0"))


def effort(examples: int) -> settings:
    """The same examples on every run; BATON_LAW_EFFORT=10 tries ten times as many, new ones each time."""
    return settings(
        max_examples=examples * max(_EFFORT, 1),
        derandomize=_EFFORT == 0,
        database=None,
        deadline=None,
        print_blob=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.large_base_example,
        ],
    )


INSTANTS = st.datetimes(
    datetime(2000, 1, 1), datetime(2099, 12, 31, 23, 59, 59, 999_999), timezones=st.just(UTC)
)
MONEY = st.integers(0, 10**18 - 1).map(lambda units: Decimal(units).scaleb(-4))
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=40)
IDS = TEXT.filter(str.strip)
ATTRIBUTES = st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True), TEXT, max_size=3).map(
    lambda said: [{"name": name, "value": value} for name, value in said.items()]
)


def records(event: EventType, pools: Pools | None = None) -> st.SearchStrategy[Record]:
    """Records that keep the contract. `pools` gives some fields, by name, values of its own choice."""
    return st.fixed_dictionaries(
        {field["name"]: _values(event, field, pools or {}) for field in event.fields}
    )


def _values(event: EventType, field: Mapping[str, Any], pools: Pools) -> st.SearchStrategy[Any]:
    avro, name = field["type"], field["name"]
    is_optional = isinstance(avro, list)
    if is_optional:
        avro = next(branch for branch in avro if branch != "null")
    if is_attributes(avro):
        return pools.get(name, ATTRIBUTES)
    kind = avro if isinstance(avro, str) else avro["logicalType"]
    if name in pools:
        values = pools[name]
    elif kind == "string":
        values = IDS if is_identifier(dict(field), event.newest) else TEXT
    elif "maximum" in field:
        values = st.floats(field["minimum"], field["maximum"])
    else:
        values = _OF_KIND[kind]
        if "minimum" in field:
            values = values.filter(lambda value: value >= field["minimum"])
    return st.none() | values if is_optional else values


_OF_KIND: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "timestamp-micros": INSTANTS,
    "date": st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    "decimal": MONEY,
}
