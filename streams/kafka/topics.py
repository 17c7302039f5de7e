"""The topics: their names, required settings, and the offsets of each partition.

Everything is rebuilt from events, so their topics keep everything forever.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec
from kafka.errors import CoordinatorNotAvailableError, KafkaError, TopicAlreadyExistsError, for_code
from kafka.protocol.consumer.offsets import IsolationLevel

from schemas.errors import BatonError, ExitCode
from streams.kafka.admin import admin, unreachable
from streams.kafka.names import Names, names_of
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
DAY_MS = 86_400_000

# The group the sink commits its offsets under. For lag tools only: the warehouse's own offsets decide.
SINK_GROUP = "baton-sink"

# Faust's consumer group, and the first part of the names of its own topics.
REACTION_GROUP = "baton-reaction"
OVERDUE_BY_PAIR = f"{REACTION_GROUP}-overdue-by-pair"
OBLIGATIONS_BY_HANDOFF = f"{REACTION_GROUP}-obligations-by-handoff"
ALERTS_BY_ID = f"{REACTION_GROUP}-alerts-by-id"
# What the agents forward to each other.
FORWARDED = (OVERDUE_BY_PAIR, OBLIGATIONS_BY_HANDOFF, ALERTS_BY_ID)
# The playbooks in force, for agents beside the worker that knows them.
RULES_TOPIC = f"{REACTION_GROUP}-rules"

LOOK_SECONDS = 20.0

REPAIR_COMMAND = "baton up --repair-topics"


@dataclass(frozen=True)
class TopicFault:
    """What Baton needs otherwise of an existing topic. setting: 'partitions', 'replicas' or the name of a
    configuration."""

    topic: str
    setting: str
    found: str
    needed: str

    @property
    def consequence(self) -> str:
        """What the setting does to the numbers."""
        if self.setting == "partitions":
            return "works, but load spreads over fewer partitions"
        if self.setting in ("replicas", "min.insync.replicas"):
            return "a broker that is lost may take acknowledged events with it"
        if self.setting == "cleanup.policy":
            return "compaction deletes earlier events of the same key: numbers cannot be rebuilt"
        return "Kafka deletes old events: numbers cannot be rebuilt, and what-if lacks history"

    @property
    def repair(self) -> str:
        """The command that repairs it."""
        if self.setting == "replicas":
            return "kafka-reassign-partitions.sh   (Kafka's own tool; Baton moves no replicas)"
        return REPAIR_COMMAND

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.found}, needed {self.needed} ({self.consequence})"


@dataclass(frozen=True)
class TopicReport:
    """What ensure_topics found: topics created now, topics that existed, and their wrong settings."""

    created: tuple[str, ...]
    existing: tuple[str, ...]
    faults: tuple[TopicFault, ...]


@dataclass(frozen=True)
class Needs:
    """What the settings ask of every topic: its configuration, and its replicas (None: the cluster's)."""

    configs: Mapping[str, str]
    replicas: int | None = None


def needs_of(where: Project | str) -> Needs:
    """What a project's settings ask; bare bootstrap servers ask for the least."""
    if not isinstance(where, Project):
        return Needs(KEPT_FOREVER)
    configs = dict(KEPT_FOREVER)
    if where.retention_days is not None:
        configs["retention.ms"] = str(where.retention_days * DAY_MS)
    if where.min_insync_replicas is not None:
        configs["min.insync.replicas"] = str(where.min_insync_replicas)
    return Needs(configs, where.replication)


def ensure_topics(where: Project | str) -> TopicReport:
    """Create every missing topic and check those that exist. Idempotent; changes no existing topic.

    Raises BatonError when Kafka refuses to create one.
    """
    names, needs = names_of(where), needs_of(where)
    with admin(where) as client:
        existing = own_topics(client, names)
        missing = {name: count for name, count in PARTITIONS.items() if name not in existing}
        in_kafka = {names.in_kafka(name): count for name, count in missing.items()}
        create_topics(client, in_kafka, needs.configs, replicas=needs.replicas)
        present = {name: existing[name] for name in PARTITIONS if name in existing}
        return TopicReport(tuple(missing), tuple(present), topic_faults(client, present, names, needs))


def existing_topics(client: KafkaAdminClient) -> dict[str, int]:
    """Number of partitions of every topic on the cluster, by name."""
    return {topic["name"]: len(topic["partitions"]) for topic in client.describe_topics()}


def own_topics(client: KafkaAdminClient, names: Names) -> dict[str, int]:
    """Number of partitions of every topic that has the prefix, by Baton's name."""
    found = existing_topics(client).items()
    return {names.own(name): count for name, count in found if name.startswith(names.prefix)}


def create_topics(
    client: KafkaAdminClient,
    partitions: Mapping[str, int],
    settings: Mapping[str, str] = KEPT_FOREVER,
    replicas: int | None = None,
) -> None:
    """Create topics, by their names in Kafka, and wait until each partition has a leader. By default they
    keep everything forever, with as many replicas as the cluster gives.

    A topic created concurrently is fine. Raises BatonError when Kafka refuses to create one.
    """
    if not partitions:
        return
    given = {"configs": dict(settings)} | ({} if replicas is None else {"replication_factor": replicas})
    answer = client.create_topics(
        {name: {"num_partitions": n, **given} for name, n in partitions.items()}, raise_errors=False
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
    client.wait_for_topics(list(partitions), timeout_ms=60_000)


def topic_faults(
    client: KafkaAdminClient, found: Mapping[str, int], names: Names, needs: Needs
) -> tuple[TopicFault, ...]:
    """The wrong settings of these existing topics ({name: partitions}). More of anything is fine."""
    if not found:
        return ()
    resources = [ConfigResource(ConfigResourceType.TOPIC, names.in_kafka(name)) for name in found]
    configs = client.describe_configs(resources, config_filter="all")["topic"]
    replicas = _replicas(client, [names.in_kafka(name) for name in found])
    faults = []
    for name, count in found.items():
        if count < PARTITIONS[name]:
            faults.append(TopicFault(name, "partitions", str(count), str(PARTITIONS[name])))
        if needs.replicas is not None and replicas[names.in_kafka(name)] < needs.replicas:
            has = str(replicas[names.in_kafka(name)])
            faults.append(TopicFault(name, "replicas", has, str(needs.replicas)))
        for setting, needed in needs.configs.items():
            value = str(configs[names.in_kafka(name)][setting]["value"])
            if not _is_enough(value, needed):
                faults.append(TopicFault(name, setting, value, needed))
    return tuple(faults)


def _is_enough(value: str, needed: str) -> bool:
    """Keeping events longer, or on more replicas, is enough; -1 is without limit."""
    is_number = needed.isdigit() and value.removeprefix("-").isdigit()
    return value == needed or (is_number and (int(value) == -1 or int(value) >= int(needed)))


def _replicas(client: KafkaAdminClient, names: Sequence[str]) -> dict[str, int]:
    """The replicas of each topic: of the partition that has the fewest."""
    return {
        topic["name"]: min(len(partition["replica_nodes"]) for partition in topic["partitions"])
        for topic in client.describe_topics(list(names))
    }


def repair_topics(where: Project | str, faults: Sequence[TopicFault]) -> None:
    """Apply the required settings. Events that Kafka has already deleted do not come back.

    Added partitions move some keys to another partition: harmless here, as no number depends on order.
    """
    names = names_of(where)
    configs: dict[str, dict[str, str]] = {}
    partitions: dict[str, int] = {}
    for fault in faults:
        topic = names.in_kafka(fault.topic)
        if fault.setting == "partitions":
            partitions[topic] = int(fault.needed)
        elif fault.setting != "replicas":
            configs.setdefault(topic, {})[fault.setting] = fault.needed
    with admin(where) as client:
        change_topics(client, configs, partitions)


def change_topics(
    client: KafkaAdminClient,
    configs: Mapping[str, Mapping[str, str]],
    partitions: Mapping[str, int] | None = None,
) -> None:
    """Set configurations and numbers of partitions, by names in Kafka, and wait until the broker shows
    them: its controller answers before the brokers know. Idempotent. Raises BatonError when Kafka refuses,
    or does not show them within LOOK_SECONDS."""
    partitions = partitions or {}
    has = existing_topics(client) if partitions else {}
    more = {topic: count for topic, count in partitions.items() if has.get(topic, 0) < count}
    if more:
        try:
            client.create_partitions(more)
        except KafkaError as error:
            raise _unchanged(", ".join(more), f"{type(error).__name__}: {error}", ["partitions"]) from error
    if configs:
        kind = ConfigResourceType.TOPIC
        outcomes = client.alter_configs([ConfigResource(kind, name, dict(c)) for name, c in configs.items()])
        for topic, outcome in outcomes["topic"].items():
            if outcome != "OK":
                raise _unchanged(topic, outcome, configs[topic])
    deadline = time.monotonic() + LOOK_SECONDS
    while late := _not_shown(client, configs, more):
        if time.monotonic() > deadline:
            raise _unchanged(
                late, f"not shown within {LOOK_SECONDS:.0f} s", configs.get(late, ["partitions"])
            )
        time.sleep(0.1)


def _not_shown(
    client: KafkaAdminClient, configs: Mapping[str, Mapping[str, str]], partitions: Mapping[str, int]
) -> str | None:
    """A topic that the broker does not yet show as it was set; None if there is none."""
    has = existing_topics(client) if partitions else {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in configs]
    shown = client.describe_configs(resources, config_filter="all")["topic"] if resources else {}
    late = [topic for topic, count in partitions.items() if has.get(topic, 0) < count]
    for topic, values in configs.items():
        found = {setting: str(shown[topic][setting]["value"]) for setting in values}
        if any(_plain(found[setting]) != _plain(value) for setting, value in values.items()):
            late.append(topic)
    return late[0] if late else None


def _plain(setting: str) -> str | Decimal:
    """A setting so that two ways to write it are equal: Kafka shows 0.50 as 0.5, and TRUE as true."""
    with suppress(InvalidOperation):
        return Decimal(setting)
    return ",".join(part.strip() for part in setting.lower().split(","))


def _unchanged(topic: str, why: str, settings: Iterable[str]) -> BatonError:
    return BatonError(
        "Kafka did not change a topic's settings",
        where=topic,
        why=why,
        next_command=f"baton doctor   (ask the cluster's administrator to set {', '.join(settings)})",
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
        return extent_of(client, topics, names_of(where))


def extent_of(
    client: KafkaAdminClient, topics: Iterable[str], names: Names
) -> dict[tuple[str, int], tuple[int, int]]:
    """log_extent() over a connection that is there."""
    existing = own_topics(client, names)
    places = [
        TopicPartition(names.in_kafka(name), partition)
        for name in topics
        for partition in range(existing.get(name, 0))
    ]
    if not places:
        return {}
    first = client.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST))
    after = client.list_partition_offsets(
        dict.fromkeys(places, OffsetSpec.LATEST), isolation_level=IsolationLevel.READ_COMMITTED
    )
    return {names.own_place(place): (first[place].offset, after[place].offset) for place in places}


def topic_ids(where: Project | str, topics: Iterable[str] = tuple(EVENT_TOPICS)) -> dict[str, str]:
    """Kafka's own id of each topic; it changes when a topic is deleted and created again.

    A topic that does not exist, or a broker too old to have ids, has no row.
    """
    with admin(where) as client:
        return ids_of(client, topics, names_of(where))


def ids_of(client: KafkaAdminClient, topics: Iterable[str], names: Names) -> dict[str, str]:
    """topic_ids() over a connection that is there."""
    existing = own_topics(client, names)
    wanted = [names.in_kafka(name) for name in topics if name in existing]
    found = client.describe_topics(wanted) if wanted else []
    ids = {names.own(topic["name"]): topic.get("topic_id") for topic in found}
    return {name: str(own) for name, own in ids.items() if own and str(own).strip("0-")}


def holds_records(project: Project, spans: Mapping[tuple[str, int], tuple[int, int]]) -> bool:
    """Whether a committed record lies at any of these (first, next) offsets. There may be but markers,
    which no group commits past. Raises BatonError when Kafka does not answer in time."""
    names = names_of(project)
    asked = {TopicPartition(*names.place(place)): span for place, span in spans.items() if span[0] < span[1]}
    ends = {place: end for place, (_, end) in asked.items()}
    if not ends:
        return False
    consumer = KafkaConsumer(**project.client_settings(), isolation_level="read_committed")
    try:
        consumer.assign(list(ends))
        for place in ends:
            consumer.seek(place, asked[place][0])
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
    names = names_of(where)
    group = names.in_kafka(group)
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
    return {names.own_place(place): p.offset for place, p in found.items() if p.offset >= 0}
