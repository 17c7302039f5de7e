"""The view sla_kept: how often each side keeps what it owes, by dimension, in windows of every unit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tests.oracle.log import Log, Row
from tests.oracle.obligation import Obligation, obligations
from tests.oracle.playbook import Playbook
from tests.oracle.slices import KEY as SLICE
from tests.oracle.slices import Slice, slices

KEY = (*SLICE, "sla", "owed_by")
OUTCOMES = ("met", "missed", "open", "lapsed", "moot")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per slice, window in which it began, SLA and team that owed it."""
    found: dict[tuple[Slice, str, str], list[Obligation]] = defaultdict(list)
    for owed in obligations(log, playbook, as_of):
        team = owed.handoff.to_team if owed.sla.is_owed_by_receiver else owed.handoff.from_team
        for each in slices(log, playbook, owed.handoff.lead_id, owed.starts_at):
            found[each, owed.sla.id, team].append(owed)
    for (each, sla, team), of_slice in found.items():
        judged = [owed for owed in of_slice if not owed.is_clock_suspect]
        counts = {outcome: sum(owed.outcome == outcome for owed in judged) for outcome in OUTCOMES}
        decided = counts["met"] + counts["missed"] + counts["open"]
        yield {
            **each.row(),
            "sla": sla,
            "owed_by": team,
            "owed": len(of_slice),
            **counts,
            "past_due": sum(owed.outcome == "missed" and owed.ended_at is None for owed in judged),
            "clock_suspect": len(of_slice) - len(judged),
            "kept_share": 1 - counts["missed"] / decided if decided else None,
        }
