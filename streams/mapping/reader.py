"""From TOML to a mapping: every mistake is found in one reading, each with where it is.

A text that begins with `?` is a question that a draft leaves open: until somebody has answered all of them
the mapping is refused, with the list.
"""

from __future__ import annotations

import codecs
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from schemas.catalogue import CATALOGUE, EventType
from schemas.errors import BatonError, ExitCode
from schemas.field_checks import not_one_of
from streams.mapping import keys
from streams.mapping.event_checks import event_faults, importable, same_ids
from streams.mapping.language import (
    LEAVE_OUT,
    NOTHING,
    REFUSE,
    STAND_IN,
    Condition,
    EventRule,
    FileRule,
    MappingRules,
    Value,
)
from streams.mapping.moments import ambiguous_pair, wrong_format, wrong_zone
from streams.mapping.template import Template, parse_template

MOST_TOLD = 50
OPEN = "?"


def read_mapping(path: Path) -> MappingRules:
    """The mapping in a file. Raises BatonError (exit 3) with all that is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        command = "baton import FILE... --suggest   (drafts a mapping)"
        if isinstance(error, OSError):
            why = error.strerror or str(error)
        elif error.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            why = "it is written in UTF-16, and a mapping is text in UTF-8"
            command = f"iconv -f UTF-16 -t UTF-8 {shlex.quote(str(path))} >m.toml   (then --map m.toml)"
        else:
            why = f"it is not text in UTF-8: byte {error.start:,} cannot be read"
        raise _refused(path.name, why, command) from error
    return parse_mapping(text, path.name)


def parse_mapping(text: str, name: str = "mapping") -> MappingRules:
    """The same for its text; `name` is what messages call it."""
    next_command = f"less {shlex.quote(name)}   (docs/reference/mapping.md has every key)"
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _refused(name, f"it is not TOML: {error}", next_command) from error
    if questions := list(_open_questions(document)):
        told = "\n".join(f"         {where}: {question}" for where, question in questions)
        raise BatonError(
            "The mapping has questions that nobody has answered",
            where=name,
            why=f"{len(questions)} question{'s' * (len(questions) > 1)}; answer each in its place\n{told}",
            next_command=next_command,
            exit_code=ExitCode.CONFIGURATION,
        )
    reader = _Reader()
    rules = reader.mapping(document)
    if reader.faults:
        told = "\n         ".join(reader.faults[:MOST_TOLD])
        more = len(reader.faults) - MOST_TOLD
        raise _refused(name, told + (f"\n         and {more} more" if more > 0 else ""), next_command)
    return rules


def _refused(where: str, why: str, next_command: str) -> BatonError:
    return BatonError(
        "The mapping cannot be used",
        where=where,
        why=why,
        next_command=next_command,
        exit_code=ExitCode.CONFIGURATION,
    )


def _open_questions(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and value.startswith(OPEN):
        yield where, value.removeprefix(OPEN).strip() or "what is it?"
    elif isinstance(value, dict):
        for name, item in value.items():
            if name.startswith(OPEN):
                yield where, f"the name of {name!r}"
            yield from _open_questions(item, f"{where}.{name}" if where else name)
    elif isinstance(value, list):
        for place, item in enumerate(value, 1):
            yield from _open_questions(item, f"{where}[{place}]")


_KINDS = {
    "text": (str,),
    "template": (str,),
    "texts": (list,),
    "flag": (bool,),
    "number": (int, float),
    "table": (dict,),
    "conditions": (list, dict),
}


@dataclass
class _Reader:
    """Reads a document, and notes what is wrong with it in `faults`."""

    faults: list[str] = field(default_factory=list)

    def fault(self, where: str, why: str) -> None:
        if (told := f"{where}: {why}") not in self.faults:
            self.faults.append(told)

    def table(self, found: Any, known: tuple[keys.Key, ...], where: str) -> dict[str, Any]:
        """The entries of a table that have a known name and a right type."""
        if not isinstance(found, dict):
            self.fault(where, "expected a table")
            return {}
        by_name = {key.name: key for key in known}
        kept: dict[str, Any] = {}
        for name, value in found.items():
            key = by_name.get(name)
            if key is None:
                self.fault(where, not_one_of(name, "a key here", by_name))
            elif not self._is_right(value, key):
                self.fault(f"{where}.{name}", f"expected {' or '.join(key.kinds)}")
            elif key.choices and value not in key.choices:
                self.fault(f"{where}.{name}", not_one_of(value, "known here", key.choices))
            else:
                kept[name] = value
        for key in known:
            if key.is_required and key.name not in found:
                self.fault(where, f"{key.name} is missing")
        return kept

    @staticmethod
    def _is_right(value: Any, key: keys.Key) -> bool:
        types = tuple(kind for name in key.kinds for kind in _KINDS[name])
        if isinstance(value, bool):
            return bool in types
        if isinstance(value, list) and "conditions" not in key.kinds:
            return list in types and bool(value) and all(isinstance(item, str) for item in value)
        return isinstance(value, types)

    def mapping(self, document: dict[str, Any]) -> MappingRules:
        parts = ("mapping", "file", "lookup", "event")
        for name in document:
            if name not in parts:
                self.fault(name, not_one_of(name, "a part of a mapping", parts))
        head = self.table(document.get("mapping", {}), keys.MAPPING, "mapping")
        zone = head.get("zone", "")
        self._check_zone(zone, "mapping.zone")
        source = head.get("source", "source").strip()
        if not source.isprintable() or not source:
            self.fault("mapping.source", "is blank, or holds a character that cannot be seen")
        lookups = self._lookups(document.get("lookup", {}))
        files_found = document.get("file", {})
        if not isinstance(files_found, dict) or not files_found:
            self.fault("file", "there is none; name each kind of file, as in [file.leads]")
            files_found = {}
        files = {name: self._file(name, found, lookups) for name, found in files_found.items()}
        events_found = document.get("event", [])
        if not isinstance(events_found, list) or not events_found:
            self.fault("event", "there is none; write one [[event]] for each event that a row becomes")
            events_found = []
        events = [
            rule
            for place, found in enumerate(events_found, 1)
            if (rule := self._event(place, found, files, lookups, zone)) is not None
        ]
        for place, why in same_ids(events):
            self.fault(f"event[{place}]", why)
        nothing = tuple(dict.fromkeys(("", *head.get("nothing", NOTHING))))
        return MappingRules(source, zone, nothing, files, lookups, tuple(events))

    def _check_zone(self, zone: str, where: str) -> None:
        if zone and (why := wrong_zone(zone)):
            self.fault(where, why)

    def _lookups(self, found: Any) -> dict[str, dict[str, str]]:
        if not isinstance(found, dict):
            self.fault("lookup", "expected tables, as in [lookup.stages]")
            return {}
        lookups: dict[str, dict[str, str]] = {}
        for name, table in found.items():
            if not isinstance(table, dict) or not table:
                self.fault(f"lookup.{name}", "expected a table of texts")
                continue
            lookups[name] = {}
            for key, value in table.items():
                if isinstance(value, str):
                    lookups[name][key.strip()] = value
                else:
                    self.fault(f"lookup.{name}.{key}", "expected text")
        return lookups

    def _file(self, name: str, found: Any, lookups: Mapping[str, Any]) -> FileRule:
        where = f"file.{name}"
        kept = self.table(found, keys.FILE, where)
        if "." in name:
            self.fault(where, "its name holds a point, and {name.column} is a column of a joined file")
        for mark in ("delimiter", "quote"):
            if len(kept.get(mark, "")) > 1 or (mark == "delimiter" and kept.get(mark) == ""):
                self.fault(f"{where}.{mark}", "expected one character")
        try:
            "".encode(kept.get("encoding", "utf-8"))
        except LookupError:
            self.fault(f"{where}.encoding", f"{kept['encoding']!r} is not an encoding Python knows")
        only = self._conditions(kept.get("only", []), f"{where}.only", lookups)
        own = {k: v for k, v in kept.items() if k not in ("match", "key", "only")}
        return FileRule(
            name, _texts(kept.get("match", f"*{name}*")), _texts(kept.get("key", ())), only=only, **own
        )

    def _event(
        self, place: int, found: Any, files: Mapping[str, FileRule], lookups: Mapping[str, Any], zone: str
    ) -> EventRule | None:
        where = f"event[{place}]"
        if isinstance(found, dict) and isinstance(found.get("type"), str):
            where += f" {found['type']}"
        kept = self.table(found, keys.EVENT, where)
        event = CATALOGUE.event_types.get(kept.get("type", ""))
        writable = importable()
        if "type" in kept and (event is None or event.name not in writable):
            self.fault(f"{where}.type", not_one_of(kept["type"], "an event that can be imported", writable))
        if "from" in kept and kept["from"] not in files:
            self.fault(f"{where}.from", not_one_of(kept["from"], "a file of this mapping", files))
        join = self._joins(kept.get("join", {}), f"{where}.join", files, lookups)
        when = self._conditions(kept.get("when", []), f"{where}.when", lookups)
        id_ = tuple(self._template(text, f"{where}.id") for text in _texts(kept.get("id", ())))
        if event is None or "set" not in kept or kept.get("from") not in files:
            return None
        said = dict(kept["set"])
        attributes = {
            name.partition(".")[2]: said.pop(name) for name in list(said) if name.startswith("attributes.")
        }
        nested = said.pop("attributes", {})
        if not isinstance(nested, dict):
            self.fault(f"{where}.set.attributes", "expected a table of names")
            nested = {}
        fields = {
            name: self._value(v, f"{where}.set.{name}", lookups, event, name) for name, v in said.items()
        }
        attributes = {
            name: self._value(v, f"{where}.set.attributes.{name}", lookups)
            for name, v in {**nested, **attributes}.items()
        }
        rule = EventRule(place, event, kept["from"], fields, attributes, join, when, id_)
        for field_name, why in event_faults(rule, zone):
            self.fault(f"{where}.set.{field_name}" if field_name else f"{where}.set", why)
        self._check_columns(rule, where, files)
        return rule

    def _check_columns(self, rule: EventRule, where: str, files: Mapping[str, FileRule]) -> None:
        for column in rule.columns:
            head, dot, _ = column.partition(".")
            if dot and head in files and head not in rule.join:
                self.fault(
                    where, f"{{{column}}} is of a file that is not joined; add join = {{ {head} = ... }}"
                )

    def _joins(
        self, found: dict[str, Any], where: str, files: Mapping[str, FileRule], lookups: Mapping[str, Any]
    ) -> dict[str, tuple[Value, ...]]:
        joins: dict[str, tuple[Value, ...]] = {}
        for name, by in found.items():
            if name not in files:
                self.fault(f"{where}.{name}", not_one_of(name, "a file of this mapping", files))
                continue
            parts = by if isinstance(by, list) else [by]
            joins[name] = tuple(self._value(part, f"{where}.{name}", lookups) for part in parts)
            if files[name].key and len(parts) != len(files[name].key):
                self.fault(
                    f"{where}.{name}",
                    f"gives {len(parts)} values, and the key of {name} has {len(files[name].key)} columns",
                )
        return joins

    def _conditions(self, found: Any, where: str, lookups: Mapping[str, Any]) -> tuple[Condition, ...]:
        listed = found if isinstance(found, list) else [found]
        return tuple(self._condition(item, where, lookups) for item in listed)

    def _condition(self, found: Any, where: str, lookups: Mapping[str, Any]) -> Condition:
        if isinstance(found, dict) and "any" in found:
            if len(found) > 1:
                self.fault(where, "a condition with any has nothing beside it")
            return Condition(any_of=self._conditions(found["any"], where, lookups))
        kept = self.table(found, keys.CONDITION, where)
        tests = {"is", "in", "not_in", "is_blank", "matches", "at_least", "at_most"}
        if isinstance(found, dict) and "value" in found and not tests & found.keys():
            self.fault(where, f"says nothing about its value; there are {', '.join(sorted(tests))}")
        looked = {k: v for k, v in kept.items() if k not in tests}
        value = self._value(looked, where, lookups) if "value" in looked else None
        among = (kept["is"],) if "is" in kept else _texts(kept["in"]) if "in" in kept else None
        if "matches" in kept:
            import polars as pl

            try:
                pl.Series(["x"]).str.contains(kept["matches"])
            except pl.exceptions.ComputeError as error:
                self.fault(f"{where}.matches", f"is no regular expression: {str(error).splitlines()[0]}")
        return Condition(
            value,
            among,
            _texts(kept["not_in"]) if "not_in" in kept else None,
            kept.get("is_blank"),
            kept.get("matches"),
            Decimal(str(kept["at_least"])) if "at_least" in kept else None,
            Decimal(str(kept["at_most"])) if "at_most" in kept else None,
        )

    def _template(self, text: str, where: str) -> Template:
        try:
            return parse_template(text)
        except ValueError as error:
            self.fault(where, str(error))
            return Template(text, ((text, False),))

    def _value(
        self,
        found: Any,
        where: str,
        lookups: Mapping[str, Any],
        event: EventType | None = None,
        name: str = "",
    ) -> Value:
        """A field value: a table, or in short its template, a list of templates, a flag or a number."""
        if isinstance(found, bool):
            found = str(found).lower()
        elif isinstance(found, int | float):
            found = str(found)
        if isinstance(found, str | list):
            found = {"value": found}
        kept = self.table(found, keys.FIELD, where)
        templates = tuple(self._template(text, where) for text in _texts(kept.get("value", "")))
        if "lookup" in kept and kept["lookup"] not in lookups:
            self.fault(
                f"{where}.lookup", not_one_of(kept["lookup"], "a lookup of this mapping", lookups or {"": 0})
            )
        if "otherwise" in kept and "lookup" not in kept:
            self.fault(f"{where}.otherwise", "stands without a lookup")
        zone_of_row = None
        if "{" in kept.get("zone", ""):
            zone_of_row = self._template(kept.pop("zone"), f"{where}.zone")
        self._check_zone(kept.get("zone", ""), f"{where}.zone")
        self._check_reading(kept, where)
        is_required = event is not None and any(
            f["name"] == name and ("default" not in f or (name == event.key)) for f in event.fields
        )
        is_required |= name in ("occurred_on", "occurred_at")
        if event is not None and name in ("amount", "currency"):
            is_required &= "is_amount_known" not in event.defaults
        missing = kept.get("missing", REFUSE if is_required else LEAVE_OUT)
        if missing == STAND_IN and event is not None and not name.endswith("_id"):
            self.fault(f"{where}.missing", "a stand_in is for ids; give a default")
        if missing == LEAVE_OUT and is_required:
            self.fault(f"{where}.missing", f"{name} cannot be left out")
        texts: dict[str, Any] = {n: kept[n] for n in ("case", "zone", "time", "twice") if n in kept}
        texts |= {n: kept[n] for n in ("lookup", "decimal", "thousands") if n in kept}
        texts |= {n: _texts(kept[n]) for n in ("formats", "strip", "yes", "no") if n in kept}
        texts |= {n: self._template(kept[n], f"{where}.{n}") for n in ("default", "otherwise") if n in kept}
        is_percent = kept.get("percent", False)
        return Value(where, templates, missing, is_percent=is_percent, zone_of_row=zone_of_row, **texts)

    def _check_reading(self, kept: dict[str, Any], where: str) -> None:
        for fmt in kept.get("formats", ()):
            if why := wrong_format(fmt):
                self.fault(f"{where}.formats", why)
        if pair := ambiguous_pair(tuple(kept.get("formats", ()))):
            self.fault(
                f"{where}.formats",
                f"{pair[0]!r} and {pair[1]!r} read {pair[2]!r} as different days; the first is a guess",
            )
        if "time" in kept:
            try:
                time.fromisoformat(kept["time"])
            except ValueError:
                self.fault(f"{where}.time", f"{kept['time']!r} is no time of day; write it as 09:00")
        if "thousands" in kept and kept["thousands"] == kept.get("decimal", "."):
            self.fault(f"{where}.thousands", "is the decimal mark too")
        if len(kept.get("thousands", "x")) != 1:
            self.fault(f"{where}.thousands", "expected one character")


def _texts(found: Any) -> tuple[str, ...]:
    return (found,) if isinstance(found, str) else tuple(found)
