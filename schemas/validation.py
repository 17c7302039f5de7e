"""From a JSON object to a record ready for Avro: every event that enters Baton passes through here.

An event type is compiled once: the forms that JSON may have beside its fields (event_rules), a checker for
each field (field_checks), and rules over all of them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from schemas import event_rules
from schemas.catalogue import CATALOGUE, Catalogue, EventType
from schemas.errors import BatonError, ExitCode
from schemas.field_checks import DECIMALS, Checker, Refused, checker, kind_of, not_one_of, read_instant, shown

TYPE_FIELD = "type"
EVENT_NAMESPACE = uuid.UUID("6d4f6f0e-6a1c-5c0e-9b61-5a4f1f7a2c11")

Clock = Callable[[], datetime]
Record = dict[str, Any]


class ContractViolation(BatonError):
    """One event that is not what the contract says. `field` names the place, `why` the reason.

    It stands for the first fault found, in the order: event type, forms beside the fields, fields of the
    contract, unknown fields, what fields say together.
    """

    def __init__(self, field: str, why: str, event_type: str = "") -> None:
        super().__init__(
            f"{event_type or 'The event'} breaks the contract",
            where=f"field {field}" if field else "the whole event",
            why=why,
            next_command="baton contract docs   (docs/reference/events.md says what each event may hold)",
            exit_code=ExitCode.DATA_PROBLEMS,
        )
        self.field = field
        self.event_type = event_type


def system_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


# Marks a field that an event must have.
_REQUIRED = object()


@dataclass(frozen=True)
class _Plan:
    """How events of a type are read. fields: (name, checker, what stands for an absent one)."""

    event: EventType
    forms: tuple[tuple[str, event_rules.Form], ...]
    fields: tuple[tuple[str, Checker, Any], ...]
    rules: tuple[event_rules.Rule, ...]


class EventReader:
    """Reads events against one catalogue. Holds no state between events, so threads may share it."""

    def __init__(self, catalogue: Catalogue = CATALOGUE) -> None:
        self._plans = {name: _compile(event) for name, event in catalogue.event_types.items()}

    def read(self, obj: Mapping[str, Any], clock: Clock = system_clock) -> tuple[EventType, Record]:
        """The event's type and its record, with every field of the newest version present.

        Instants come back as datetime in UTC (digits below a microsecond are cut off), days as date, money
        as Decimal; left-out optional fields as their default, mostly None. `recorded_at`, left out, is the
        clock's now. `event_id`, left out, is event_identity(): the same facts get the same id, so publishing
        a file twice adds nothing. Raises ContractViolation.
        """
        plan = self._plan(obj)
        event = plan.event
        record: Record = {}
        present = 1
        name = ""
        try:
            for form, as_fields in plan.forms:
                if not form or form in obj:
                    obj = as_fields(obj)
            get = obj.get
            for name, check, default in plan.fields:
                value = get(name)
                if value is not None:
                    record[name] = check(value)
                    present += 1
                elif default is _REQUIRED:
                    record[name] = None
                    present += _absent(obj, name)
                else:
                    record[name] = [] if default == [] else default
                    present += name in obj
            if present == len(obj):
                for rule in plan.rules:
                    rule(record)
        except Refused as refused:
            raise ContractViolation(refused.field or name, str(refused), event.name) from None
        if present != len(obj):
            raise _unknown_field(obj, event)
        if record["recorded_at"] is None:
            record["recorded_at"] = read_instant(clock())
        if record["event_id"] is None:
            record["event_id"] = event_identity(event, record)
        return event, record

    def _plan(self, obj: Mapping[str, Any]) -> _Plan:
        if not isinstance(obj, Mapping):
            raise ContractViolation("", f"an event is a JSON object, not {kind_of(obj)}")
        named = obj.get(TYPE_FIELD)
        if named is None:
            raise ContractViolation(TYPE_FIELD, 'missing; it names the event, as in "type": "LeadCaptured"')
        found = self._plans.get(named) if isinstance(named, str) else None
        if found is None:
            raise ContractViolation(TYPE_FIELD, not_one_of(named, "an event", self._plans))
        return found


def read_event(obj: Mapping[str, Any], clock: Clock = system_clock) -> tuple[EventType, Record]:
    """EventReader.read against the catalogue of this package."""
    return _READER.read(obj, clock)


def event_identity(event: EventType, record: Mapping[str, Any]) -> str:
    """uuid5 over the canonical JSON of what is said: neither event_id nor recorded_at.

    Canonical: keys sorted, no spaces, absent fields and those at their default left out (so a later version
    with one more of them gives the same id), instants in UTC with microseconds, money with four decimals.
    """
    quiet = event.defaults
    said = {name: value for name, value in record.items() if value != quiet.get(name)}
    said.pop("event_id", None)
    said.pop("recorded_at", None)
    said[TYPE_FIELD] = event.name
    return str(uuid.uuid5(EVENT_NAMESPACE, _CANONICAL.encode(said)))


def _canonical(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:.{DECIMALS}f}" if value else f"{0:.{DECIMALS}f}"
    raise TypeError(f"{type(value).__name__} is not a value of an event")


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_canonical)


def _absent(obj: Mapping[str, Any], name: str) -> int:
    """1 when an absent field stands there as null. Only what Baton can fill in may be absent."""
    if name not in ("event_id", "recorded_at"):
        raise Refused("is null but required" if name in obj else "is missing and required")
    return int(name in obj)


def _unknown_field(obj: Mapping[str, Any], event: EventType) -> ContractViolation:
    known = [str(field["name"]) for field in event.fields]
    known += [form for form, _ in event_rules.forms(event) if form]
    unknown = next(name for name in obj if name not in known and name != TYPE_FIELD)
    why = not_one_of(unknown, f"a field of {event.name}", known)
    return ContractViolation(shown(str(unknown))[1:-1], why, event.name)


def _compile(event: EventType) -> _Plan:
    fields = tuple((f["name"], checker(event, f), f.get("default", _REQUIRED)) for f in event.fields)
    return _Plan(event, event_rules.forms(event), fields, event_rules.rules(event))


_READER = EventReader()
