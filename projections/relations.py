"""Every table and view that projections make in a warehouse, and what each of them reads."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from types import MappingProxyType

from projections.dependency_graph import DependencyGraph
from projections.projection import Projection, views
from projections.resolved_facts import IDENTITY, IDENTITY_SELECT, resolved_facts
from schemas.catalogue import CATALOGUE

_RELATION = re.compile(r"(?<!['\w])(facts|resolved|funnel)\.(\w+)")


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


@cache
def stored_views() -> tuple[Projection, ...]:
    """The views that a warehouse keeps as tables, each after those it reads."""
    return tuple(view for view in relations().values() if view.stored)


def selected(
    names: Collection[str],
    as_of: str,
    select: str,
    inline: Collection[str] = ("funnel",),
    instead: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """SQL: `select`, over every relation that these names read, each a common table expression of its own.

    A view that reads a view by its name is expanded wherever it is read, and planning grows with every path
    between two views. Here each relation stands once, and one that is read twice is evaluated once.
    `inline`: the schemas whose relations are written out; others are read by name. `instead`: what is read
    in place of some.
    """

    def name_of(match: re.Match[str]) -> str:
        if match[0] in instead:
            return instead[match[0]]
        return f"{match[1]}_{match[2]}" if match[1] in inline else match[0]

    def renamed(sql: str) -> str:
        return _RELATION.sub(name_of, sql)

    read = dependencies().upstream(names, stop=instead)
    expressions = [
        f"{renamed(name)} as ({renamed(relation.evaluated(as_of))})"
        for name, relation in relations().items()
        if name in read and name not in instead and name.split(".")[0] in inline
    ]
    return f"{'with ' if expressions else ''}{', '.join(expressions)} {renamed(select)}"
