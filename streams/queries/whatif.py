"""What-if: a proposed playbook against the one in force, over the same recorded events."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from projections.playbook import Playbook
from projections.projection import DERIVED_FOLDER, VIEWS_FOLDER, read_projection
from projections.sql_literal import sql_literal
from schemas.limits import EARLIEST
from warehouse.authority import Authority
from warehouse.layout import live_as_of
from warehouse.recorded_log import RecordedLog
from warehouse.warehouse import Warehouse

_EFFECT = read_projection(DERIVED_FOLDER / "playbook_effect.sql")
# The views that are compared.
VIEWS = ("handoff_sla", "lead_outcome", "lead_criterion")
# (measure, whom) -> (value, n, unit)
Effect = Mapping[tuple[str, str], tuple[Any, ...]]
_CHANGED = """
    create table changed as
    select coalesce(before.lead_id, after.lead_id) as lead_id,
        coalesce(after.is_qualified, false) as is_gained,
        coalesce(after.qualified_at, before.qualified_at) as qualified_at
    from {before}.funnel.lead_verdict as before
    full join funnel.lead_verdict as after using (lead_id)
    where coalesce(before.is_qualified, false) <> coalesce(after.is_qualified, false)
        and coalesce(after.qualified_at, before.qualified_at) >= $since
"""
# A lead's criteria depend on that lead only, so they are evaluated for the lost leads alone.
_LOST = """
    create table lost as
    from funnel.lead_verdict where lead_id in (select lead_id from changed where not is_gained)
"""
_CRITERION = read_projection(VIEWS_FOLDER / "lead_criterion.sql").over({"funnel.lead_verdict": "lost"})
_MISSING = f"""
    select lead_id, list(criterion order by position)
    from ({_CRITERION.evaluated(live_as_of())})
    where is_required and not is_met
    group by lead_id
"""


# The label of each measure in printed tables.
WORDS = {
    "qualified": "leads qualified",
    "qualified_per_week": "qualified leads per week to answer",
    "held_back": "offers recycled as not qualified yet",
    "precision_at_acceptance": "precision at acceptance",
    "precision_at_win": "precision at win",
    "recall": "recall",
    "missed_value": "booked on wins it missed",
    "expected_revenue": "expected revenue",
    "owed": "obligations with a deadline",
    "late": "obligations ever late",
}
LEADS_SHOWN = 5


@dataclass(frozen=True)
class Measure:
    """One measure under both playbooks; None where there are no cases. n: cases each rests on."""

    measure: str
    whom: str
    unit: str
    in_force: Decimal | None
    proposed: Decimal | None
    n_in_force: int
    n_proposed: int

    @property
    def change(self) -> Decimal | None:
        """Proposed less in force."""
        if self.in_force is None or self.proposed is None:
            return None
        return self.proposed - self.in_force


@dataclass(frozen=True)
class Change:
    """A lead on which the playbooks disagree. missing: unmet criteria of the proposed playbook that are new
    or changed; it met the unchanged ones when it qualified."""

    lead_id: str
    is_gained: bool
    qualified_at: datetime
    missing: tuple[str, ...]


@dataclass(frozen=True)
class WhatIf:
    """The comparison. events: records evaluated again, duplicates included."""

    in_force: str
    proposed: str
    as_of: datetime
    since: datetime | None
    currency: str
    events: int
    measures: list[Measure]
    changes: list[Change]

    def as_dict(self) -> dict[str, Any]:
        """The same for `--json`."""
        measures = [asdict(measure) | {"change": measure.change} for measure in self.measures]
        return asdict(self) | {"measures": measures}

    def value(self, measure: str, whom: str = "all") -> Measure:
        """One of the measures."""
        return next(m for m in self.measures if (m.measure, m.whom) == (measure, whom))


def compare(
    records: RecordedLog,
    in_force: Playbook,
    proposed: Playbook,
    as_of: datetime,
    since: datetime | None = None,
) -> WhatIf:
    """Both playbooks over all records; measures count what happened from `since` on.

    Each is applied to the whole history, as if it had been in force from the first day: what differs is the
    playbook alone. The live tables are only read.
    """
    start = since or EARLIEST
    before, after = records.snapshots((Authority(in_force), Authority(proposed)), as_of=as_of)
    with ThreadPoolExecutor(3) as pool:
        new = _changed_criteria(in_force, proposed)
        changes = pool.submit(_changes, before, after, new, start)
        was, would_be = pool.map(lambda look: _effect(look, start), (before, after))
    ((version, currency),) = before.connection.execute(
        "select playbook_version, currency from playbook.version"
    ).fetchall()
    return WhatIf(
        in_force=version,
        proposed=proposed.version,
        as_of=as_of,
        since=since,
        currency=currency,
        events=records.count(),
        measures=_measures(was, would_be),
        changes=changes.result(),
    )


def sentences(found: WhatIf) -> list[str]:
    """What changes, in sentences for a meeting."""
    gained = [change for change in found.changes if change.is_gained]
    lost = [change for change in found.changes if not change.is_gained]
    lines = []
    if not found.changes:
        lines.append("Both playbooks qualify the same leads.")
    if gained:
        lines.append(f"{len(gained):,} leads would qualify that did not: {_some(gained)}.")
    if lost:
        reasons: dict[str, int] = {}
        for change in lost:
            for criterion in change.missing:
                reasons[criterion] = reasons.get(criterion, 0) + 1
        why = ", ".join(f"{name} {count:,}" for name, count in sorted(reasons.items(), key=lambda r: -r[1]))
        lines.append(
            f"{len(lost):,} leads would no longer qualify: {_some(lost)}. What they lack: {why or 'time'}."
        )
    for measure in found.measures:
        if measure.measure == "late" and measure.change:
            more = "more" if measure.change > 0 else "fewer"
            whom = measure.whom.replace("_", " ")
            lines.append(f"{whom} would have been late {abs(measure.change):,.0f} times {more}.")
    return lines


def _some(changes: list[Change]) -> str:
    names = ", ".join(change.lead_id for change in changes[:LEADS_SHOWN])
    return names + (", ..." if len(changes) > LEADS_SHOWN else "")


def _effect(look: Warehouse, since: datetime) -> Effect:
    select = _EFFECT.evaluated(live_as_of(), since=sql_literal(since))
    rows = look.connection.execute(f"select * from ({select}) order by position, whom").fetchall()
    return {(measure, whom): (value, n, unit) for _, measure, whom, value, n, unit in rows}


def _measures(before: Effect, after: Effect) -> list[Measure]:
    nothing = (None, 0, "")
    found = []
    for measure, whom in {**before, **after}:
        (was, n_was, unit), (would_be, n_would_be, other) = (
            side.get((measure, whom), nothing) for side in (before, after)
        )
        found.append(Measure(measure, whom, unit or other, was, would_be, n_was, n_would_be))
    return found


def _changed_criteria(in_force: Playbook, proposed: Playbook) -> set[str]:
    return {c.id for c in proposed.definition.criteria if c not in in_force.definition.criteria}


def _changes(before: Warehouse, after: Warehouse, new: set[str], since: datetime) -> list[Change]:
    execute = after.cursor().execute
    execute(_CHANGED.format(before=before.database), {"since": since})
    rows = execute("select * from changed order by qualified_at, lead_id").fetchall()
    missing: dict[str, list[str]] = {}
    if new and not all(is_gained for _, is_gained, _ in rows):
        execute(_LOST)
        missing = dict(execute(_MISSING).fetchall())
    return [
        Change(lead_id, is_gained, at, tuple(c for c in missing.get(lead_id) or () if c in new))
        for lead_id, is_gained, at in rows
    ]
