"""`baton alerts test`: the rules about one handoff, on the recorded history of what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from kafka import KafkaConsumer, TopicPartition

from projections.alert_rules import HANDOFF_KINDS, AlertRule
from projections.alert_trial import RuleTrial, Tried, by_rule, try_rules
from projections.incidents import Obligation, obligation_of
from projections.playbook import Playbook
from schemas.catalogue import DERIVED_TOPIC
from schemas.codec import Failure
from schemas.errors import BatonError, ExitCode
from streams.kafka.names import names_of
from streams.kafka.registry import registry_lookup
from streams.kafka.topics import log_extent
from streams.project import Project
from streams.reactions.measurements import read_measured


def measured_obligations(project: Project) -> Iterator[Obligation]:
    """Everything that was ever measured of obligations, as Kafka holds it."""
    names, lookup = names_of(project), registry_lookup(project)
    extent = log_extent(project, [DERIVED_TOPIC])
    consumer = KafkaConsumer(**project.client_settings(), enable_auto_commit=False)
    try:
        left = {
            TopicPartition(*names.place(place)): end for place, (begin, end) in extent.items() if end > begin
        }
        consumer.assign(list(left))
        if left:
            consumer.seek_to_beginning(*left)
        while left:
            for records in consumer.poll(timeout_ms=1_000).values():
                for record in records:
                    found = read_measured(record.value, lookup)
                    if not isinstance(found, Failure) and "reached" in found:
                        yield obligation_of(found)
            left = {place: end for place, end in left.items() if consumer.position(place) < end}
    finally:
        consumer.close()


def try_on_history(
    project: Project, playbook: Playbook, since: datetime, rule_id: str | None = None
) -> tuple[list[RuleTrial], list[Tried]]:
    """How often each rule of a playbook would have fired since then, as if it had been in force all the time.
    Raises BatonError for a rule that is not there, or not about one handoff."""
    rules = [rule for rule in playbook.alerts if rule.kind in HANDOFF_KINDS]
    if rule_id is not None:
        rules = [rule for rule in rules if rule.id == rule_id]
    if not rules:
        raise _no_rule(playbook, rule_id)

    def rules_at(instant: datetime) -> list[AlertRule]:
        return rules

    tried = try_rules(measured_obligations(project), rules_at, datetime.now(UTC))
    return by_rule(tried, rules, since), [each for each in tried if each.opened_at >= since]


def _no_rule(playbook: Playbook, rule_id: str | None) -> BatonError:
    known = ", ".join(rule.id for rule in playbook.alerts if rule.kind in HANDOFF_KINDS)
    return BatonError(
        "There is no such rule about one handoff"
        if rule_id
        else "The playbook has no rule about one handoff",
        where=rule_id or playbook.name,
        why=f"known: {known or 'none'}",
        next_command="baton playbook check",
        exit_code=ExitCode.USAGE,
    )
