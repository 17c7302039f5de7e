"""What a warehouse keeps of the log, by what it is for."""

from __future__ import annotations

from dataclasses import dataclass

from projections.projection import DERIVED_FOLDER, Projection, read_projection
from projections.relations import dependencies, stored_views
from schemas.catalogue import CATALOGUE
from warehouse.authority import AGREEMENT_FACTS
from warehouse.obligation_measurement import OBLIGATIONS
from warehouse.record_identity import MERGE_FACTS

MEASURED = read_projection(DERIVED_FOLDER / "handoff_measured.sql")


@dataclass(frozen=True)
class Scope:
    """tables: those of the event types whose facts are kept. views: the stored views that are kept up.
    is_sending: whether failed events also leave as dead letters: one warehouse of a log sends them."""

    tables: frozenset[str]
    views: tuple[Projection, ...]
    is_sending: bool


def _handoffs() -> Scope:
    read = dependencies().upstream({*MEASURED.reads, *OBLIGATIONS.reads})
    tables = frozenset(event.table for event in CATALOGUE.facts if f"facts.{event.table}" in read)
    views = tuple(view for view in stored_views() if view.relation in read)
    return Scope(tables | AGREEMENT_FACTS | MERGE_FACTS, views, is_sending=True)


EVERYTHING = Scope(frozenset(event.table for event in CATALOGUE.facts), stored_views(), is_sending=True)
# What people ask.
NUMBERS = Scope(EVERYTHING.tables, EVERYTHING.views, is_sending=False)
# What measuring handoffs needs.
HANDOFFS = _handoffs()
