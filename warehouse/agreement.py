"""What the stored facts say both teams agreed on: proposals and signatures, judged by the project's keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from projections.in_force import Agreement, Proposal, Signature, agreement
from projections.playbook import Playbook
from projections.signing_keys import SigningKey
from warehouse.playbook_tables import put_playbooks

PROPOSALS = "select event_id, occurred_at, playbook_version, text, proposed_by from facts.playbook_proposed"
SIGNATURES = """
    select event_id, occurred_at, playbook_version, team, key_id, signature from facts.playbook_signed
"""
# Tables of facts that can change what is in force.
DECIDING = frozenset({"playbook_proposed", "playbook_signed"})


@dataclass(frozen=True)
class Authority:
    """What decides beside the log: the project's own playbook, and whose signatures count."""

    base: Playbook
    keys: Sequence[SigningKey] = ()

    def agreed(self, connection: duckdb.DuckDBPyConnection) -> Agreement:
        """Everything proposed and signed so far, judged."""
        proposals = connection.execute(PROPOSALS).fetchall()
        signatures = connection.execute(SIGNATURES).fetchall()
        return agreement(
            self.base,
            [Proposal(*row) for row in proposals],
            [Signature(*row) for row in signatures],
            self.keys,
        )

    def put(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the playbook's tables say what the stored facts say. Needs an open transaction."""
        put_playbooks(connection, self.agreed(connection).periods)
