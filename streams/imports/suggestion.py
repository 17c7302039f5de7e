"""A draft of a mapping, from what files look like. What is uncertain is a question that a person answers: the
import refuses a draft with one left."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from streams.imports.profile import Column, FileProfile, profile, shared_key

_LEADS = ("lead", "leads", "mql", "mqls", "contact", "contacts", "prospects", "signup", "signups")
_DEALS = ("deal", "deals", "opportunity", "opportunities", "pipeline", "sales", "orders")
_SPEND = ("spend", "cost", "costs", "ads", "budget", "adspend")
_WON, _LOST = ("won", "closed won", "closedwon", "win"), ("lost", "closed lost", "closedlost", "loss")
_OPENED = ("created", "create", "opened", "open", "engage", "start", "first", "date", "begin")
_CLOSED = ("won", "close", "closed", "end", "signed")
_MONEY = ("amount", "value", "revenue", "price", "spend", "cost", "total", "acv", "arr", "mrr")
_ATTRIBUTES = (
    "landing",
    "utm",
    "segment",
    "product",
    "type",
    "business",
    "behaviour",
    "profile",
    "sector",
    "series",
)


def suggest(paths: Sequence[Path]) -> str:
    """The text of a draft for these files, as TOML. Raises BatonError for a file that cannot be read."""
    files = [profile(path) for path in paths]
    return "\n".join(_draft(files)) + "\n"


def _draft(files: Sequence[FileProfile]) -> Iterator[str]:
    yield "# A draft by `baton import --suggest`. What begins with ? is a question: write the answer in its"
    yield "# place. docs/reference/mapping.md has every key, and --dry-run shows what comes out."
    yield "[mapping]"
    yield 'source = "? a short name of the system these files come from, such as hubspot"'
    if any(c.is_instant and not c.has_zone for f in files for c in f.columns):
        yield 'zone = "? the zone of the times in these files, such as Europe/Berlin or UTC"'
    for file in files:
        yield ""
        yield from _file(file)
    drafted = False
    for file in files:
        for lines in _events(file, files):
            drafted = True
            yield ""
            yield from lines
    if not drafted:
        yield ""
        yield "[[event]]"
        yield 'type = "? which event a row becomes; docs/reference/events.md lists them"'
        yield f"from = {_text(files[0].name)}"
        yield "[event.set]"


def _text(text: str) -> str:
    """A text of TOML."""
    return json.dumps(text, ensure_ascii=False)


def _of(name: str) -> str:
    """The text of TOML that stands for a column."""
    return _text("{" + name + "}")


def _file(file: FileProfile) -> Iterator[str]:
    rule = file.file
    yield f"[file.{file.name}]"
    yield f"match = {_text(rule.match[0])}"
    if rule.format:
        yield f"format = {_text(rule.format)}"
    if rule.delimiter not in ("", ","):
        yield f"delimiter = {_text(rule.delimiter)}"
    if rule.encoding != "utf-8":
        yield f"encoding = {_text(rule.encoding)}    # its bytes are no UTF-8"
    key = _key(file)
    if key is None and file.pair is not None:
        yield f"key = {json.dumps(file.pair, ensure_ascii=False)}    # together they name a row"
    elif key is None:
        columns = ", ".join(column.name for column in file.columns[:12])
        yield f'key = "? the column, or a list of columns, that names a row; there are {_plain(columns)}"'
    else:
        some = f"{key.share_missing:.1%} of rows have none" if key.share_missing else "every row has one"
        twice = "" if key.share_distinct == 1 else f", {1 - key.share_distinct:.1%} are repeated"
        yield f"key = {_text(key.name)}    # {some}{twice}"
        if key.share_missing:
            yield 'missing_key = "? refuse or stand_in: what becomes of rows without the key"'
    for column in file.columns:
        yield f"# {_plain(column.name)}: {_seen(column)}"
    if file.left_out:
        yield f"# {file.left_out:,} more columns, which this draft does not look at"


def _plain(text: str) -> str:
    return " ".join(text.replace('"', "'").replace("\\", "/").split())


def _seen(column: Column) -> str:
    kind = "text"
    if column.formats:
        kind = "times" if column.is_instant else "days"
        kind += ", written " + " or ".join(" and ".join(f) for f in column.formats)
    elif column.is_currency:
        kind = "currencies"
    elif column.numbers:
        kind = "numbers"
    elif column.words:
        kind = f"{len(column.words)} words"
    missing = f", {column.share_missing:.1%} missing" if column.share_missing else ""
    return f"{kind}{missing}; such as {_plain(', '.join(column.examples))[:80]}"


def _key(file: FileProfile) -> Column | None:
    """The column that names a row: nearly all different, called an id, the earlier the better."""
    able = [c for c in file.columns if c.share_distinct >= 0.9 and c.share_missing <= 0.2 and not c.formats]
    named = [c for c in able if c.is_called("id", "key", "uuid", "guid", "no", "number")]
    if named:
        return named[0]
    return next((c for c in able if not c.numbers and c.share_distinct == 1), None)


def _kind(file: FileProfile) -> str:
    """lead, deal, spend or nothing, by the name of the file, then by its columns."""
    words = set(file.name.split("_"))
    if not any(column.formats for column in file.columns):
        return ""
    status = _status(file)
    has_money = any(_is_money(c) for c in file.columns)
    if words & set(_SPEND) or any(c.is_called("spend", "cost") and c.numbers for c in file.columns):
        return "spend"
    if (status is not None and has_money) or words & set(_DEALS) or any(_is_closed(c) for c in file.columns):
        return "deal"
    return "lead" if words & set(_LEADS) or any(c.formats for c in file.columns) else ""


def _is_money(column: Column) -> bool:
    return bool(column.numbers) and column.is_called(*_MONEY)


def _is_closed(column: Column) -> bool:
    return bool(column.formats) and column.is_called(*_CLOSED)


def _status(file: FileProfile) -> Column | None:
    """The column with the stages of a deal."""
    with_ends = [c for c in file.columns if {w.lower() for w in c.words} & {*_WON, *_LOST}]
    return (
        with_ends[0]
        if with_ends
        else next((c for c in file.columns if c.words and c.is_called("stage", "status")), None)
    )


def _events(file: FileProfile, files: Sequence[FileProfile]) -> Iterator[list[str]]:
    match _kind(file):
        case "lead":
            yield list(_lead(file))
        case "deal":
            yield from _deal(file, files)
        case "spend":
            yield list(_spend(file))


def _head(event: str, file: FileProfile, more: Sequence[str] = ()) -> list[str]:
    return ["[[event]]", f"type = {_text(event)}", f"from = {_text(file.name)}", *more, "[event.set]"]


def _lead(file: FileProfile) -> Iterator[str]:
    yield from _head("LeadCaptured", file)
    yield f"lead_id = {_id(file)}"
    yield _when_line(file, [c for c in file.columns if c.formats], "when the lead became known", True)
    for name, words in (
        ("channel", ("origin", "source", "channel")), ("campaign_id", ("campaign",)), ("region", ("region",)),
        ("account_id", ("account", "company", "organization")),
    ):  # fmt: skip
        column = next((c for c in file.columns if c.is_called(*words) and not c.formats), None)
        if column is not None:
            case = ', case = "snake"' if name == "channel" else ""
            yield f"{name} = {{ value = {_of(column.name)}{case} }}"
    yield from _attribute_lines(file)


def _id(file: FileProfile) -> str:
    key = _key(file)
    if key is None:
        return '"? the column that is its id, such as {id}"'
    if key.share_missing:
        return f'{{ value = {_of(key.name)}, missing = "stand_in" }}'
    return f"{_of(key.name)}"


def _deal(file: FileProfile, files: Sequence[FileProfile]) -> Iterator[list[str]]:
    days = [c for c in file.columns if c.formats]
    closing = [c for c in days if _is_closed(c)]
    opening = [c for c in days if c not in closing]
    lead = _lead_line(file, files)
    shared = [f"opportunity_id = {_id(file)}", *lead, *_account_line(file)]
    if opening:
        lines = _head("OpportunityOpened", file)
        yield [
            *lines,
            *shared,
            _when_line(file, opening, "when the deal was opened", True),
            *(_money_lines(file) if _status(file) else ()),
            *_owner_line(file),
            *_attribute_lines(file),
        ]
    status = _status(file)
    ends = closing or opening
    if status is None:
        yield [
            *_head("OpportunityWon", file),
            *shared,
            _when_line(file, ends, "when it was won"),
            *_money_lines(file),
        ]
        return
    won = [w for w in status.words if w.lower() in _WON]
    lost = [w for w in status.words if w.lower() in _LOST]
    others = [w for w in status.words if w not in (*won, *lost)]
    for event, words, more in (("OpportunityWon", won, _money_lines(file)), ("OpportunityLost", lost, [])):
        if words:
            condition = (
                f"when = {{ value = {_of(status.name)}, in = {json.dumps(words, ensure_ascii=False)} }}"
            )
            yield [*_head(event, file, [condition]), *shared, _when_line(file, ends, "when it ended"), *more]
    if others:
        yield _stages(file, status, others, opening)


def _stages(file: FileProfile, status: Column, words: Sequence[str], days: Sequence[Column]) -> list[str]:
    table = [
        f"{_text(word)} = {_text('? its stage in the playbook, such as ' + word.lower())}" for word in words
    ]
    condition = f"when = {{ value = {_of(status.name)}, in = {json.dumps(list(words), ensure_ascii=False)} }}"
    key = _key(file)
    id_ = [f"id = [{_of(key.name)}, {_of(status.name)}]"] if key else []
    return [
        f"[lookup.{file.name}_stage]", *table, "",
        *_head("OpportunityStageEntered", file, [condition, *id_]),
        f"opportunity_id = {_id(file)}",
        f'stage = {{ value = {_of(status.name)}, lookup = "{file.name}_stage" }}',
        _when_line(file, days, "when it entered the stage", True),
    ]  # fmt: skip


def _lead_line(file: FileProfile, files: Sequence[FileProfile]) -> list[str]:
    for other in files:
        if other is file or _kind(other) != "lead":
            continue
        key = _key(other)
        found = shared_key(file, other)
        if key is not None and found is not None and found[1] == key.name:
            return [f"lead_id = {_of(found[0])}    # {found[2]:.0%} of them are in {other.name}"]
    return []


def _account_line(file: FileProfile) -> list[str]:
    column = next(
        (c for c in file.columns if c.is_called("account", "company", "organization", "customer")), None
    )
    return [] if column is None else [f"account_id = {_of(column.name)}"]


def _owner_line(file: FileProfile) -> list[str]:
    column = next((c for c in file.columns if c.is_called("owner", "agent", "rep", "sr", "seller")), None)
    return [] if column is None else [f"owner = {_of(column.name)}"]


def _money_lines(file: FileProfile) -> list[str]:
    amount = next((c for c in file.columns if _is_money(c)), None)
    if amount is None:
        return []
    currency = next((c for c in file.columns if c.is_currency), None)
    code = f"{_of(currency.name)}" if currency else '"? the currency of these amounts, such as EUR"'
    return [f"amount = {_number(amount)}", f"currency = {code}"]


def _number(column: Column) -> str:
    if len(column.numbers) > 1:
        return (
            f'{{ value = {_of(column.name)}, decimal = "? . or , which {_plain(column.examples[0])}'
            ' leaves open", thousands = "? the mark between thousands; without one, take this out" }'
        )
    decimal, thousands = column.numbers[0]
    signs = sorted({sign for text in column.examples for sign in _signs(text)})
    more = f", decimal = {_text(decimal)}" if decimal != "." else ""
    more += f", thousands = {_text(thousands)}" if thousands else ""
    more += f", strip = {json.dumps(signs, ensure_ascii=False)}" if signs else ""
    return f"{{ value = {_of(column.name)}{more} }}" if more else f"{_of(column.name)}"


def _signs(text: str) -> Iterator[str]:
    """What stands before and behind a number."""
    for part in (
        text[: next((i for i, c in enumerate(text) if c.isdigit() or c == "-"), 0)],
        text.lstrip("0123456789.,' -"),
    ):
        if part.strip() and not any(c.isdigit() for c in part):
            yield part.strip()


def _when_line(file: FileProfile, columns: Sequence[Column], what: str, is_of_all: bool = False) -> str:
    """The line with the day or instant of an event, and what must be asked about it. `is_of_all`: every row
    becomes the event, so that those without a day are a question."""
    if not columns:
        names = _plain(", ".join(c.name for c in file.columns))
        return f'occurred_on = "? {what}: which column; there are {names}"'
    ranked = sorted(columns, key=lambda c: (not c.is_called(*_OPENED, *_CLOSED), c.share_missing))
    column = ranked[0]
    field = "occurred_at" if column.is_instant else "occurred_on"
    if len(column.formats) > 1:
        options = " or ".join(" and ".join(f) for f in column.formats)
        formats = f'["? how {_plain(column.examples[0])} is written: {options}"]'
    else:
        formats = json.dumps(list(column.formats[0]))
    more = "" if formats == '["iso"]' else f", formats = {formats}"
    if column.share_missing and is_of_all:
        share = f"{column.share_missing:.1%} of rows"
        more += f', missing = "? refuse or skip: {share} have no {_plain(column.name)}"'
    return f"{field} = {{ value = {_of(column.name)}{more} }}" if more else f"{field} = {_of(column.name)}"


def _attribute_lines(file: FileProfile) -> Iterator[str]:
    for column in file.columns:
        name = "_".join(_words(column.name))[:64]
        if column.is_called(*_ATTRIBUTES) and not column.formats and name[:1].isalpha():
            yield f"attributes.{name} = {_of(column.name)}"


def _words(name: str) -> list[str]:
    return "".join(c.lower() if c.isascii() and c.isalnum() else " " for c in name).split()


def _spend(file: FileProfile) -> Iterator[str]:
    days = [c for c in file.columns if c.formats]
    by = next((c for c in file.columns if c.is_called("campaign", "channel", "source", "medium")), None)
    campaign = _of(by.name) if by else _text("? what the money was spent on: a column, such as {channel}")
    yield from _head("CampaignCostBooked", file)
    yield f'campaign_id = {{ value = {campaign}, case = "snake" }}'
    yield _when_line(file, days, "the day the money was spent")
    yield (
        _when_line(file, days, "the day the money was spent")
        .replace("occurred_on", "booked_on")
        .replace("occurred_at", "booked_on")
    )
    yield from _money_lines(file) or ['amount = "? the column with the money"', 'currency = "? such as EUR"']
