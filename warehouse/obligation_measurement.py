"""Measuring obligations: each one that came to be at risk or past due, and what becomes of it after that,
leaves as an ObligationMeasured event.

An obligation that was done in time is never mentioned. One that was mentioned is mentioned again whenever
what is known of it changes: it ended, its deadline moved, a late event shows that it was in time, or it is
no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import duckdb

from projections.projection import DERIVED_FOLDER, read_projection
from schemas.catalogue import CATALOGUE

OBLIGATIONS = read_projection(DERIVED_FOLDER / "obligation_measured.sql")
EVENT = CATALOGUE.event_types["ObligationMeasured"]

_KEY = ", ".join(OBLIGATIONS.key)
_FIELDS = [column.name for column in OBLIGATIONS.columns]
_INSTANTS = {name for name in _FIELDS if name.endswith("_at")}
_TYPES = {
    "episode": "integer",
    "allowed_minutes": "double",
    "late_minutes": "double",
    "is_withdrawn": "boolean",
    **dict.fromkeys(_INSTANTS, "timestamptz"),
}
_SAID = ", ".join(
    f"coalesce({f'epoch_us({name})' if name in _INSTANTS else name}::varchar, '')" for name in _FIELDS
)
_CONTENT = f"md5(concat_ws('|', {_SAID}))"
# By an instant: how far it came. Needs the moments, and the instant as_of.
_REACHED = "case when late_at < $as_of then 2 when at_risk_at <= $as_of then 1 else 0 end"
_NEW = """(sent_content is null and now_reached > 0 or sent_content <> content
    or sent_content = content and now_reached > sent_reached)"""

# The last that was sent of each obligation. content: of what; reached: how far it had come; version: when.
DDL = f"""
create table if not exists warehouse.obligation_sent (
    {", ".join(f"{name} {_TYPES.get(name, 'varchar')}" for name in _FIELDS)},
    content varchar, reached integer, version bigint, revision integer)
"""
# The last pass: of what read models, and what it left over.
PASS_DDL = """
create table if not exists warehouse.obligation_pass (refreshed_at timestamptz, remaining bigint)
"""
_PASSED = f"""
insert into warehouse.obligation_pass
select refreshed_at, (
    select count(*) from (select *, {_REACHED} as now_reached from obligation_watched) where {_NEW})
from warehouse.read_model
"""
_WATCHED = f"""
create or replace temp table obligation_watched as
select *, '' as content, '' as sent_content, 0 as sent_reached, 0::bigint as sent_version, 0 as sent_revision
from (select {", ".join(_FIELDS)} from warehouse.obligation_sent) limit 0
"""
_WATCH = f"""
create or replace temp table obligation_now_measured as
select *, {_CONTENT} as content from ({{select}});
delete from obligation_watched where handoff_id in ({{changed}});
insert into obligation_watched by name
select now.*, sent.content as sent_content, coalesce(sent.reached, 0) as sent_reached,
    coalesce(sent.version, 0) as sent_version, coalesce(sent.revision, 0) as sent_revision
from obligation_now_measured as now
left join warehouse.obligation_sent as sent using ({_KEY})
where sent.content is null and coalesce(now.at_risk_at, now.late_at) is not null
    or sent.content <> now.content
    or sent.content = now.content and sent.reached < case when now.late_at is not null then 2
        when now.at_risk_at is not null then 1 else 0 end;
insert into obligation_watched by name
select *, {_CONTENT} as content
from (
    select * exclude (content, reached, version, revision)
        replace ({{nothing}}, true as is_withdrawn),
        content as sent_content, reached as sent_reached, version as sent_version, revision as sent_revision
    from warehouse.obligation_sent as sent
    where handoff_id in ({{changed}})
        and not exists (from obligation_now_measured as now where {{same}})
)
where sent_content <> {_CONTENT};
drop table obligation_now_measured
"""
_NOTHING = ", ".join(
    f"null::{_TYPES.get(name, 'varchar')} as {name}"
    for name in ("due_at", "at_risk_at", "late_at", "ended_at", "ended", "late_minutes")
)
_SAME = " and ".join(f"now.{name} = sent.{name}" for name in OBLIGATIONS.key)
_TAKE = f"""
create or replace temp table obligation_taken as
select *,
    case when is_withdrawn then starts_at when ended_at is not null then ended_at
        when reached = 2 then late_at when reached = 1 then at_risk_at else starts_at end as occurred_at,
    md5(concat_ws('|', '{EVENT.name}', {_KEY}, content, reached, revision)) as event_id
from (
    select * exclude (now_reached, sent_content, sent_reached, sent_version, sent_revision),
        case when sent_content = content then greatest(now_reached, sent_reached)
            else now_reached end as reached,
        greatest(epoch_us($as_of::timestamptz), sent_version + 1) as version,
        sent_revision + 1 as revision
    from (select *, {_REACHED} as now_reached from obligation_watched)
    where {_NEW}
)
order by occurred_at, event_id limit $most
"""
_COLUMNS = ", ".join(
    f"epoch_us({field['name']}) as {field['name']}"
    if field["name"] in _INSTANTS | {"occurred_at"}
    else field["name"]
    for field in EVENT.fields
    if field["name"] not in ("recorded_at", "source")
)
_TAKEN = f"select {_COLUMNS} from obligation_taken order by epoch_us(occurred_at), event_id"
_NOTE = f"""
delete from warehouse.obligation_sent where ({_KEY}) in (select ({_KEY}) from obligation_taken);
insert into warehouse.obligation_sent by name select * exclude (occurred_at, event_id) from obligation_taken;
create or replace temp table obligation_left as
select watched.* replace (
    coalesce(taken.content, sent_content) as sent_content,
    coalesce(taken.reached, sent_reached) as sent_reached,
    coalesce(taken.version, sent_version) as sent_version,
    coalesce(taken.revision, sent_revision) as sent_revision)
from obligation_watched as watched
left join obligation_taken as taken using ({_KEY})
where taken.content is null or taken.reached < case when watched.late_at is not null then 2
    when watched.at_risk_at is not null then 1 else 0 end;
drop table obligation_watched;
alter table obligation_left rename to obligation_watched
"""
_NEXT = """
select min(case when at_risk_at > $as_of and sent_reached < 1 then at_risk_at
    when late_at >= $as_of and sent_reached < 2 then late_at end)
from obligation_watched
"""


def unsent_sql() -> str:
    """One SELECT: how many obligations the last pass left over; one more when no pass has looked at what the
    read models say now."""
    return """
        select coalesce(max(case when pass.refreshed_at = model.refreshed_at then remaining end), 1)
        from warehouse.obligation_pass as pass, warehouse.read_model as model
    """


class ObligationMeasurement:
    """Takes what is new of obligations, inside the transaction of a pass. What time alone changes waits in a
    temporary table."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def watch(self, select: str, changed: str | None) -> None:
        """Look at the obligations of the handoffs that may have changed. select: their rows. changed: SELECT
        of their handoff_id; None when it is all."""
        if changed is None:
            self.connection.execute(_WATCHED)
            changed = "select handoff_id from warehouse.obligation_sent"
        self.connection.execute(_WATCH.format(select=select, changed=changed, same=_SAME, nothing=_NOTHING))

    def take(self, as_of: datetime, most: int) -> Iterator[dict[str, Any]]:
        """What is new by as_of, at most so many, as records of ObligationMeasured without recorded_at and
        source. Noted as sent: to be called in the transaction that puts them into the outbox."""
        self.connection.execute(_TAKE, {"as_of": as_of, "most": most})
        rows = self.connection.execute(_TAKEN).fetchall()
        if rows:
            self.connection.execute(_NOTE)
        names = [field["name"] for field in EVENT.fields if field["name"] not in ("recorded_at", "source")]
        return (dict(zip(names, row, strict=True)) for row in rows)

    def next_at(self, as_of: datetime) -> datetime | None:
        """When time alone brings more. Ends the pass."""
        self.connection.execute("delete from warehouse.obligation_pass")
        self.connection.execute(_PASSED, {"as_of": as_of})
        [(next_at,)] = self.connection.execute(_NEXT, {"as_of": as_of}).fetchall()
        found: datetime | None = next_at
        return found
