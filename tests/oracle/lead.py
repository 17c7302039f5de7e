"""The view lead: each lead with its account, its segment, and when it was first seen."""

from __future__ import annotations

from collections.abc import Iterator

from streams.simulator.clock import iso
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook
from tests.oracle.qualification import MAKES_A_LEAD, verdicts

KEY = ("lead_id",)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per lead that was seen; a lead that only deals name was not."""
    reports: dict[str, str] = {}
    for fact in log.of(*MAKES_A_LEAD):
        reports.setdefault(fact.fields["lead_id"], fact.fields["source"])
    for lead in (verdict.lead for verdict in verdicts(log, playbook, as_of)):
        if lead.first_seen_at is not None:
            yield {
                "lead_id": lead.lead_id,
                "account_id": lead.account_id,
                "segment": lead.segment,
                "first_seen_at": iso(lead.first_seen_at),
                "source_system": reports[lead.lead_id],
            }
