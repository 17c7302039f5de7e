"""From a record back to the JSON object that says the same: what `baton export` writes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from schemas.avro_types import is_attributes
from schemas.catalogue import EventType
from schemas.event_rules import DAY_FORM
from schemas.validation import TYPE_FIELD


def json_form(event: EventType, record: Mapping[str, Any]) -> dict[str, Any]:
    """The event as `baton publish` takes it: read_event() makes the same record of it.

    What the source left out is left out; the ids and recorded_at are always there. A fact known by its day
    has occurred_on, and a win without a known amount has none.
    """
    quiet = event.defaults
    said = {name: value for name, value in record.items() if value is not None and value != quiet.get(name)}
    form: dict[str, Any] = {TYPE_FIELD: event.name}
    for field in event.fields:
        name = field["name"]
        if name in said:
            is_object = is_attributes(field["type"])
            form[name] = {a["name"]: a["value"] for a in said[name]} if is_object else _plain(said[name])
    if form.pop("is_day_only", False):
        form[DAY_FORM] = form.pop("occurred_at")[:10]
    if form.get("is_amount_known") is False:
        for name in ("amount", "currency", "is_amount_known"):
            form.pop(name, None)
    return form


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
