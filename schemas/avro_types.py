"""The Avro types that a field of the contract may have, beside Avro's plain ones."""

from __future__ import annotations

from typing import Any

import polars as pl

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


def column_type(avro: Any) -> pl.DataType:
    """The column type of an Avro type of the contract. Instants come zoned in UTC once read as newest."""
    if isinstance(avro, list):
        avro = next(branch for branch in avro if branch != "null")
    if isinstance(avro, dict):
        match avro.get("logicalType"):
            case "timestamp-micros":
                return pl.Datetime("us", "UTC")
            case "date":
                return pl.Date()
            case "decimal":
                if type(avro["precision"]) is not int or type(avro["scale"]) is not int:
                    raise TypeError("precision and scale are whole numbers")
                return pl.Decimal(avro["precision"], avro["scale"])
        if is_attributes(avro):
            return pl.List(pl.Struct({"name": pl.String(), "value": pl.String()}))
        avro = avro["type"]
    plain: dict[str, pl.DataType] = {
        "string": pl.String(),
        "boolean": pl.Boolean(),
        "int": pl.Int32(),
        "long": pl.Int64(),
        "double": pl.Float64(),
    }
    return plain[avro]
