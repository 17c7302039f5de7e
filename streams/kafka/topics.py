"""The topics: their names, required settings, and the offsets of each partition.

Everything is rebuilt from events, so their topics keep everything forever.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec
from kafka.errors import CoordinatorNotAvailableError, TopicAlreadyExistsError, for_code
from kafka.protocol.consumer.offsets import IsolationLevel

from schemas.errors import BatonError, ExitCode
from streams.kafka.admin import admin, unreachable
from streams.project import Project

EVENT_TOPICS = {
    "funnel.marketing": 4,
    "funnel.sales": 4,
    "funnel.success": 2,
    "funnel.revenue": 2,
    "funnel.handoff-latency": 2,
    "funnel.alerts": 2,
}
DEAD_LETTER = "funnel.dead-letter"
PARTITIONS = {**EVENT_TOPICS, DEAD_LETTER: 1}
KEPT_FOREVER = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}

# The group the sink commits its offsets under. For lag tools only: the warehouse's own offsets decide.
SINK_GROUP = "baton-sink"

# Faust's consumer group, and the first part of the names of its own topics.
REACTION_GROUP = "baton-reaction"
OVERDUE_BY_PAIR = f"{REACTION_GROUP}-overdue-by-pair"

LOOK_SECONDS = 20.0

REPAIR_COMMAND = "baton up --repair-topics"


@dataclass(frozen=True)
class TopicFault:
    """A setting of an existing topic that Baton needs otherwise. setting: 'partitions' or a config name."""

    topic: str
    setting: str
    found: str
    needed: str

    @property
    def consequence(self) -> str:
        """What the setting does to the numbers."""
        if self.setting == "partitions":
            return "works, but load spreads over fewer partitions"
        if self.setting == "cleanup.policy":
            return "compaction deletes earlier events of the same key: numbers cannot be rebuilt"
        return "Kafka deletes old events: numbers cannot be rebuilt, and what-if lacks history"

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.found}, needed {self.needed} ({self.consequence})"


@dataclass(frozen=True)
class TopicReport:
    """What ensure_topics found: topics created now, topics that existed, and their wrong settings."""

    created: tuple[str, ...]
    existing: tuple[str, ...]
    faults: tuple[TopicFault, ...]


def ensure_topics(where: Project | str) -> TopicReport:
    """Create every missing topic and check those that exist. Idempotent; changes no existing topic.

    Replication is the cluster's own default. Raises BatonError when Kafka refuses to create one.
    """
    with admin(where) as client:
        existing = existing_topics(client)
        missing = {name: count for name, count in PARTITIONS.items() if name not in existing}
        create_topics(client, missing)
        return TopicReport(
            created=tuple(missing),
            existing=tuple(name for name in PARTITIONS if name in existing),
            faults=topic_faults(client, {name: existing[name] for name in PARTITIONS if name in existing}),
        )


def existing_topics(client: KafkaAdminClient) -> dict[str, int]:
    """Number of partitions of every topic on the cluster, by name."""
    return {topic["name"]: len(topic["partitions"]) for topic in client.describe_topics()}


def create_topics(
    client: KafkaAdminClient, partitions: Mapping[str, int], settings: Mapping[str, str] = KEPT_FOREVER
) -> None:
    """Create topics and wait until each partition has a leader. By default they keep everything forever.

    A topic created concurrently is fine. Raises BatonError when Kafka refuses to create one.
    """
    if not partitions:
        return
    answer = client.create_topics(
        {name: {"num_partitions": n, "configs": dict(settings)} for name, n in partitions.items()},
        raise_errors=False,
    )
    for topic in answer["topics"]:
        error = for_code(topic["error_code"])
        if topic["error_code"] and error is not TopicAlreadyExistsError:
            raise BatonError(
                "Kafka did not create a topic",
                where=topic["name"],
                why=f"{error.__name__}: {topic.get('error_message') or error.description}",
                next_command="baton doctor --json   (shows the settings; ask an administrator to create it)",
                exit_code=ExitCode.CONFIGURATION,
            )
    client.wait_for_topics(list(partitions))


def topic_faults(client: KafkaAdminClient, found: dict[str, int]) -> tuple[TopicFault, ...]:
    """The wrong settings of these existing topics ({name: partitions}). More partitions are fine."""
    if not found:
        return ()
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in found]
    configs = client.describe_configs(resources, config_filter="all")["topic"]
    faults = []
    for name, count in found.items():
        if count < PARTITIONS[name]:
            faults.append(TopicFault(name, "partitions", str(count), str(PARTITIONS[name])))
        for setting, needed in KEPT_FOREVER.items():
            value = str(configs[name][setting]["value"])
            if value != needed:
                faults.append(TopicFault(name, setting, value, needed))
    return tuple(faults)


def repair_topics(where: Project | str, faults: Sequence[TopicFault]) -> None:
    """Apply the required settings. Events that Kafka has already deleted do not come back.

    Added partitions move some keys to another partition: harmless here, as no number depends on order.
    """
    with admin(where) as client:
        configs: dict[str, dict[str, str]] = {}
        for fault in faults:
            if fault.setting == "partitions":
                client.create_partitions({fault.topic: int(fault.needed)})
            else:
                configs.setdefault(fault.topic, {})[fault.setting] = fault.needed
        if not configs:
            return
        resources = [
            ConfigResource(ConfigResourceType.TOPIC, name, configs=values) for name, values in configs.items()
        ]
        for topic, outcome in client.alter_configs(resources)["topic"].items():
            if outcome != "OK":
                raise BatonError(
                    "Kafka did not change a topic's settings",
                    where=topic,
                    why=outcome,
                    next_command="baton doctor   (ask the cluster's administrator to set "
                    + ", ".join(configs[topic])
                    + ")",
                    exit_code=ExitCode.CONFIGURATION,
                )


def log_extent(
    where: Project | str, topics: Iterable[str] = tuple(EVENT_TOPICS)
) -> dict[tuple[str, int], tuple[int, int]]:
    """(first offset, next offset) of every partition, keyed by (topic, partition), in that order.

    next: as far as a reader of committed records gets, so before the first open transaction. A topic that
    does not exist has no rows. Their difference is no count of records: markers, aborted and compacted
    records take offsets too.
    """
    with admin(where) as client:
        return extent_of(client, topics)


def extent_of(client: KafkaAdminClient, topics: Iterable[str]) -> dict[tuple[str, int], tuple[int, int]]:
    """log_extent() over a connection that is there."""
    existing = existing_topics(client)
    places = [
        TopicPartition(name, partition) for name in topics for partition in range(existing.get(name, 0))
    ]
    if not places:
        return {}
    first = client.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST))
    after = client.list_partition_offsets(
        dict.fromkeys(places, OffsetSpec.LATEST), isolation_level=IsolationLevel.READ_COMMITTED
    )
    return {(place.topic, place.partition): (first[place].offset, after[place].offset) for place in places}


def topic_ids(where: Project | str, topics: Iterable[str] = tuple(EVENT_TOPICS)) -> dict[str, str]:
    """Kafka's own id of each topic; it changes when a topic is deleted and created again.

    A topic that does not exist, or a broker too old to have ids, has no row.
    """
    with admin(where) as client:
        return ids_of(client, topics)


def ids_of(client: KafkaAdminClient, topics: Iterable[str]) -> dict[str, str]:
    """topic_ids() over a connection that is there."""
    wanted = [name for name in topics if name in existing_topics(client)]
    found = client.describe_topics(wanted) if wanted else []
    ids = {topic["name"]: topic.get("topic_id") for topic in found}
    return {name: str(own) for name, own in ids.items() if own and str(own).strip("0-")}


def end_offsets(
    where: Project | str, topics: Iterable[str] = tuple(EVENT_TOPICS)
) -> dict[tuple[str, int], int]:
    """The next offset of every partition, keyed by (topic, partition)."""
    return {place: after for place, (_, after) in log_extent(where, topics).items()}


def holds_records(project: Project, spans: Mapping[tuple[str, int], tuple[int, int]]) -> bool:
    """Whether a committed record lies at any of these (first, next) offsets. There may be but markers,
    which no group commits past. Raises BatonError when Kafka does not answer in time."""
    ends = {TopicPartition(*place): end for place, (first, end) in spans.items() if first < end}
    if not ends:
        return False
    consumer = KafkaConsumer(**project.client_settings(), isolation_level="read_committed")
    try:
        consumer.assign(list(ends))
        for place in ends:
            consumer.seek(place, spans[(place.topic, place.partition)][0])
        deadline = time.monotonic() + LOOK_SECONDS
        while any(consumer.position(place) < end for place, end in ends.items()):
            if any(r.offset < ends[place] for place, found in consumer.poll(200).items() for r in found):
                return True
            if time.monotonic() > deadline:
                raise unreachable(project.bootstrap(), f"no record within {LOOK_SECONDS:.0f} s")
    finally:
        consumer.close()
    return False


def committed_offsets(where: Project | str, group: str = SINK_GROUP) -> dict[tuple[str, int], int]:
    """What a consumer group has committed to Kafka, keyed by (topic, partition); empty if it never did."""
    with admin(where) as client:
        # The first request about any group makes the broker create the offsets topic.
        for _ in range(50):
            try:
                found = client.list_group_offsets(group).get(group, {})
                break
            except CoordinatorNotAvailableError:
                time.sleep(0.2)
        else:
            found = client.list_group_offsets(group).get(group, {})
    return {
        (place.topic, place.partition): position.offset
        for place, position in found.items()
        if position.offset >= 0
    }
