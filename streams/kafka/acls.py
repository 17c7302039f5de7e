"""What Baton may have to do on a cluster that checks permissions: the ACLs, with the project's prefix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streams.kafka.names import Names
from streams.kafka.topics import REACTION_GROUP, SINK_GROUP


@dataclass(frozen=True)
class Acl:
    """Operations allowed on what is called `name`, or on all whose names begin with it."""

    resource: str
    name: str
    is_prefix: bool
    operations: tuple[str, ...]
    why: str

    def command(self, principal: str) -> str:
        """Kafka's own command that allows it."""
        words = ["kafka-acls.sh", "--bootstrap-server", "HOST:PORT", "--add", "--allow-principal", principal]
        words += [part for operation in self.operations for part in ("--operation", operation)]
        words += [f"--{self.resource}"] + ([] if self.resource == "cluster" else [self.name])
        return " ".join(words + (["--resource-pattern-type", "prefixed"] if self.is_prefix else []))


def needed_acls(names: Names) -> Iterator[Acl]:
    """The permissions of the worker and of the commands. A publisher needs to write and describe only."""
    yield Acl(
        "topic",
        names.in_kafka("funnel."),
        True,
        ("Describe", "Read", "Write", "Create", "DescribeConfigs"),
        "reads and publishes events, and creates the topics that are missing",
    )
    yield Acl(
        "topic",
        names.in_kafka("funnel."),
        True,
        ("Alter", "AlterConfigs"),
        "only for baton up --repair-topics",
    )
    yield Acl(
        "topic",
        names.in_kafka(f"{REACTION_GROUP}-"),
        True,
        ("Describe", "Read", "Write", "Create"),
        "what the alerts keep for themselves",
    )
    yield Acl("group", names.in_kafka(REACTION_GROUP), False, ("Describe", "Read"), "the alerts' group")
    yield Acl(
        "group",
        names.in_kafka(SINK_GROUP),
        False,
        ("Describe", "Read"),
        "offsets for lag tools; without it the worker runs all the same",
    )
    yield Acl(
        "cluster",
        "kafka-cluster",
        False,
        ("Describe",),
        "baton doctor compares clocks with the quorum's leader; without it it does not",
    )
