"""The watch over the topics while a sink reads them: what partitions there are, and whether the topics are
still the same ones. It also keeps the group's offsets in Kafka near the warehouse's, for lag tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, NoError
from kafka.structs import OffsetAndMetadata

from schemas.errors import BatonError
from streams.kafka.admin import admin
from streams.kafka.names import names_of
from streams.kafka.topics import SINK_GROUP, extent_of, ids_of
from streams.project import Project

Extent = dict[tuple[str, int], tuple[int, int]]
Offsets = Mapping[tuple[str, int], int]


class LogWatch:
    """Looks at the topics over one connection, from one thread."""

    def __init__(
        self, where: Project | str, topics: Sequence[str], recognise: Callable[[Mapping[str, str]], None]
    ) -> None:
        """`recognise`: given Kafka's ids of the topics, raises BatonError when one is not the known topic."""
        self._where = where
        self._names = names_of(where)
        self._topics = topics
        self._recognise = recognise
        self._connected = ExitStack()
        self._client: KafkaAdminClient | None = None
        self._committed: Offsets = {}

    def look(self, offsets: Offsets) -> Extent | None:
        """(first, next) offset of every partition; None while Kafka does not answer. `offsets`: what the
        group commits. Raises BatonError when a topic was deleted, or recreated."""
        try:
            if self._client is None:
                self._client = self._connected.enter_context(admin(self._where, timeout_seconds=3.0))
            ids = ids_of(self._client, self._topics, self._names)
            extent = extent_of(self._client, self._topics, self._names)
        except (BatonError, KafkaError, OSError):
            self.close()
            return None
        self._recognise(ids)
        self._commit(offsets)
        return extent

    def _commit(self, offsets: Offsets) -> None:
        """Nothing reads these offsets but lag tools: a group with a member, or that we may not write, is no
        reason to stop."""
        if offsets == self._committed or self._client is None:
            return
        try:
            outcomes = self._client.alter_group_offsets(
                self._names.in_kafka(SINK_GROUP),
                {
                    TopicPartition(*self._names.place(place)): OffsetAndMetadata(at, "", -1)
                    for place, at in offsets.items()
                },
            )
        except KafkaError:
            return
        if all(outcome is NoError for outcome in outcomes.values()):
            self._committed = dict(offsets)

    def close(self) -> None:
        """Let go of the connection; the next look makes another."""
        self._client = None
        try:
            self._connected.close()
        except (BatonError, KafkaError, OSError):
            pass  # it was lost already
