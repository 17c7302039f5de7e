"""The names that topics and groups have in Kafka: Baton's own, with the project's prefix before them.

Only code that talks to Kafka uses them. The contract, the warehouse and people's commands know Baton's own
names, so that staging and production differ in nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from streams.project import Project

Place = tuple[str, int]


@dataclass(frozen=True)
class Names:
    """Translates names, of topics and groups alike. Without a prefix both sides are the same."""

    prefix: str = ""

    def in_kafka(self, name: str) -> str:
        """The name in Kafka of one of Baton's."""
        return self.prefix + name

    def own(self, name: str) -> str:
        """Baton's name of one in Kafka."""
        return name.removeprefix(self.prefix)

    def place(self, place: Place) -> Place:
        """A partition by the name in Kafka."""
        return self.in_kafka(place[0]), place[1]

    def own_place(self, place: Place) -> Place:
        """A partition by Baton's name. Clients have partitions of their own type: take it apart as a pair."""
        return self.own(place[0]), place[1]


NO_PREFIX = Names()


def names_of(where: Project | str) -> Names:
    """The names of a project; bare bootstrap servers have no prefix."""
    return Names(where.prefix or "") if isinstance(where, Project) else NO_PREFIX
