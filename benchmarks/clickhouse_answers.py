"""The peer's answers: ClickHouse with the same rows per entity as Baton's read models, and the same
questions.

It is given what Baton has computed: one table for each read model that a question needs, sorted by its
entity. It has no playbook, so windows are months and the state of a handoff is the view's own expression.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.own_process import Measured

# Table -> its rows, as a SELECT over the warehouse, and what ClickHouse sorts them by.
TABLES: Mapping[str, tuple[str, str]] = {
    "latency": (
        "select handoff_id, from_team, to_team, answered_at, business_minutes, elapsed_minutes,"
        " is_clock_suspect from funnel.handoff_latency",
        "handoff_id",
    ),
    "owed": (
        "select handoff_id, is_clock_suspect, outcome, is_due, is_past_due from funnel.handoff_sla"
        " where sla = 'answer'",
        "handoff_id",
    ),
    "clock": (
        "select handoff_id, offered_at, opportunities, opportunities_lost, last_answer, is_recycled,"
        " disposition, acknowledged_at, attempts, reached_at, merged_at, is_arrived, outcome, used_us,"
        " at_risk_share, allowed_us from funnel.obligation_clock where sla = 'answer'",
        "handoff_id",
    ),
    "stage": (
        "select lead_id, position, entered_on, advanced_on, outcome, is_inferred, is_clock_suspect,"
        " epoch_us(advanced_at) - epoch_us(entered_at) as advanced_within_us from funnel.lead_stage",
        "lead_id",
    ),
    "journey": ("select * from funnel.lead_journey", "lead_id, position"),
}

QUESTIONS: Mapping[str, str] = {
    "pairs of teams with percentiles": """
        select from_team, to_team, count() as offered,
            countIf(answered_at is not null and not latency.is_clock_suspect),
            quantilesExactInclusiveIf(0.5, 0.9, 0.95)(business_minutes, not latency.is_clock_suspect
                and business_minutes is not null),
            quantileExactInclusiveIf(0.5)(elapsed_minutes, not latency.is_clock_suspect
                and elapsed_minutes is not null),
            countIf(latency.is_clock_suspect),
            countIf(not owed.is_clock_suspect and owed.outcome not in ('lapsed', 'moot')),
            countIf(owed.is_due), countIf(owed.is_past_due)
        from latency left join owed on owed.handoff_id = latency.handoff_id
        group by from_team, to_team order by offered desc""",
    "states of all handoffs": """
        select multiIf(
            opportunities > 0 and opportunities = opportunities_lost, 'lost', opportunities > 0, 'converted',
            last_answer = 'returned' and is_recycled, 'recycled',
            last_answer = 'returned' and disposition = 'disqualify', 'lost',
            last_answer = 'returned' and acknowledged_at is not null, 'returned_acknowledged',
            last_answer = 'returned', 'returned_unacknowledged',
            last_answer = 'accepted' and (attempts > 0 or reached_at is not null), 'being_worked',
            last_answer = 'accepted', 'accepted_untouched', reached_at is not null, 'being_worked',
            merged_at is not null, 'moot', not is_arrived, 'not_arrived', outcome = 'missed', 'past_due',
            used_us >= at_risk_share * allowed_us, 'at_risk', 'waiting') as state,
            count(), min(offered_at)
        from clock group by state""",
    "the funnel by window": """
        select position, toStartOfMonth(counted_on) as month, countIf(is_entry), countIf(is_inferred),
            countIf(outcome = 'advanced'), countIf(within <= 604800000000), countIf(within <= 1209600000000),
            countIf(within <= 2592000000000), countIf(within <= 7776000000000), countIf(outcome = 'lost'),
            countIf(outcome = 'returned'), countIf(outcome = 'elsewhere'), countIf(outcome = 'still_there'),
            countIf(not is_entry), countIf(is_clock_suspect)
        from (
            select position, entered_on as counted_on, true as is_entry, is_inferred, outcome,
                advanced_within_us as within, is_clock_suspect from stage
            union all
            select position, advanced_on, false, null, null, null, null from stage
            where advanced_on is not null
        ) group by position, month order by position, month""",
    "one lead's life": "select * from journey where lead_id = '{lead}' order by position",
}


def ask_clickhouse(folder: str, lead: str, asked: int) -> Measured:
    """Load the Parquet files of a folder, one for each table, and ask every question. Milliseconds."""
    from chdb import session

    found: Measured = {"p50": {}, "p95": {}}
    ask = session.Session(str(Path(folder) / "chdb")).query
    for table, (_, order) in TABLES.items():
        ask(
            f"create table {table} engine = MergeTree order by ({order})"
            f" settings allow_nullable_key = 1 as select * from file('{folder}/{table}.parquet')"
        )
        ask(f"optimize table {table} final")
    for question, statement in QUESTIONS.items():
        spent = sorted(_milliseconds(ask, statement.format(lead=lead)) for _ in range(asked))
        found["p50"][question] = spent[asked // 2]
        found["p95"][question] = spent[int(asked * 0.95)]
    return found


def _milliseconds(ask: object, statement: str) -> float:
    started = time.perf_counter()
    answer = ask(statement, "Arrow")  # type: ignore[operator]
    answer.bytes()
    return 1000 * (time.perf_counter() - started)
