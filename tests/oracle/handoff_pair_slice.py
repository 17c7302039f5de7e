"""The view handoff_pair_slice: how fast one team answers another, by dimension, in windows of every unit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tests.oracle import handoff_latency, handoff_sla
from tests.oracle.handoff_events import handoffs
from tests.oracle.log import Log, Row
from tests.oracle.percentiles import percentile
from tests.oracle.playbook import Playbook
from tests.oracle.slices import KEY as SLICE
from tests.oracle.slices import Slice, slices

KEY = (*SLICE, "from_team", "to_team")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per slice, window of the offer, and pair of teams."""
    owed = {
        row["handoff_id"]: row for row in handoff_sla.rows(log, playbook, as_of) if row["sla"] == "answer"
    }
    found: dict[tuple[Slice, str, str], list[Row]] = defaultdict(list)
    for latency in handoff_latency.rows(log, playbook, as_of):
        handoff = handoffs(log)[latency["handoff_id"]]
        for each in slices(log, playbook, handoff.lead_id, handoff.offered_at):
            found[each, handoff.from_team, handoff.to_team].append(latency)
    for (each, from_team, to_team), of_pair in found.items():
        timed = [row for row in of_pair if not row["is_clock_suspect"] and row["answered_at"] is not None]
        slas = [owed[row["handoff_id"]] for row in of_pair if row["handoff_id"] in owed]
        judged = sum(sla["outcome"] not in ("lapsed", "moot") and not sla["is_clock_suspect"] for sla in slas)
        due = sum(sla["is_due"] for sla in slas)
        minutes = [row["business_minutes"] for row in timed]
        yield {
            **each.row(),
            "from_team": from_team,
            "to_team": to_team,
            "offered": len(of_pair),
            "n": len(timed),
            "p50_minutes": percentile(minutes, 0.5),
            "p90_minutes": percentile(minutes, 0.9),
            "p95_minutes": percentile(minutes, 0.95),
            "p50_elapsed": percentile([row["elapsed_minutes"] for row in timed], 0.5),
            "clock_suspect": sum(row["is_clock_suspect"] for row in of_pair),
            "sla_judged": judged,
            "sla_due": due,
            "sla_past_due": sum(sla["is_past_due"] for sla in slas),
            "sla_kept_share": 1 - due / judged if judged else None,
        }
