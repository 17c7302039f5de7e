"""Every table and view that projections make in a warehouse, and what each of them reads."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache

from projections.dependency_graph import DependencyGraph
from projections.projection import Projection, views
from projections.resolved_facts import IDENTITY, IDENTITY_SELECT, resolved_facts
from schemas.catalogue import CATALOGUE


@cache
def dependencies() -> DependencyGraph:
    """What each view, resolved fact and fact table reads. What else they read reads nothing."""
    facts = {f"facts.{event.table}": (f"log.{event.table}",) for event in CATALOGUE.facts}
    found = {view.relation: view.reads for view in (*resolved_facts(), *views())}
    return DependencyGraph({**facts, "facts.event": tuple(facts), IDENTITY: IDENTITY_SELECT.reads, **found})


@cache
def relations() -> dict[str, Projection]:
    """All resolved facts and views by their names in a warehouse, each after what it reads."""
    known = {view.relation: view for view in (*resolved_facts(), *views())}
    return {name: known[name] for name in dependencies().topological_order() if name in known}


def selected(names: Collection[str], as_of: str, select: str, inline: Collection[str] = ("funnel",)) -> str:
    """SQL: `select`, over every relation that these names read, each a common table expression of its own.

    A view that reads a view by its name is expanded wherever it is read, and planning grows with every path
    between two views. Here each relation stands once, and one that is read twice is evaluated once.
    `inline`: the schemas whose relations are written out; others are read by name.
    """
    pattern = re.compile(rf"(?<!['\w])({'|'.join(inline)})\.(\w+)")

    def renamed(sql: str) -> str:
        return pattern.sub(r"\1_\2", sql)

    read = dependencies().upstream(names)
    expressions = [
        f"{renamed(name)} as ({renamed(relation.evaluated(as_of))})"
        for name, relation in relations().items()
        if name in read and pattern.match(name)
    ]
    return f"{'with ' if expressions else ''}{', '.join(expressions)} {renamed(select)}"
