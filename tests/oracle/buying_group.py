"""The view buying_group: who is known in each role of an account's buying group, and who talks to us."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from streams.simulator.clock import iso
from tests.oracle.log import Log, Row, is_buyer_signal
from tests.oracle.playbook import Playbook, microseconds

KEY = ("account_id", "role")
NAMES_A_GROUP = ("BuyingGroupMemberIdentified", "OpportunityOpened", "HandoffOffered")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per account and role of the playbook."""
    known, engaged = members(log), _engaged(log, playbook, as_of)
    for account in accounts(log):
        for role in playbook.text.get("role", []):
            first_seen = known.get(account, {}).get(role["id"], {})
            wanted, talking = role["wanted"], len(engaged & first_seen.keys())
            moments = sorted(first_seen.values())
            yield {
                "account_id": account,
                "role": role["id"],
                "is_required": role.get("is_required", True),
                "wanted": wanted,
                "assigned": len(first_seen),
                "engaged": talking,
                "assigned_completeness": min(1.0, len(first_seen) / wanted),
                "engaged_completeness": min(1.0, talking / wanted),
                "filled_at": iso(moments[wanted - 1]) if len(moments) >= wanted else None,
            }


def accounts(log: Log) -> list[str]:
    """Accounts with a member identified, a deal opened or a handoff offered."""
    return sorted({f.fields["account_id"] for f in log.of(*NAMES_A_GROUP) if f.fields["account_id"]})


def members(log: Log) -> dict[str, dict[str, dict[str, int]]]:
    """By account, then role, then contact: when the contact was first identified in the role."""
    found: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for fact in log.of("BuyingGroupMemberIdentified"):
        of_role = found[fact.fields["account_id"]][fact.fields["role"]]
        of_role.setdefault(fact.fields["contact_id"], fact.occurred_at)
    return found


def _engaged(log: Log, playbook: Playbook, as_of: int) -> set[str]:
    """Contacts who talked to us or came to us lately."""
    within = microseconds(playbook.text.get("buying_group", {}).get("engaged_within", "90 days"))
    return {
        fact.fields["contact_id"]
        for fact in log.of("TouchRecorded", "BuyerReached")
        if fact.fields["contact_id"]
        and (fact.type == "BuyerReached" or is_buyer_signal(fact))
        and fact.occurred_at >= as_of - within
    }
