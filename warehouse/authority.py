"""Which playbook is in force: decided by the project's own file and keys, and by what the facts say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from projections.agreement import Agreement, Proposal, Signature, evaluate_agreement
from projections.playbook import Playbook
from projections.signing_keys import SigningKey
from warehouse.playbook_tables import are_stored, store_playbooks

PROPOSALS = "select event_id, occurred_at, playbook_version, text, proposed_by from facts.playbook_proposed"
SIGNATURES = """
    select event_id, occurred_at, playbook_version, team, key_id, signature from facts.playbook_signed
"""
# Tables of facts that can change which playbook is in force.
AGREEMENT_FACTS = frozenset({"playbook_proposed", "playbook_signed"})


@dataclass(frozen=True)
class Authority:
    """What decides beside the log: the project's own playbook, and whose signatures count."""

    base: Playbook
    keys: Sequence[SigningKey] = ()

    def agreement(self, connection: duckdb.DuckDBPyConnection) -> Agreement:
        """Everything proposed and signed so far, judged."""
        proposals = connection.execute(PROPOSALS).fetchall()
        signatures = connection.execute(SIGNATURES).fetchall()
        return evaluate_agreement(
            self.base,
            [Proposal(*row) for row in proposals],
            [Signature(*row) for row in signatures],
            self.keys,
        )

    def is_stored(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """Whether the playbook's tables say what the stored facts say."""
        return are_stored(connection, self.agreement(connection).periods)

    def store_playbooks(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the playbook's tables say what the stored facts say. Needs an open transaction."""
        store_playbooks(connection, self.agreement(connection).periods)
