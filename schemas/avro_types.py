"""The Avro types that a field of the contract may have, beside Avro's plain ones."""

from __future__ import annotations

from typing import Any

INSTANT = {"type": "long", "logicalType": "timestamp-micros"}
DAY = {"type": "int", "logicalType": "date"}
MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 4}
# An array and not a map: readers decode whole batches, and a map stops them.
ATTRIBUTES = {
    "type": "array",
    "items": {
        "type": "record",
        "name": "Attribute",
        "fields": [{"name": "name", "type": "string"}, {"name": "value", "type": "string"}],
    },
}


def is_attributes(avro: Any) -> bool:
    """Whether a type holds names and values, whatever its record is called."""
    if not isinstance(avro, dict) or avro.get("type") != "array" or not isinstance(avro.get("items"), dict):
        return False
    fields = avro["items"].get("fields") or ()
    return [(f.get("name"), f.get("type")) for f in fields] == [("name", "string"), ("value", "string")]
