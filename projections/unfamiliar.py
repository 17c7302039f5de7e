"""Words of an event that the playbook does not know: taken, since it may follow, and warned of at once."""

from __future__ import annotations

from collections.abc import Iterator

from projections.attributes import EVENTS
from projections.goals import METRICS
from projections.playbook import Playbook
from schemas.catalogue import EventType
from schemas.field_checks import not_one_of, shown
from schemas.validation import Record

# Many companies hand leads to partners. No mistake of theirs is in that, so the word says what becomes of it.
_ELSEWHERE = "; a lead handed to a team outside it counts as handed elsewhere"
_TEAMS = ("team", "from_team", "to_team", "owner_team", "opened_by_team")


def unfamiliar(event: EventType, record: Record, playbook: Playbook) -> Iterator[tuple[str, str]]:
    """(field, why) for each word that no number will find, with the one that was probably meant."""
    if event.name == "PlaybookSigned":  # signed by a side, not by a team
        return
    teams = {team.id for team in playbook.teams}
    for name in _TEAMS:
        said = record.get(name)
        if said is not None and said not in teams:
            why = not_one_of(said, "a team of the playbook", teams)
            yield name, why + (_ELSEWHERE if event.name == "HandoffOffered" and name == "to_team" else "")
    if event.name == "GoalSet" and record["metric"] not in METRICS:
        yield "metric", not_one_of(record["metric"], "a metric with an actual", METRICS)
    yield from _attributes(event, record, playbook)


def _attributes(event: EventType, record: Record, playbook: Playbook) -> Iterator[tuple[str, str]]:
    kind = next((of for of, names in EVENTS.items() if event.name in names), "")
    declared = {attribute.name: attribute.values for attribute in playbook.attributes if attribute.of == kind}
    for said in record.get("attributes", ()):
        name, value = said["name"], said["value"]
        if name not in declared:
            yield (
                "attributes",
                (
                    not_one_of(name, f"an attribute of a {kind} in the playbook", declared)
                    if declared
                    else f"{shown(name)} is not declared: the playbook has no [[attribute]] of a {kind}"
                ),
            )
        elif value and declared[name] and value not in declared[name]:
            yield f"attributes.{name}", not_one_of(value, "a value that the playbook lists", declared[name])
