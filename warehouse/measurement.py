"""Measuring: each moment of a handoff, once known, leaves as a HandoffMeasured event through the outbox, and
what is owed on it as ObligationMeasured (obligation_measurement.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from projections.projection import Projection
from projections.relations import selected
from projections.sql_literal import sql_literal
from schemas.catalogue import CATALOGUE
from schemas.codec import encode
from warehouse import obligation_measurement as obligations
from warehouse.layout import stored_tables
from warehouse.read_models import ReadModels, unread_sql
from warehouse.scope import MEASURED

SOURCE = "baton"
MOST_PER_PASS = 20_000
ROWS_AT_A_TIME = 2_000

_CLOCK, _DEADLINE = "funnel.obligation_clock", "funnel.obligation_deadline"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EVENT = CATALOGUE.event_types["HandoffMeasured"]
_INSTANTS = {"occurred_at", "recorded_at", "offered_at", "due_at"}

_UNSENT = "event_id not in (select message_id from warehouse.outbox)"
# What is measurable and waits: for its deadline, or for the next pass.
_MEASURABLE = f"create or replace temp table measurable as from ({{select}}) where {_UNSENT}"
_REMEASURED = f"""
delete from measurable where handoff_id in (from changed_handoff);
insert into measurable from ({{select}}) where {_UNSENT}
"""
_COLUMNS = ", ".join(
    f"epoch_us({field['name']}) as {field['name']}" if field["name"] in _INSTANTS else field["name"]
    for field in _EVENT.fields
)
_TAKE = f"""
create or replace temp table taken as
select *, $as_of::timestamptz as recorded_at, '{SOURCE}' as source
from measurable
where not is_open or in_time_until_at < $as_of
order by occurred_at, event_id limit $most
"""
_TAKEN = f"""
select
    json_object('ce_specversion', '1.0', 'content-type', 'application/avro', 'ce_id', event_id,
                'ce_source', source, 'ce_type', '{_EVENT.name}',
                'ce_time', strftime(occurred_at, '%Y-%m-%dT%H:%M:%S.%f+00:00'))::varchar as headers,
    {_COLUMNS}
from taken
"""
_NEXT_DEADLINE = "select min(in_time_until_at) from measurable where is_open and in_time_until_at >= $as_of"


def waiting_sql() -> str:
    """One SELECT: measurements not in the outbox yet, messages not sent, events not in the read models."""
    return f"""
        select
            (select count(*) from ({MEASURED.select})
             where event_id not in (select message_id from warehouse.outbox)
               and (not is_open or in_time_until_at < (select as_of from warehouse.as_of)))
                + ({obligations.unsent_sql()}) as unmeasured,
            (select count(*) from warehouse.outbox where not is_sent) as unsent,
            ({unread_sql()}) as unread
        """


def _clocks(as_of: datetime, is_all: bool) -> str:
    """SQL: the obligations of all handoffs, or of the changed ones."""
    deadlines = stored_tables()[_DEADLINE]
    changed = f"(from {deadlines} where handoff_id in (from changed_handoff))"
    instead = {**stored_tables(), _DEADLINE: deadlines if is_all else changed}
    select = f"create or replace temp table obligation_now as from {_CLOCK}"
    query = selected((_CLOCK,), sql_literal(as_of), f"from {_CLOCK}", instead=instead)
    return select.replace(f"from {_CLOCK}", query)


def _over_clocks(projection: Projection, as_of: datetime) -> str:
    """SQL: a derived SELECT over those obligations."""
    return projection.over({_CLOCK: "obligation_now"}).evaluated(sql_literal(as_of))


@dataclass(frozen=True)
class Measured:
    """What one pass did. is_all: nothing was left over. next_at: when time alone brings more."""

    added: int
    is_all: bool
    as_of: datetime
    next_at: datetime | None


class Measurement:
    """Adds what has become measurable to the outbox. Idempotent.

    The first pass looks at every handoff, each later one at those whose read models were refreshed since.
    What is measurable and not in the outbox waits in a temporary table: deadlines to come, and leftovers.
    """

    def __init__(self, read_models: ReadModels, most: int = MOST_PER_PASS) -> None:
        """`most`: rows of one pass, which bounds its memory; what is left over goes with the next one."""
        self.read_models = read_models
        self.connection = read_models.connection
        self.most = most
        self._is_first = True
        self._obligations = obligations.ObligationMeasurement(self.connection)

    def measure(self) -> Measured:
        """One pass, one transaction: what is measurable and not yet in the outbox goes there.

        The read models are brought up to date before.
        """
        refreshed = self.read_models.refresh()
        as_of = refreshed.as_of
        execute = self.connection.execute
        is_all = self._is_first or self.read_models.is_all_changed
        execute("begin")
        try:
            # 1. what is measurable of the handoffs that may have changed
            if is_all or execute("from changed_handoff limit 1").fetchall():
                execute(_clocks(as_of, is_all))
                moments = _over_clocks(MEASURED, as_of)
                execute((_MEASURABLE if is_all else _REMEASURED).format(select=moments))
                owed = _over_clocks(obligations.OBLIGATIONS, as_of)
                self._obligations.watch(owed, None if is_all else "from changed_handoff")
                execute("truncate changed_handoff; drop table obligation_now")
            # 2. of all that waits: what has happened by now
            execute(_TAKE, {"as_of": as_of, "most": self.most})
            execute(_TAKEN)
            moved = pa.Table.from_batches(self._messages(), _OUTBOX)
            owing = pa.Table.from_pylist(self._states(as_of, self.most - moved.num_rows), _OUTBOX)
            # 3. into the outbox, as messages
            messages = pa.concat_tables([moved, owing])
            if messages.num_rows:
                self.connection.register("messages", messages)
                execute("insert into warehouse.outbox by name select *, false as is_sent from messages")
                self.connection.unregister("messages")
                execute("delete from measurable where event_id in (select event_id from taken)")
            [(next_deadline_at,)] = execute(_NEXT_DEADLINE, {"as_of": as_of}).fetchall()
            next_state_at = self._obligations.next_at(as_of)
            execute("commit")
        except BaseException:
            self._is_first = True
            with suppress(duckdb.Error):  # the first error says what happened
                execute("rollback")
            raise
        self._is_first = self.read_models.is_all_changed = False
        due = [at for at in (next_deadline_at, next_state_at, refreshed.next_at) if at is not None]
        return Measured(messages.num_rows, messages.num_rows < self.most, as_of, min(due, default=None))

    def _states(self, as_of: datetime, most: int) -> list[dict[str, Any]]:
        """What is new of obligations, as messages."""
        recorded_us = (as_of - _EPOCH) // timedelta(microseconds=1)
        return [
            {
                "message_id": row["event_id"],
                "topic": obligations.EVENT.topic,
                "key": row[obligations.EVENT.key].encode(),
                "headers": _headers(row),
                "value": encode(obligations.EVENT, {**row, "recorded_at": recorded_us, "source": SOURCE}),
            }
            for row in self._obligations.take(as_of, most)
        ]

    def _messages(self) -> Iterator[pa.RecordBatch]:
        names = [column[0] for column in self.connection.description or []]
        while rows := self.connection.fetchmany(ROWS_AT_A_TIME):
            messages = [_message(dict(zip(names, row, strict=True))) for row in rows]
            yield pa.RecordBatch.from_pylist(messages, _OUTBOX)


_OUTBOX = pa.schema(
    [
        ("message_id", pa.string()),
        ("topic", pa.string()),
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("headers", pa.string()),
    ]
)


def _headers(row: dict[str, Any]) -> str:
    """CloudEvents headers of an obligation, as the outbox keeps them."""
    occurred_at = _EPOCH + timedelta(microseconds=row["occurred_at"])
    return json.dumps(
        {
            "ce_specversion": "1.0",
            "content-type": "application/avro",
            "ce_id": row["event_id"],
            "ce_source": SOURCE,
            "ce_type": obligations.EVENT.name,
            "ce_time": occurred_at.isoformat(timespec="microseconds"),
        }
    )


def _message(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "message_id": row["event_id"],
        "topic": _EVENT.topic,
        "key": row[_EVENT.key].encode(),
        "headers": row.pop("headers"),
        "value": encode(_EVENT, row),
    }
