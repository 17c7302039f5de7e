"""What reads what: a dependency graph of names, for the order of views and for what one of them needs."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from graphlib import TopologicalSorter


class DependencyGraph:
    """Names and the names that each of them reads. What reads nothing need not be a key."""

    def __init__(self, reads: Mapping[str, Collection[str]]) -> None:
        """Raises graphlib.CycleError when names read each other."""
        self.reads = reads
        self._order = tuple(TopologicalSorter(reads).static_order())

    def upstream(self, names: Iterable[str], stop: Container[str] = ()) -> frozenset[str]:
        """These names and all that they read, directly or through others; not what those in `stop` read."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                if name not in stop:
                    waiting += self.reads.get(name, ())
        return frozenset(found)

    def downstream(self, names: Iterable[str]) -> frozenset[str]:
        """These names and all that read them, directly or through others."""
        found = set(names)
        for name in self._order:
            if not found.isdisjoint(self.reads.get(name, ())):
                found.add(name)
        return frozenset(found)

    def topological_order(self) -> tuple[str, ...]:
        """Every name after the names it reads."""
        return self._order
