"""What a mapping must say for an event: its required fields, money with its currency, instants with a
zone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from schemas.avro_types import is_attributes
from schemas.catalogue import CATALOGUE, EventType
from schemas.field_checks import not_one_of
from schemas.limits import ATTRIBUTE_NAME
from streams.mapping.language import Condition, EventRule
from streams.mapping.moments import ISO, has_time, has_zone

FILLED_IN = ("event_id", "recorded_at", "source", "is_day_only", "is_amount_known")
DAY_FIELD = "occurred_on"


def importable() -> tuple[str, ...]:
    """The events that a record of another system can become: not what the teams agree on, nor alerts."""
    topics = ("funnel.marketing", "funnel.sales", "funnel.success")
    merges = ("LeadsMerged", "LeadsUnmerged", "AccountsMerged")
    return tuple(event.name for event in CATALOGUE.facts if event.topic in topics or event.name in merges)


def writable_fields(event: EventType) -> tuple[str, ...]:
    """The fields that a mapping may set."""
    names = tuple(
        f["name"] for f in event.fields if f["name"] not in FILLED_IN and not is_attributes(f["type"])
    )
    return (DAY_FIELD, *names) if knows_days(event) else names


def knows_days(event: EventType) -> bool:
    """Whether the event may be known by its day alone."""
    return any(f["name"] == "is_day_only" for f in event.fields)


def event_faults(rule: EventRule, zone: str) -> Iterator[tuple[str, str]]:
    """(field, why) for all that is wrong with the fields of a rule."""
    event, said = rule.event, rule.fields
    names = writable_fields(event)
    for name in said:
        if name in FILLED_IN:
            yield name, "is filled in by the import; leave it out"
        elif name not in names:
            yield name, not_one_of(name, f"a field of {event.name} that can be set", names)
    days = DAY_FIELD in said
    if days and "occurred_at" in said:
        yield DAY_FIELD, "stands beside occurred_at; a fact is known by its day or by its instant"
    if not days and "occurred_at" not in said:
        yield (
            "",
            "occurred_at is missing"
            + (", or occurred_on where only the day is known" if knows_days(event) else ""),
        )
    is_money_optional = any(f["name"] == "is_amount_known" for f in event.fields)
    for field in event.fields:
        name = field["name"]
        if name in FILLED_IN or name == "occurred_at" or name in said or "default" in field:
            continue
        if not (is_money_optional and name in ("amount", "currency")):
            yield "", f"{name} is missing, and {event.name} requires it"
    for there, other in (("amount", "currency"), ("currency", "amount")):
        if there in said and other not in said and other in names:
            yield there, f"stands without {other}; money is both"
    has_attributes = any(is_attributes(f["type"]) for f in event.fields)
    for name in rule.attributes:
        if not has_attributes:
            yield f"attributes.{name}", f"{event.name} has no attributes"
        elif not re.fullmatch(ATTRIBUTE_NAME, name):
            yield f"attributes.{name}", "is no name: lower_case letters, digits and _, at most 64"
    yield from _instant_faults(rule, zone)


def _instant_faults(rule: EventRule, zone: str) -> Iterator[tuple[str, str]]:
    for field in rule.event.fields:
        value = rule.fields.get(field["name"])
        if value is None or not _is_instant(field["type"]):
            continue
        for fmt in value.formats:
            if not has_time(fmt) and not value.time:
                day = ", or set occurred_on" if knows_days(rule.event) else ""
                yield field["name"], f"{fmt!r} has no time of day; give `time`{day}"
            if fmt != ISO and not has_zone(fmt) and not (value.zone or value.zone_of_row or zone):
                yield field["name"], f"{fmt!r} has no zone; give `zone` here or in [mapping]"


def _is_instant(avro: object) -> bool:
    branches = avro if isinstance(avro, list) else [avro]
    return any(isinstance(b, dict) and b.get("logicalType") == "timestamp-micros" for b in branches)


def same_ids(rules: Sequence[EventRule]) -> Iterator[tuple[int, str]]:
    """(place, why) of rules that make one type of the same rows under the same ids."""
    seen: dict[tuple[str, str, tuple[str, ...]], EventRule] = {}
    for rule in rules:
        first = seen.setdefault((rule.file, rule.event.name, tuple(t.text for t in rule.id)), rule)
        if first is not rule and not _exclude_each_other(rule.when, first.when):
            why = f"makes {rule.event.name} of rows of {rule.file} under the ids of event[{first.place}]"
            yield rule.place, f"{why}; give one of them an `id` of its own"


def _exclude_each_other(a: Sequence[Condition], b: Sequence[Condition]) -> bool:
    """Whether no row can meet both: they want different texts of one value."""
    return any(
        ours.among is not None
        and theirs.among is not None
        and ours.value is not None
        and theirs.value is not None
        and ours.value.templates == theirs.value.templates
        and not set(ours.among) & set(theirs.among)
        for ours in a
        for theirs in b
    )
