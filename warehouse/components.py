"""Components: records that events name together, directly or through others, kept up with the log.

Merged records are in one component, for good.
"""

from __future__ import annotations

from functools import cache

import duckdb

from schemas.catalogue import CATALOGUE, EventType

# Columns by which an event names a record, and what kind of record it is.
LINKS = {
    "opportunity_id": "opportunity",
    "merged_opportunity_id": "opportunity",
    "handoff_id": "handoff",
    "previous_handoff_id": "handoff",
    "lead_id": "lead",
    "merged_lead_id": "lead",
    "unmerged_lead_id": "lead",
    "account_id": "account",
    "merged_account_id": "account",
}
# Records that one event names belong together: an edge from the first to each.
_EDGES = """
insert into edge
select distinct coalesce(one.component, names[1]) as one, coalesce(other.component, name) as other, name
from (select names, unnest(names) as name from news) as news
left join warehouse.component as one on one.record = names[1]
left join warehouse.component as other on other.record = name
"""
_LABELS = """
insert into label
select node, min(label) as label
from (
    select one as node, least(one, other) as label from edge
    union all
    select other, least(one, other) from edge
)
group by node
"""
# Each node takes the least label of its neighbours, and the label that its label has by now.
_SPREAD = """
insert into next_label
select node, min(label) as label
from (
    from label
    union all
    select edge.one, label.label from edge join label on label.node = edge.other
    union all
    select edge.other, label.label from edge join label on label.node = edge.one
    union all
    select label.node, further.label from label join label as further on further.node = label.label
)
group by node;
truncate label; insert into label from next_label; truncate next_label
"""
_SUM_OF_LABELS = "select coalesce(sum(hash(node, label)::hugeint), 0) from label"
_MOVED = """
insert into moved
select record, label as component from warehouse.component join label on node = component where label <> node
union all
select distinct name, label from edge join label on node = other
where name not in (select record from warehouse.component)
"""
# Temporary tables of joining; empty between two.
SCRATCH = {
    "news": "names varchar[]",
    "edge": "one varchar, other varchar, name varchar",
    "label": "node varchar, label varchar",
    "next_label": "node varchar, label varchar",
    "moved": "record varchar, component varchar",
}


@cache
def linked_events() -> tuple[EventType, ...]:
    """Event types that name a record: what stored views can follow from."""
    return tuple(event for event in CATALOGUE.facts if any(field["name"] in LINKS for field in event.fields))


def names_sql(event: EventType) -> str:
    """SQL: the records that an event names, in a list."""
    named = ", ".join(f"'{kind}:' || nullif({column}, '')" for column, kind in links_of(event).items())
    return f"list_filter([{named}], lambda name: name is not null)"


def links_of(event: EventType) -> dict[str, str]:
    """The columns by which an event names records: kind of record by column."""
    columns = {field["name"] for field in event.fields}
    return {column: kind for column, kind in LINKS.items() if column in columns}


def join_components(connection: duckdb.DuckDBPyConnection) -> None:
    """Give every record that the rows of `news` name its component; two that an event connects become one.

    `label` then holds the components that are concerned.
    """
    execute = connection.execute
    execute(_EDGES)
    execute(_LABELS)
    before, now = None, execute(_SUM_OF_LABELS).fetchall()
    while now != before:
        execute(_SPREAD)
        before, now = now, execute(_SUM_OF_LABELS).fetchall()
    execute(_MOVED)
    execute("delete from warehouse.component where record in (select record from moved)")
    execute("insert into warehouse.component from moved")
