"""What an export has and the log lacks, and the reverse: by what was reported, its stage and day, with ids.

Events are the same here when they say the same kind of thing of the same lead, deal or campaign, whatever
system
reported it: that is how a lead shows that was lost between two tools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from schemas.catalogue import EventType
from streams.imports.batches import Advance, evaluated_parts
from streams.imports.known_events import Answer
from streams.mapping.language import MappingRules

SIDES = ("both", "only_export", "only_log")
_SCHEMA = {"id": pl.String, "stage": pl.String, "day": pl.Date}


@dataclass(frozen=True)
class Comparison:
    """days: a row for each event type, stage and day, with how many both have and each alone. missing: the
    ids
    that one side alone has, with event type, stage, day and side. Days of the log outside those of the export
    are not compared."""

    days: pl.DataFrame
    missing: pl.DataFrame

    @property
    def is_equal(self) -> bool:
        return not self.missing.height


def compare(
    rules: MappingRules, paths: Mapping[str, Sequence[Path]], answer: Answer, advance: Advance
) -> Comparison:
    """Compare what the files say with the log, by the ids under which things were reported."""
    said: dict[str, list[pl.DataFrame]] = {}
    events: dict[str, EventType] = {}
    for found in evaluated_parts(rules, paths, advance):
        for mapped in found.mapped:
            event = mapped.rule.event
            events[event.name] = event
            stage = pl.col("stage") if event.name == "OpportunityStageEntered" else pl.lit("")
            said.setdefault(event.name, []).append(
                mapped.events.select(
                    pl.col(event.key).alias("id"),
                    stage.alias("stage"),
                    pl.col("occurred_at").dt.date().alias("day"),
                )
            )
    parts = [_compared(events[name], pl.concat(frames).unique(), answer) for name, frames in said.items()]
    every = (
        pl.concat(parts) if parts else pl.DataFrame(schema={"event": pl.String, **_SCHEMA, "side": pl.String})
    )
    days = (
        every.group_by("event", "stage", "day")
        .agg(*((pl.col("side") == side).sum().alias(side) for side in SIDES))
        .sort("event", "stage", "day")
    )
    missing = every.filter(pl.col("side") != "both").sort("event", "stage", "day", "id")
    return Comparison(days, missing.select("side", "event", "stage", "day", "id"))


def _compared(event: EventType, said: pl.DataFrame, answer: Answer) -> pl.DataFrame:
    first, last = said["day"].min(), said["day"].max()
    logged = _logged(event, answer)
    if isinstance(first, date) and isinstance(last, date):
        there = logged.filter(pl.col("day").is_between(first, last))
    else:
        there = logged.clear()
    keys = ["id", "stage"]
    ours = said.unique(keys, keep="first", maintain_order=True).sort("day")
    lacking = ours.join(logged, on=keys, how="anti")
    shared = ours.join(logged, on=keys, how="semi")
    unknown = there.unique(keys).join(said, on=keys, how="anti")
    named = [shared, lacking, unknown]
    return pl.concat(
        frame.select(pl.lit(event.name).alias("event"), "id", "stage", "day", pl.lit(side).alias("side"))
        for frame, side in zip(named, SIDES, strict=True)
    )


def _logged(event: EventType, answer: Answer) -> pl.DataFrame:
    """What the log has of the type."""
    stage = "stage" if event.name == "OpportunityStageEntered" else "''"
    statement = (
        f"select distinct {event.key} as id, {stage} as stage, (occurred_at at time zone 'UTC')::date as day"
        f" from facts.{event.table}"
    )
    with answer(statement, None) as relation:
        return relation.pl().select(pl.col(name).cast(kind) for name, kind in _SCHEMA.items())
