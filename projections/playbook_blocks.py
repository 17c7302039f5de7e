"""The blocks of a playbook's TOML: typed reading in which every fault names its line, reason and remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import duckdb

from schemas.errors import BatonError, ExitCode, quoted
from schemas.field_checks import not_one_of

# Blocks whose id stands once.
NAMED = (
    "calendar",
    "team",
    "alert",
    "criterion",
    "role",
    "goal",
    "example",
    "alert_example",
    "size_band",
    "segment",
)
_UNITS = {"minute": 1, "hour": 60, "day": 24 * 60}
_LONGEST = timedelta(days=3650)
_MOST = 1_000_000_000
T = TypeVar("T")


class Blocks:
    """Walks the blocks of a playbook and knows the line each one stands on.

    Every method raises a BatonError (exit 3) for what cannot be used. `name` and `index` say which block.
    A fault met by each() or part() is kept for check(), so that one run names all that can be found.
    """

    def __init__(
        self, text: str, where: str, content: Mapping[str, Any], keys: Mapping[str, set[str]]
    ) -> None:
        """`keys`: every block and what may be said in it; a misspelt key must not pass for one left out."""
        self.text_of_file = text
        self.lines = text.splitlines()
        self.where = where
        self.content = content
        self.keys = keys
        self.faults = [
            self.fault(name, 0, f"unknown block {name!r}; known: {', '.join(sorted(keys))}")
            for name in content
            if name not in keys
        ]
        self.check()

    def check(self) -> None:
        """Raise the faults found so far, by line, as one error."""
        if not self.faults:
            return
        first, *others = sorted(self.faults, key=lambda fault: int(fault.where.rpartition(":")[2]))
        why = "".join(f"\n{' ' * 9}{other.where}: {other.why}" for other in others)
        raise BatonError(
            first.what,
            where=first.where,
            why=first.why + why,
            next_command=first.next_command,
            exit_code=first.exit_code,
        )

    def each(self, name: str, read: Callable[[int, Mapping[str, Any]], T]) -> Iterator[T]:
        """What is read of every [[name]] without a fault."""
        with self._collecting():
            for index, block in self.blocks(name):
                with self._collecting():
                    yield read(index, block)

    def part(self, read: Callable[[], T]) -> T:
        """What is read; None in its place when it has a fault, and check() then raises it."""
        with self._collecting():
            return read()
        return cast(T, None)

    @contextmanager
    def _collecting(self) -> Iterator[None]:
        try:
            yield
        except BatonError as fault:
            self.faults.append(fault)

    def ids(self, name: str) -> set[str]:
        """The ids of all [[name]], those with a fault too: who names such a block has no fault by that."""
        found = self.content.get(name)
        blocks = [block for block in found if isinstance(block, dict)] if isinstance(found, list) else []
        return {block["id"] for block in blocks if isinstance(block.get("id"), str)}

    def single(self, name: str) -> Mapping[str, Any]:
        """The block [name]; empty when it was left out."""
        found = self.content.get(name, {})
        if not isinstance(found, dict):
            raise self.fault(name, 0, f"write it as [{name}], once")
        self.check_keys(name, 0, found)
        return found

    def blocks(self, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """(index, block) of every [[name]], in the order of the file."""
        found = self.content.get(name, [])
        if not isinstance(found, list):
            raise self.fault(name, 0, f"write it as [[{name}]], one block each")
        seen: set[str] = set()
        for index, block in enumerate(found):
            if not isinstance(block, dict):
                raise self.fault(name, index, f"write it as [[{name}]], one block each")
            self.check_keys(name, index, block)
            if name in NAMED:
                own = self.text(name, index, block, "id")
                if own in seen:
                    raise self.fault(name, index, f"{own!r} appears twice")
                seen.add(own)
            yield index, block

    def check_keys(self, name: str, index: int, block: Mapping[str, Any]) -> None:
        """Refuse a key that the block does not know."""
        for key in block:
            if key not in self.keys[name]:
                known = ", ".join(sorted(self.keys[name]))
                raise self.fault(name, index, f"there is no {key!r} in this block; known: {known}")

    def text(self, name: str, index: int, block: Mapping[str, Any], key: str) -> str:
        """A text that is not empty."""
        value = block.get(key)
        if not isinstance(value, str) or not value:
            raise self.fault(name, index, f"{key} is missing or not a text")
        return value

    def values(self, name: str, index: int, block: Mapping[str, Any], key: str) -> list[Any]:
        """A list; empty when it was left out."""
        value = block.get(key, [])
        if not isinstance(value, list):
            raise self.fault(name, index, f"{key} = {value!r}; it is a list, in square brackets")
        return value

    def texts(self, name: str, index: int, block: Mapping[str, Any], key: str) -> list[str]:
        """A list of texts."""
        values = self.values(name, index, block, key)
        for value in values:
            if not isinstance(value, str) or not value:
                raise self.fault(name, index, f"{key} holds {value!r}, which is not a text")
        return values

    def _given(self, name: str, index: int, block: Mapping[str, Any], key: str) -> Any:
        if key not in block:
            raise self.fault(name, index, f"{key} is missing")
        return block[key]

    def count(self, name: str, index: int, block: Mapping[str, Any], key: str, most: int = _MOST) -> int:
        """A whole number of at least 1. What a column cannot hold would stop every worker that reads it."""
        value = self._given(name, index, block, key)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise self.fault(name, index, f"{key} must be a whole number of at least 1 and at most {most:,}")
        return value

    def one_of(
        self, name: str, index: int, block: Mapping[str, Any], key: str, choices: tuple[str, ...]
    ) -> str:
        """One of some texts."""
        value = self._given(name, index, block, key)
        if value not in choices:
            raise self.fault(name, index, f"{key} = {value!r}; it is one of {', '.join(choices)}")
        return str(value)

    def zone(self, name: str, index: int, zone: str) -> str:
        """The name of a time zone that both Python (for the tables of open time) and the views know."""
        try:
            is_known = zone in _zones_of_views() and ZoneInfo(zone).key == zone
        except (ZoneInfoNotFoundError, TypeError):
            is_known = False
        if not is_known:
            raise self.fault(name, index, not_one_of(zone, "a time zone", _zones_of_views()))
        return zone

    def share(self, name: str, index: int, block: Mapping[str, Any], key: str, default: float) -> float:
        """A share between 0 and 1, both excluded."""
        share = block.get(key, default)
        if not isinstance(share, float) or not 0 < share < 1:
            raise self.fault(name, index, f"{key} = {share!r}; it is a share between 0 and 1")
        return share

    def money(self, name: str, index: int, block: Mapping[str, Any], key: str) -> Decimal:
        """A decimal of at least 0, written as a text: a number of TOML would be binary."""
        text = self.text(name, index, block, key)
        if re.fullmatch(r"[0-9]{1,14}(\.[0-9]{1,8})?", text) is None:
            raise self.fault(name, index, f"{key} = {text!r} is no decimal such as '1250000.00'")
        return Decimal(text)

    def flag(self, name: str, index: int, block: Mapping[str, Any], key: str, default: bool) -> bool:
        """True or false."""
        value = block.get(key, default)
        if not isinstance(value, bool):
            raise self.fault(name, index, f"{key} = {value!r}; it is true or false")
        return value

    def day(self, name: str, index: int, block: Mapping[str, Any], key: str) -> date:
        """A day."""
        value = str(self._given(name, index, block, key))
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            why = f"{key} = {value!r} is no day such as 2026-04-01"
            raise self.fault(name, index, why) from error

    def duration(self, name: str, index: int, block: Mapping[str, Any], key: str) -> timedelta:
        """A span in one unit. Business time is never given in days: they have no fixed length."""
        text = self.text(name, index, block, key)
        parsed = re.fullmatch(r"([0-9]{1,9}) (minute|hour|day)s?", text.strip())
        if parsed is None or int(parsed[1]) == 0:
            raise self.fault(
                name,
                index,
                f"{key} = {text!r}; say it in one unit, such as '90 minutes', '2 hours' or '14 days'",
            )
        if parsed[2] == "day" and block.get("clock") == "business":
            raise self.fault(
                name,
                index,
                f"{key} = {text!r} with clock = 'business': a business day has no fixed length, say hours",
            )
        minutes = int(parsed[1]) * _UNITS[parsed[2]]
        if minutes > _LONGEST // timedelta(minutes=1):
            raise self.fault(name, index, f"{key} = {text!r}; the longest is {_LONGEST.days} days")
        return timedelta(minutes=minutes)

    def fault(self, name: str, index: int, why: str) -> BatonError:
        """The error for a fault in a block, with the line the block stands on."""
        return unusable(self.where, self.line(name, index), f"[{name}] {why}")

    def line(self, name: str, index: int) -> int:
        """The line a block stands on."""
        own = rf"[\"']?{re.escape(name)}[\"']?\s*"
        for head in (rf"\s*\[\[?\s*{own}[].]", rf"\s*{own}[=.]"):  # a block, else a value in its stead
            lines = [number for number, text in enumerate(self.lines, 1) if re.match(head, text)]
            if lines:
                return lines[min(index, len(lines) - 1)]
        return 1


@cache
def _zones_of_views() -> frozenset[str]:
    """The zones DuckDB knows: neither this machine's "localtime" nor "right/Europe/Berlin" is one of them."""
    with duckdb.connect() as connection:
        return frozenset(
            name for (name,) in connection.execute("select name from pg_timezone_names()").fetchall()
        )


def unusable(where: str, line: int, why: str) -> BatonError:
    """The error for a playbook that cannot be used. `line`: 0 when it is the file as a whole."""
    return BatonError(
        "The playbook cannot be used",
        where=f"{where}:{line}" if line else where,
        why=why,
        next_command=f"baton playbook check {quoted(where)}   (once that is corrected)",
        exit_code=ExitCode.CONFIGURATION,
    )
