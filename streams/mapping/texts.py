"""The texts a mapping looks at, and numbers among them: as expressions over the columns of a batch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import reduce

import polars as pl

from streams.mapping.language import Condition, Value
from streams.mapping.template import Template

# What cannot be seen: controls, formats such as the zero-width space, and blanks other than the plain one.
HIDDEN = r"[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}&&[^ ]]"
_AROUND = rf"^(?:{HIDDEN}| )+|(?:{HIDDEN}| )+$"
NOT_PLAIN = r"[^ -~]"

Lookups = Mapping[str, Mapping[str, str]]


def cleaned(
    frame: pl.DataFrame, nothing: tuple[str, ...], naming: Iterable[str], is_plain: bool = False
) -> tuple[pl.DataFrame, set[str]]:
    """Texts without blanks around them, null where they stand for nothing; other columns as they are. And
    which of the columns that are `naming` something may hold what cannot be seen; around them it is taken
    off. `is_plain`: no text holds anything but printable ASCII."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    if not texts or not frame.height:
        return frame, set()
    if is_plain:
        odd = set()
        around = [pl.col(n).str.starts_with(" ").any() | pl.col(n).str.ends_with(" ").any() for n in texts]
        has_blanks = frame.select(is_so.alias(n) for is_so, n in zip(around, texts, strict=True)).row(0)
        to_strip = [name for name, has in zip(texts, has_blanks, strict=True) if has]
    else:
        named = [name for name in texts if name in set(naming)]
        is_odd = frame.select(pl.col(name).str.contains(NOT_PLAIN).any() for name in named)
        odd = {name for name in named if is_odd[name].item()}
        to_strip = texts
    if to_strip:
        frame = frame.with_columns(
            pl.col(name).str.replace_all(_AROUND, "") if name in odd else pl.col(name).str.strip_chars()
            for name in to_strip
        )
    is_nothing = frame.select(pl.col(name).is_in(["", *nothing]) for name in texts)
    some = [name for name in texts if is_nothing[name].any()]
    null = pl.repeat(None, frame.height, dtype=pl.String, eager=True)
    emptied = [null.zip_with(is_nothing[name].fill_null(False), frame[name]).alias(name) for name in some]
    if emptied:
        frame = frame.with_columns(emptied)
    return frame, odd


def as_text(name: str, kind: pl.DataType) -> pl.Expr:
    """A column as text; a whole number that a table keeps as a float is written without a point."""
    column = pl.col(name)
    if kind == pl.String:
        return column
    if kind.is_float():
        is_whole = (column == column.floor()) & (column.abs() < 2**53)
        return (
            pl.when(is_whole)
            .then(column.cast(pl.Int64, strict=False).cast(pl.String))
            .otherwise(pl.when(column.is_finite()).then(column.cast(pl.String)))
        )
    if kind.is_nested():
        return column.cast(pl.String, strict=False) if kind != pl.Struct else column.struct.json_encode()
    return column.cast(pl.String)


def template_text(template: Template, schema: Mapping[str, pl.DataType]) -> pl.Expr:
    """The text of a template; null where one of its columns is."""
    parts = [as_text(text, schema[text]) if is_column else pl.lit(text) for text, is_column in template.parts]
    if len(parts) == 1:
        return parts[0]
    return pl.concat_str(parts) if parts else pl.lit("")


def native(value: Value, schema: Mapping[str, pl.DataType]) -> str | None:
    """The column a value is, where it is a single one that is not text: a day of Parquet or Excel."""
    if len(value.templates) == 1 and not (value.lookup or value.case or value.default):
        parts = value.templates[0].parts
        if len(parts) == 1 and parts[0][1] and schema[parts[0][0]] != pl.String:
            return parts[0][0]
    return None


def stated_text(value: Value, schema: Mapping[str, pl.DataType]) -> pl.Expr:
    """What the record says: the first template that is there."""
    texts = [template_text(template, schema) for template in value.templates]
    return pl.coalesce(texts) if len(texts) > 1 else texts[0]


def looked_up(stated: pl.Expr, value: Value, lookups: Lookups, schema: Mapping[str, pl.DataType]) -> pl.Expr:
    """The text after `default`, `case` and `lookup`; null where the lookup does not have it."""
    text = stated
    if value.default is not None:
        text = pl.coalesce(text, template_text(value.default, schema))
    if value.case == "lower":
        text = text.str.to_lowercase()
    elif value.case == "upper":
        text = text.str.to_uppercase()
    elif value.case == "snake":
        text = text.map_batches(_in_snake_case, return_dtype=pl.String, is_elementwise=True)
    if value.lookup:
        table = lookups[value.lookup]
        otherwise = None if value.otherwise is None else template_text(value.otherwise, schema)
        text = text.replace_strict(
            list(table), list(table.values()), default=otherwise, return_dtype=pl.String
        )
    return text


def _in_snake_case(texts: pl.Series) -> pl.Series:
    """Each distinct text once, where they are few: a column of words has some ten."""
    words = texts.unique()
    if 2 * len(words) < len(texts):
        return texts.replace_strict(words, _in_snake_case(words), return_dtype=pl.String)
    return texts.str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", "_").str.strip_chars("_")


def number_text(text: pl.Expr, value: Value) -> pl.Expr:
    """The number as digits with a point; null where the text is no number by these marks."""
    for mark in value.strip:
        text = text.str.replace_all(mark, "", literal=True)
    if value.strip or value.is_percent:
        text = text.str.strip_chars("% " if value.is_percent else " ")
    point, group = re.escape(value.decimal), re.escape(value.thousands)
    whole = rf"(?:\d{{1,3}}(?:{group}\d{{3}})+|\d+)" if value.thousands else r"\d+"
    is_number = text.str.contains(rf"^[+-]?{whole}(?:{point}\d+)?$")
    digits = text
    if value.thousands:
        digits = digits.str.replace_all(value.thousands, "", literal=True)
    if value.decimal != ".":
        digits = digits.str.replace(value.decimal, ".", literal=True)
    return pl.when(is_number).then(digits.str.strip_prefix("+"))


def condition_met(condition: Condition, lookups: Lookups, schema: Mapping[str, pl.DataType]) -> pl.Expr:
    """Whether a condition is met; null where it asks for a number and the text is none."""
    if condition.any_of:
        return reduce(lambda a, b: a | b, (condition_met(c, lookups, schema) for c in condition.any_of))
    assert condition.value is not None
    text = looked_up(stated_text(condition.value, schema), condition.value, lookups, schema)
    tests: list[pl.Expr] = []
    if condition.is_blank is not None:
        tests.append(text.is_null() if condition.is_blank else text.is_not_null())
    if condition.among is not None:
        tests.append(text.is_in(list(condition.among)).fill_null(False))
    if condition.not_among is not None:
        tests.append((~text.is_in(list(condition.not_among))).fill_null(False))
    if condition.matches is not None:
        tests.append(text.str.contains(condition.matches).fill_null(False))
    if condition.at_least is not None or condition.at_most is not None:
        number = number_text(text, condition.value).cast(pl.Decimal(38, 12), strict=False)
        for limit, test in ((condition.at_least, number.ge), (condition.at_most, number.le)):
            if limit is not None:
                tests.append(_if_there(text, test, str(limit)))
    return reduce(lambda a, b: a & b, tests)


def _if_there(text: pl.Expr, test: Callable[[pl.Expr], pl.Expr], limit: str) -> pl.Expr:
    return pl.when(text.is_null()).then(False).otherwise(test(pl.lit(limit).cast(pl.Decimal(38, 12))))


def all_met(
    conditions: tuple[Condition, ...], lookups: Lookups, schema: Mapping[str, pl.DataType]
) -> pl.Expr:
    return reduce(lambda a, b: a & b, (condition_met(c, lookups, schema) for c in conditions), pl.lit(True))


def joined_text(parts: list[pl.Expr]) -> pl.Expr:
    """Several texts as one, so that no two lists of texts become the same; null where one of them is."""
    if len(parts) == 1:
        return parts[0]
    escaped = [
        p.str.replace_all("\\", "\\\\", literal=True).str.replace_all("|", "\\|", literal=True) for p in parts
    ]
    return pl.concat_str(escaped, separator="|")
