"""Every table and view that projections make in a warehouse, and what each of them reads."""

from __future__ import annotations

from functools import cache

from projections.dependency_graph import DependencyGraph
from projections.projection import Projection, states, views
from projections.resolved_facts import resolved_facts
from schemas.catalogue import CATALOGUE


@cache
def dependencies() -> DependencyGraph:
    """What each view, resolved fact, state and fact table reads. What else they read reads nothing."""
    facts = {f"facts.{event.table}": (f"log.{event.table}",) for event in CATALOGUE.facts}
    logs = {state.relation: tuple(f"log.{table}" for table in state.fact_tables) for state in states()}
    found = {view.relation: view.reads for view in (*resolved_facts(), *views())}
    return DependencyGraph({**facts, "facts.event": tuple(facts), **logs, **found})


@cache
def relations() -> dict[str, Projection]:
    """All resolved facts and views by their names in a warehouse, each after what it reads."""
    known = {view.relation: view for view in (*resolved_facts(), *views())}
    return {name: known[name] for name in dependencies().topological_order() if name in known}
