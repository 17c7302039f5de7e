"""Given signatures: keys of both teams, made from a seed, and the events they sign."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from projections.agreement import Proposal, Signature, signed_content
from projections.playbook import Playbook
from projections.signing_keys import SigningKey


def private_key(name: str) -> Ed25519PrivateKey:
    """The same key for the same name."""
    return Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b"."))


def public_key(team: str, name: str = "", **validity: datetime) -> SigningKey:
    """The key of that name as the configuration would hold it; the team's own by default."""
    name = name or team
    return SigningKey(name, team, private_key(name).public_key().public_bytes_raw(), **validity)


KEYS = (public_key("marketing"), public_key("sales"))


def proposal(playbook: Playbook, at: datetime, **instead: Any) -> Proposal:
    """A proposal of this playbook."""
    said = {"playbook_version": playbook.version, "text": playbook.text, "proposed_by": "ana"}
    return Proposal(**{"event_id": f"proposed {at.isoformat()}", "proposed_at": at, **said, **instead})


def signature(playbook: Playbook, team: str, at: datetime, key: str = "", **instead: Any) -> Signature:
    """A team's signature under it, made with the key of that name (the team's own by default)."""
    made = base64.b64encode(private_key(key or team).sign(signed_content(playbook))).decode()
    said = {"playbook_version": playbook.version, "team": team, "key_id": key or team, "signature": made}
    return Signature(**{"event_id": f"{team} {at.isoformat()}", "signed_at": at, **said, **instead})


def as_events(*said: Proposal | Signature) -> list[Mapping[str, Any]]:
    """The same as events, in the JSON form of `baton publish`."""
    events = []
    for one in said:
        fields = {**vars(one), "source": "test"}
        is_proposal = isinstance(one, Proposal)
        at = fields.pop("proposed_at" if is_proposal else "signed_at")
        fields |= {
            "type": "PlaybookProposed" if is_proposal else "PlaybookSigned",
            "occurred_at": at.isoformat(),
        }
        events.append({**fields, "recorded_at": fields["occurred_at"]})
    return events
