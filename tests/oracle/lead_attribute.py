"""The view lead_attribute: the declared attributes of each lead, as first and as last stated."""

from __future__ import annotations

from collections.abc import Iterator

from streams.simulator.clock import iso
from tests.oracle.log import Fact, Log, Row
from tests.oracle.playbook import Playbook

KEY = ("lead_id", "name")
# In the order in which events of one instant count.
STATED_BY = {
    "LeadCaptured": "lead",
    "TouchRecorded": "touch",
    "LeadProfiled": "lead",
    "HandoffOffered": "lead",
}


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per lead and declared attribute that some event states."""
    order = list(STATED_BY)
    facts = sorted(log.of(*order), key=lambda f: (f.occurred_at, order.index(f.type), f.event_id))
    yield from stated("lead_id", facts, declared(playbook), STATED_BY)


def declared(playbook: Playbook) -> set[tuple[str, str]]:
    """The attributes of the playbook: (of what, name)."""
    return {(row["of"], row["name"]) for row in playbook.text.get("attribute", [])}


def stated(
    subject: str, in_order: list[Fact], known: set[tuple[str, str]], of: dict[str, str]
) -> Iterator[Row]:
    """One row per subject and attribute, from facts in the order in which they count."""
    found: dict[tuple[str, str], list[tuple[str, Fact]]] = {}
    for fact in in_order:
        for name, value in (fact.fields["attributes"] or {}).items():
            if (of[fact.type], name) in known and value and fact.fields[subject]:
                found.setdefault((fact.fields[subject], name), []).append((value, fact))
    for (owner, name), statements in found.items():
        (first, first_fact), (last, last_fact) = statements[0], statements[-1]
        yield {
            subject: owner,
            "name": name,
            "first_value": first,
            "first_said_at": iso(first_fact.occurred_at),
            "first_event_id": first_fact.event_id,
            "last_value": last,
            "last_said_at": iso(last_fact.occurred_at),
            "last_event_id": last_fact.event_id,
        }
