"""Records to events: a mapping evaluated over a batch, by column.

A batch is a frame with a column for each that the mapping names, as text or as a table has it, and `_row`.
Where it comes from does not matter: a part of a file, or the payloads of a request (records.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b

import polars as pl

from schemas.avro_types import column_type, is_attributes
from schemas.codec import ROW
from schemas.limits import LONGEST_TEXT
from schemas.validation import Clock, system_clock
from streams.mapping.event_checks import DAY_FIELD
from streams.mapping.faults import NO_FAULTS, fault_frame, faults_of, late_faults, possible
from streams.mapping.fields import attributes_column, is_moment, is_number, typed
from streams.mapping.language import REFUSE, SKIP, STAND_IN, EventRule, FileRule, MappingRules, Value
from streams.mapping.moments import UTC_MICROS, read_by_zone, read_days, read_instants, why_no_moment
from streams.mapping.texts import (
    HIDDEN,
    all_met,
    as_text,
    cleaned,
    joined_text,
    looked_up,
    native,
    number_text,
    stated_text,
    template_text,
)

KEY = "_key"
_TOO_LONG = f"is longer than {LONGEST_TEXT} bytes"


@dataclass
class Mapped:
    """What became of a batch under one rule. Every row is in `events`, `faults` or `not_meant`.

    events: the columns of the event's newest version, `_row` and `_key`. faults: `_row`, column,
    value, reason; one for each row that fails. counts: stand-ins, defaults and skipped events, by field.
    """

    rule: EventRule
    events: pl.DataFrame
    faults: pl.DataFrame
    not_meant: int = 0
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Rows:
    """The rows of a batch that count, cleaned and with `_key`. odd: columns that may hold what cannot be
    seen.
    faults: rows without a key, and others that cannot be judged."""

    frame: pl.DataFrame
    odd: frozenset[str]
    faults: pl.DataFrame
    left_out: int
    is_plain: bool = False


@dataclass(frozen=True)
class Joined:
    """A file that others join: its rows by key, and whether those of a key say different things."""

    rows: pl.DataFrame
    odd: frozenset[str]

    @classmethod
    def of(cls, file: FileRule, frame: pl.DataFrame, rules: MappingRules) -> Joined:
        frame, odd = cleaned(frame.drop(ROW, strict=False), rules.nothing, frame.columns)
        if file.only:
            frame = frame.filter(all_met(file.only, rules.lookups, frame.schema))
        key = joined_text([as_text(column, frame.schema[column]) for column in file.key])
        rows = frame.with_columns(key.alias(f"{file.name}.{KEY}")).filter(
            pl.col(f"{file.name}.{KEY}").is_not_null()
        )
        rows = rows.unique(maintain_order=True).rename({c: f"{file.name}.{c}" for c in frame.columns})
        doubtful = pl.len().over(f"{file.name}.{KEY}") > 1
        rows = rows.with_columns(doubtful.alias(f"{file.name}._doubtful"))
        one_each = rows.unique(f"{file.name}.{KEY}", keep="first", maintain_order=True)
        return cls(one_each, frozenset(f"{file.name}.{column}" for column in odd))


class Evaluation:
    """Evaluates one mapping over batches. It remembers only how often it saw equal rows without a key, so
    that
    each gets a stand-in of its own; begin a new one to read the same files again."""

    def __init__(
        self, rules: MappingRules, joined: Mapping[str, Joined] | None = None, clock: Clock = system_clock
    ) -> None:
        self.rules = rules
        self.joined = joined or {}
        self.recorded_at = clock()
        self._equal_rows: Counter[str] = Counter()
        self._naming = {name: rules.naming_columns_of(name) for name in rules.files}

    def rows(self, file: FileRule, frame: pl.DataFrame, is_plain: bool = False) -> Rows:
        """The rows of a batch that rules are evaluated over, one after another. `is_plain`: who made the
        batch
        knows that no text holds anything but printable ASCII."""
        base, odd = cleaned(frame, self.rules.nothing, self._naming[file.name], is_plain)
        left_out, faults = 0, NO_FAULTS
        if file.only:
            met = base.select(all_met(file.only, self.rules.lookups, base.schema).alias("met"))["met"]
            faults = faults_of(
                base, met.is_null(), "only", "a condition asks for a number, and there is none"
            )
            left_out = int((~met).sum())
            base = base.filter(met)
        key = joined_text([as_text(column, base.schema[column]) for column in file.key])
        base = base.with_columns(key.alias(KEY))
        if base[KEY].null_count():
            without = base.filter(pl.col(KEY).is_null())
            if file.missing_key == REFUSE:
                is_one = pl.repeat(True, without.height, eager=True)
                why = "is missing, and it is the key of the row"
                faults = pl.concat([faults, faults_of(without, is_one, ", ".join(file.key), why)])
                base = base.filter(pl.col(KEY).is_not_null())
            else:
                base = base.update(self._stand_ins(file, without), on=ROW, how="left")
        return Rows(base, frozenset(odd), faults, left_out, is_plain)

    def _stand_ins(self, file: FileRule, without: pl.DataFrame) -> pl.DataFrame:
        """A key for each row that has none: by what it says, and the how-manieth equal one it is."""
        keys = []
        for row in without.drop(ROW, KEY).select(sorted(set(without.columns) - {ROW, KEY})).iter_rows():
            said = blake2b(repr(row).encode(), digest_size=8).hexdigest()
            self._equal_rows[f"{file.name} {said}"] += 1
            keys.append(f"without-{'-'.join(file.key)}-{said}-{self._equal_rows[f'{file.name} {said}']}")
        return without.select(ROW).with_columns(pl.Series(KEY, keys, pl.String))

    def events(self, rule: EventRule, rows: Rows) -> Mapped:
        """What the rows become under a rule."""
        faults = [NO_FAULTS]
        base, odd = self._with_joined(rule, rows, faults)
        if rule.when:
            met = base.select(all_met(rule.when, self.rules.lookups, base.schema).alias("met"))["met"]
            faults.append(
                faults_of(base, met.is_null(), "when", "a condition asks for a number, and there is none")
            )
            base = base.filter(met)
        mapped = Mapped(
            rule, base, NO_FAULTS, rows.frame.height - base.height - sum(f.height for f in faults)
        )
        texts = _without_skipped(_Texts(self, rule, base, odd), mapped)
        frame, refused = texts.events()
        faults += refused
        frame, late = possible(frame, rule, rows.is_plain)
        if late:
            faults.append(late_faults(late, rule, texts.frame))
        mapped.events, mapped.faults = frame, pl.concat(faults)
        mapped.counts += texts.counts(frame)
        return mapped

    def _with_joined(
        self, rule: EventRule, rows: Rows, faults: list[pl.DataFrame]
    ) -> tuple[pl.DataFrame, frozenset[str]]:
        base, odd = rows.frame, rows.odd
        for name, values in rule.join.items():
            by = joined_text(
                [looked_up(stated_text(v, base.schema), v, self.rules.lookups, base.schema) for v in values]
            )
            others = self.joined[name]
            odd |= others.odd
            base = base.with_columns(by.alias("_by")).join(
                others.rows.with_columns(pl.col(f"{name}.{KEY}").alias("_by")),
                on="_by",
                how="left",
                maintain_order="left",
            )
            is_doubtful = base[f"{name}._doubtful"].fill_null(False)
            if is_doubtful.any():
                why = f"{name} has several rows with this key, and they differ"
                faults.append(faults_of(base, is_doubtful, values[0].named, why))
                base = base.filter(~is_doubtful)
            base = base.drop("_by", f"{name}._doubtful")
        return base, odd


def _without_skipped(texts: _Texts, mapped: Mapped) -> _Texts:
    """The texts of the rows but those whose event is left out, as a value says `skip` and is missing."""
    for place, value in enumerate(texts.values):
        if value.missing == SKIP and value.default is None and texts.stated[f"s{place}"].null_count():
            is_there = texts.stated[f"s{place}"].is_not_null()
            skipped = int((~is_there).sum())
            mapped.counts[f"skipped, without {value.named}"] += skipped
            mapped.not_meant += skipped
            kept = _Texts(texts.evaluation, texts.rule, texts.frame.filter(is_there), texts.odd)
            return _without_skipped(kept, mapped)
    return texts


class _Texts:
    """The texts of one rule over one batch, and the events they make."""

    def __init__(
        self, evaluation: Evaluation, rule: EventRule, frame: pl.DataFrame, odd: frozenset[str]
    ) -> None:
        self.evaluation, self.rules, self.rule, self.frame = evaluation, evaluation.rules, rule, frame
        self.odd = odd
        self.names = [*rule.fields, *(f"attributes.{name}" for name in rule.attributes)]
        self.values: list[Value] = [*rule.fields.values(), *rule.attributes.values()]

    @cached_property
    def stated(self) -> pl.DataFrame:
        """s0, s1, ...: what the rows say for each value; t0, t1, ...: after default, case and lookup."""
        schema = self.frame.schema
        columns = [pl.col(ROW), pl.col(KEY)]
        for place, value in enumerate(self.values):
            stated = stated_text(value, schema)
            columns.append(stated.alias(f"s{place}"))
            text = looked_up(stated, value, self.rules.lookups, schema)
            if value.missing == STAND_IN and value.default is None:
                text = pl.coalesce(text, pl.when(stated.is_null()).then(self._stand_in(self.names[place])))
            columns.append(text.alias(f"t{place}"))
        id_parts = [template_text(t, schema) for t in self.rule.id] or [pl.col(KEY)]
        columns.append(joined_text(id_parts).alias("_id"))
        return self.frame.lazy().select(columns).collect()

    def _stand_in(self, name: str) -> pl.Expr:
        return pl.concat_str(pl.lit(f"without-{name}-{self.rule.file}-"), pl.col(KEY))

    def counts(self, events: pl.DataFrame) -> Counter[str]:
        """How often a stand-in or default was taken, by field, among the rows that became events."""
        found: Counter[str] = Counter()
        wanted = [
            (place, "stand-in" if value.default is None else "default")
            for place, value in enumerate(self.values)
            if value.default is not None or value.missing == STAND_IN
        ]
        if not wanted:
            return found
        rows = self.stated.filter(pl.col(ROW).is_in(events[ROW].implode()))
        for place, kind in wanted:
            if missing := rows[f"s{place}"].null_count():
                found[f"{kind} for {self.names[place]}"] += missing
        return found

    def events(self) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
        """(events of the contract's types, faults): a row with several faults names the first."""
        event = self.rule.event
        work, tests = self.stated, []
        columns: dict[str, pl.Expr] = {}
        by_name = {f["name"]: f for f in event.fields}
        for place, (name, value) in enumerate(zip(self.names, self.values, strict=True)):
            text = pl.col(f"t{place}")
            if value.lookup and value.otherwise is None:
                is_unknown = pl.col(f"s{place}").is_not_null() & text.is_null()
                tests.append((is_unknown, place, f"is not in [lookup.{value.lookup}]"))
            if value.missing == REFUSE:
                tests.append((pl.col(f"s{place}").is_null() & text.is_null(), place, "is missing"))
            if name.startswith("attributes."):
                tests.append(
                    (text.str.len_bytes() > LONGEST_TEXT, place, f"is longer than {LONGEST_TEXT} bytes")
                )
                tests.append((text.str.contains("\0", literal=True), place, "holds a NUL character"))
                continue
            moment = "day" if name == DAY_FIELD else is_moment(by_name[name])
            if moment:
                work = work.with_columns(self._moments(place, value, moment).alias(f"m{place}"))
                column = pl.col(f"m{place}")
                tests.append((text.is_not_null() & column.is_null(), place, f"?{moment}"))
            else:
                digits = pl.col(f"n{place}")
                if is_number(by_name[name]):  # once, as several tests look at it
                    work = work.with_columns(number_text(text, value).alias(f"n{place}"))
                found = typed(by_name[name], event, value, text, digits, self._is_plain(value.columns))
                column = found.column
                tests += [(is_wrong, place, why) for is_wrong, why in found.tests]
            columns[name] = column
        tests.append((pl.col("_id").is_null(), -1, "is missing, and it is the id of the event"))
        if self.odd:
            tests.append((pl.col("_id").str.contains(HIDDEN), -1, "holds an invisible character"))
        tests += self._money_tests(columns)
        wrong = pl.coalesce([pl.when(test).then(pl.lit(i, pl.Int16)) for i, (test, _, _) in enumerate(tests)])
        if self.rule.attributes:
            offset = len(self.rule.fields)
            said = self.stated.select(
                pl.col(f"t{offset + i}").alias(name) for i, name in enumerate(self.rule.attributes)
            )
            work = work.with_columns(attributes_column(said).alias("_attributes"))
        made = (
            work.lazy()
            .select(
                pl.col(ROW), pl.col(KEY), pl.col("_id"), wrong.alias("_wrong"), *self._event_columns(columns)
            )
            .collect()
        )
        if made["_wrong"].null_count() == made.height:
            return made.drop("_wrong", "_id"), []
        bad = made.select(ROW, "_wrong").filter(pl.col("_wrong").is_not_null())
        return made.filter(pl.col("_wrong").is_null()).drop("_wrong", "_id"), self._explained(bad, tests)

    def _is_plain(self, columns: Iterable[str]) -> bool:
        return not self.odd.intersection(columns)

    def _moments(self, place: int, value: Value, moment: str) -> pl.Series:
        column = native(value, self.frame.schema)
        if column is not None and self.frame.schema[column].is_temporal():
            texts = self.frame[column]
        else:
            texts = self.stated[f"t{place}"]
        read = read_days if moment == "day" else read_instants
        if value.zone_of_row is None:
            return read(texts, value, value.zone or self.rules.zone)
        return read_by_zone(texts, self._zones(value, self.frame), lambda some, zone: read(some, value, zone))

    def _zones(self, value: Value, frame: pl.DataFrame) -> pl.Series:
        """The zone of each row."""
        if value.zone_of_row is None:
            return pl.repeat(value.zone or self.rules.zone, frame.height, eager=True)
        return frame.select(template_text(value.zone_of_row, frame.schema).alias("zone"))["zone"]

    def _money_tests(self, columns: Mapping[str, pl.Expr]) -> list[tuple[pl.Expr, int, str]]:
        if "amount" not in columns or "currency" not in columns:
            return []
        amount, currency = columns["amount"], columns["currency"]
        return [
            (
                amount.is_not_null() & currency.is_null(),
                self.names.index("currency"),
                "is missing beside the amount",
            )
        ]

    def _event_columns(self, columns: dict[str, pl.Expr]) -> list[pl.Expr]:
        event = self.rule.event
        names = {f["name"] for f in event.fields}
        is_day = DAY_FIELD in columns
        known: dict[str, pl.Expr] = {
            "event_id": pl.concat_str(pl.lit(f"{self.rules.source}:"), pl.col("_id")),
            "source": pl.lit(self.rules.source),
            "recorded_at": pl.lit(self.evaluation.recorded_at, UTC_MICROS),
        }
        if is_day:
            known["occurred_at"] = columns[DAY_FIELD].cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        if "is_day_only" in names:
            known["is_day_only"] = pl.lit(is_day)
        if "amount" in columns and "currency" in columns:
            known["currency"] = pl.when(columns["amount"].is_not_null()).then(columns["currency"])
        if "is_amount_known" in names:
            amount = columns.get("amount", pl.lit(None))
            known["is_amount_known"] = amount.is_not_null()
            known["amount"] = amount.fill_null(0)
            known["currency"] = known.get("currency", pl.lit(None, pl.String)).fill_null("")
        made = []
        for avro in event.fields:
            name, kind = avro["name"], column_type(avro["type"])
            if is_attributes(avro["type"]):
                made.append((pl.col("_attributes") if self.rule.attributes else pl.lit([], kind)).alias(name))
                continue
            column = known.get(name, columns.get(name, pl.lit(None)))
            default = avro.get("default")
            if default is not None and name not in known:
                column = column.cast(kind).fill_null(pl.lit(default, kind))
            made.append(column.cast(kind).alias(name))
        return made

    def _explained(self, bad: pl.DataFrame, tests: list[tuple[pl.Expr, int, str]]) -> list[pl.DataFrame]:
        told = []
        for (number,), part in bad.group_by("_wrong", maintain_order=True):
            _, place, why = tests[number]
            rows = self.stated.filter(pl.col(ROW).is_in(part[ROW].implode()))
            if place < 0:
                told.append(
                    fault_frame(rows[ROW], "id", pl.Series([None] * rows.height, dtype=pl.String), why)
                )
                continue
            value = self.values[place]
            texts = rows[f"s{place}"]
            if why.startswith("?"):
                zones = self._zones(value, self.frame.filter(pl.col(ROW).is_in(rows[ROW].implode())))
                reasons = why_no_moment(rows[f"t{place}"], zones, value, why == "?day")
                told.append(fault_frame(rows[ROW], value.named, texts, reasons))
            else:
                told.append(fault_frame(rows[ROW], value.named, texts, why))
        return told
