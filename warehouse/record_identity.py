"""The table of merged records: which one each counts as, and since when. Its SELECT is a derived projection.

Every number resolves merged records, so what a merge means is computed when it is committed and not when
somebody asks. Rows are periods of event time: at any as-of, what held then is found.
"""

from __future__ import annotations

import duckdb

from projections.resolved_facts import IDENTITY, IDENTITY_SELECT

# Tables of facts that change it.
MERGE_FACTS = frozenset(IDENTITY_SELECT.fact_tables)
DDL = f"create table if not exists {IDENTITY} as {IDENTITY_SELECT.select} limit 0"


def refresh_identity(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table what the stored facts say. Needs an open transaction. Idempotent."""
    connection.execute(f"delete from {IDENTITY}")
    connection.execute(f"insert into {IDENTITY} {IDENTITY_SELECT.select}")
