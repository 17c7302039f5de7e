"""The mapping language: what a mapping says once its TOML is read. Immutable; reading is in reader.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from schemas.catalogue import EventType
from streams.mapping.template import Template

NOTHING = ("", "NULL", "null", "N/A", "n/a")
REFUSE, LEAVE_OUT, STAND_IN, SKIP = "refuse", "leave_out", "stand_in", "skip"


@dataclass(frozen=True)
class Value:
    """A value of a record: the first of the templates that is there, and how it is read."""

    where: str
    templates: tuple[Template, ...]
    missing: str = LEAVE_OUT
    default: Template | None = None
    lookup: str = ""
    otherwise: Template | None = None
    case: str = ""
    formats: tuple[str, ...] = ("iso",)
    zone: str = ""
    zone_of_row: Template | None = None
    time: str = ""
    twice: str = ""
    decimal: str = "."
    thousands: str = ""
    strip: tuple[str, ...] = ()
    is_percent: bool = False
    yes: tuple[str, ...] = ("true", "yes", "1")
    no: tuple[str, ...] = ("false", "no", "0")

    @property
    def columns(self) -> Iterator[str]:
        for template in (*self.templates, self.default, self.otherwise, self.zone_of_row):
            if template is not None:
                yield from template.columns

    @property
    def named(self) -> str:
        """The first column, for messages; else the constant."""
        return next(self.columns, self.templates[0].text)


@dataclass(frozen=True)
class Condition:
    """One condition, or with `any_of` several of which one has to be met."""

    value: Value | None = None
    among: tuple[str, ...] | None = None
    not_among: tuple[str, ...] | None = None
    is_blank: bool | None = None
    matches: str | None = None
    at_least: Decimal | None = None
    at_most: Decimal | None = None
    any_of: tuple[Condition, ...] = ()

    @property
    def columns(self) -> Iterator[str]:
        if self.value is not None:
            yield from self.value.columns
        for condition in self.any_of:
            yield from condition.columns


@dataclass(frozen=True)
class FileRule:
    """A kind of file: which they are, how they are read, and what names a row."""

    name: str
    match: tuple[str, ...]
    key: tuple[str, ...]
    format: str = ""
    delimiter: str = ""
    quote: str = '"'
    encoding: str = "utf-8"
    sheet: str = ""
    missing_key: str = REFUSE
    only: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class EventRule:
    """What becomes an event: the rows of a file, with what they join, when, and field by field."""

    place: int
    event: EventType
    file: str
    fields: Mapping[str, Value]
    attributes: Mapping[str, Value]
    join: Mapping[str, tuple[Value, ...]]
    when: tuple[Condition, ...] = ()
    id: tuple[Template, ...] = ()

    @cached_property
    def is_of_columns(self) -> bool:
        """Whether every text is made of columns of its own rows, or is a constant of printable ASCII that is
        not
        empty."""
        values = (*self.fields.values(), *self.attributes.values())
        if self.join or any(value.lookup or value.default or value.otherwise for value in values):
            return False
        templates = [template for value in values for template in value.templates] + list(self.id)
        return all(template.columns or _is_plain_word(template.text) for template in templates) and all(
            is_column or text.isascii() and text.isprintable()
            for t in templates
            for text, is_column in t.parts
        )

    @property
    def columns(self) -> Iterator[str]:
        """Every column it names, those of joined files as file.column."""
        for value in (*self.fields.values(), *self.attributes.values()):
            yield from value.columns
        for values in self.join.values():
            for value in values:
                yield from value.columns
        for condition in self.when:
            yield from condition.columns
        for template in self.id:
            yield from template.columns


def _is_plain_word(text: str) -> bool:
    return bool(text.strip()) and text.isascii() and text.isprintable()


@dataclass(frozen=True)
class MappingRules:
    """A whole mapping."""

    source: str
    zone: str
    nothing: tuple[str, ...]
    files: Mapping[str, FileRule]
    lookups: Mapping[str, Mapping[str, str]]
    events: tuple[EventRule, ...]

    def of_file(self, name: str) -> tuple[EventRule, ...]:
        return tuple(rule for rule in self.events if rule.file == name)

    def is_joined(self, name: str) -> bool:
        return any(name in rule.join for rule in self.events)

    def own_columns_of(self, name: str) -> tuple[str, ...]:
        """The columns of a file that its own rules name."""
        file = self.files[name]
        found = list(file.key)
        for condition in file.only:
            found += condition.columns
        for rule in self.of_file(name):
            found += [c for c in rule.columns if c.partition(".")[0] not in rule.join or "." not in c]
        return tuple(dict.fromkeys(found))

    def joined_columns_of(self, name: str) -> tuple[str, ...]:
        """The columns of a file that rules of others read beside their own rows."""
        found = list(self.files[name].key)
        for condition in self.files[name].only:
            found += condition.columns
        for rule in self.events:
            if name in rule.join:
                found += [
                    rest
                    for head, _, rest in (c.partition(".") for c in rule.columns)
                    if head == name and rest
                ]
        return tuple(dict.fromkeys(found))

    def naming_columns_of(self, name: str) -> frozenset[str]:
        """Those of its own columns that become ids, or parts of one."""
        found = set(self.files[name].key)
        for rule in self.of_file(name):
            for field_name, value in rule.fields.items():
                if field_name.endswith("_id") or field_name == rule.event.key:
                    found |= set(value.columns)
            for values in rule.join.values():
                for value in values:
                    found |= set(value.columns)
            for template in rule.id:
                found |= set(template.columns)
        return frozenset(found)
