"""What the log already has: an event is new, is there, or says something else than it did, and is then
revised.

A revision has the id of the event with ~002, ~003, ... behind it. How a type is revised stands in REVISED;
what is
not there cannot be, and its row fails.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

import duckdb
import polars as pl
import pyarrow as pa

from projections.sql_literal import sql_literal
from schemas.avro_types import column_type
from schemas.catalogue import EventType
from schemas.codec import ROW
from streams.mapping.evaluation import KEY

COPY_SECONDS = 600.0
COPY_ROWS = 100_000
ENVELOPE_NOT_SAID = ("event_id", "recorded_at")
# The event again, with what it says now: views take what was recorded later as the correction of the earlier.
REPEATED = (
    "LeadCaptured", "LeadProfiled", "CampaignPlanned", "OpportunityOpened", "OpportunityStageEntered",
    "OpportunityWon", "OpportunityLost", "BuyingGroupMemberIdentified", "PromiseMade",
)  # fmt: skip
# Another event for what the amount differs by: its amounts are added up.
DIFFERENCE = ("CampaignCostBooked",)
# These count by the latest: a new time is a new statement.
LATEST_COUNTS = ("LeadProfiled", "CampaignPlanned")

# The rows of one SELECT within so many seconds, to be read once.
Answer = Callable[[str, float | None], AbstractContextManager[duckdb.DuckDBPyRelation]]


class Known(Protocol):
    """Where events are looked up that a source has reported before."""

    def versions(self, event: EventType, ids: Sequence[str]) -> pl.DataFrame:
        """The events with these ids and their revisions, with the columns of the type."""
        ...


class NothingKnown:
    """A log without events."""

    def versions(self, event: EventType, ids: Sequence[str]) -> pl.DataFrame:
        return pl.DataFrame(schema={f["name"]: column_type(f["type"]) for f in event.fields})


class KnownInLog:
    """The facts that one source has reported, copied from the warehouse by type when they are first needed.

    To ask for the ids of each part would take a look at all facts for each. A context manager: the copy is a
    file.
    """

    def __init__(self, answer: Answer, source: str) -> None:
        self._answer = answer
        self._source = source
        self._folder = tempfile.TemporaryDirectory(prefix="baton-import-", ignore_cleanup_errors=True)
        self._copy = duckdb.connect(str(Path(self._folder.name) / "known.duckdb"))
        self._copy.execute("set TimeZone = 'UTC'")
        self._copied: set[str] = set()

    def __enter__(self) -> KnownInLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._copy.close()
        self._folder.cleanup()

    def versions(self, event: EventType, ids: Sequence[str]) -> pl.DataFrame:
        if event.name not in self._copied:
            self._copy_facts(event)
        self._copy.register("asked", pa.table({"base": pa.array(ids, pa.string())}))
        wanted = f"select {_names(event)} from {event.table} semi join asked using (base)"
        rows = self._copy.execute(wanted).pl()
        self._copy.unregister("asked")
        return rows.select(pl.col(f["name"]).cast(column_type(f["type"])) for f in event.fields)

    def _copy_facts(self, event: EventType) -> None:
        reported = (
            f"select {_names(event)} from facts.{event.table} where source = {sql_literal(self._source)}"
        )
        with self._answer(reported, COPY_SECONDS) as relation:
            self._copy.register("facts_there", relation.to_arrow_reader(COPY_ROWS))
            self._copy.execute(
                f"create table {event.table} as"
                " select *, regexp_replace(event_id, '~[0-9]{3}$', '') as base from facts_there"
            )
            self._copy.unregister("facts_there")
        self._copied.add(event.name)


def _names(event: EventType) -> str:
    return ", ".join(field["name"] for field in event.fields)


@dataclass(frozen=True)
class Sorted:
    """The events of a batch: new ones, revisions of others, how many are there already, and (`_row`, column,
    value, reason) of those that cannot be revised."""

    new: pl.DataFrame
    revised: pl.DataFrame
    unchanged: int
    faults: pl.DataFrame


def sort_by_log(event: EventType, events: pl.DataFrame, known: Known) -> Sorted:
    """Which events of a batch the log lacks, has, or has otherwise. Each id once."""
    nothing = events.clear()
    no_faults = pl.DataFrame(
        schema={ROW: pl.UInt32, "column": pl.String, "value": pl.String, "reason": pl.String}
    )
    if not events.height:
        return Sorted(events, nothing, 0, no_faults)
    there = known.versions(event, events["event_id"].to_list())
    if not there.height:
        return Sorted(events, nothing, 0, no_faults)
    base = pl.col("event_id").str.replace(r"~[0-9]{3}$", "")
    there = there.with_columns(base.alias("_base")).sort("event_id")
    if event.name in DIFFERENCE:
        there = there.with_columns(pl.col("amount").sum().over("_base"))
    latest = there.group_by("_base", maintain_order=True).last()
    said = [f["name"] for f in event.fields if f["name"] not in ENVELOPE_NOT_SAID]
    was = [pl.col(name).alias(f"was {name}") for name in said]
    both = events.join(
        latest.select("_base", pl.col("event_id").alias("_latest"), *was),
        left_on="event_id", right_on="_base", how="left", maintain_order="left",
    )  # fmt: skip
    is_known = pl.col("_latest").is_not_null()
    differs = {name: ~pl.col(name).eq_missing(pl.col(f"was {name}")) for name in said}
    new = both.filter(~is_known).select(events.columns)
    changed = both.filter(is_known & pl.any_horizontal(differs.values()))
    unchanged = both.height - new.height - changed.height
    cannot = _cannot_be_revised(event, changed, differs)
    refused = changed.filter(cannot.is_not_null())
    faults = pl.DataFrame(
        {ROW: refused[ROW], "column": cannot.drop_nulls()}, {ROW: pl.UInt32, "column": pl.String}
    ).with_columns(
        pl.Series("value", _shown(refused, cannot.drop_nulls(), ""), pl.String),
        pl.Series("reason", _reasons(event, refused, cannot.drop_nulls()), pl.String),
    )
    revised = changed.filter(cannot.is_null())
    if event.name in DIFFERENCE:
        revised = revised.with_columns(pl.col("amount") - pl.col("was amount"))
    number = pl.col("_latest").str.extract(r"~([0-9]{3})$").cast(pl.Int32).fill_null(1) + 1
    revised = revised.with_columns(
        pl.concat_str(pl.col("event_id"), pl.lit("~"), number.cast(pl.String).str.zfill(3)).alias("event_id")
    )
    return Sorted(new, revised.select(events.columns), unchanged, faults)


def _cannot_be_revised(event: EventType, changed: pl.DataFrame, differs: dict[str, pl.Expr]) -> pl.Series:
    """The field whose change the contract cannot say; null where the event can be revised."""
    if event.name in DIFFERENCE:
        fixed = [name for name in differs if name != "amount"]
    elif event.name in REPEATED:
        fixed = ["occurred_at", "is_day_only", event.key]
    else:
        fixed = list(differs)
    tests = []
    for name in fixed:
        if name not in differs:
            continue
        is_wrong = differs[name]
        if name in ("occurred_at", "is_day_only") and event.name in LATEST_COUNTS:
            is_wrong &= pl.col("occurred_at") <= pl.col("was occurred_at")
        tests.append(pl.when(is_wrong).then(pl.lit(name)))
    return changed.select(pl.coalesce([*tests, pl.lit(None, pl.String)]).alias("field"))["field"]


def _shown(rows: pl.DataFrame, names: pl.Series, prefix: str) -> list[str | None]:
    return [
        None if row[f"{prefix}{name}"] is None else str(row[f"{prefix}{name}"])
        for row, name in zip(rows.iter_rows(named=True), names, strict=True)
    ]


def _reasons(event: EventType, rows: pl.DataFrame, names: pl.Series) -> list[str]:
    return [
        f"was {was} when it was imported, and {name} of {event.name} cannot be revised"
        for name, was in zip(names, _shown(rows, names, "was "), strict=True)
    ]


def as_records(frame: pl.DataFrame) -> Iterator[dict[str, object]]:
    """The events as records for Avro."""
    yield from frame.drop(ROW, KEY, strict=False).iter_rows(named=True)
