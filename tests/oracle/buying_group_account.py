"""The view buying_group_account: how complete each account's buying group is, and by when it was due."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction

from streams.simulator.clock import iso
from tests.oracle import buying_group
from tests.oracle.deals import Deal, deals
from tests.oracle.log import Log, Row, optional_iso
from tests.oracle.playbook import Playbook, microseconds
from tests.oracle.qualification import verdicts

KEY = ("account_id",)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per account with a buying group, if the playbook has roles."""
    roles_of: dict[str, list[Row]] = defaultdict(list)
    for row in buying_group.rows(log, playbook, as_of):
        roles_of[row["account_id"]].append(row)
    deals_of: dict[str, list[Deal]] = defaultdict(list)
    for deal in deals(log).values():
        if deal.opened_at is not None and deal.account_id:
            deals_of[deal.account_id].append(deal)
    members, qualified = buying_group.members(log), _qualified_at(log, playbook, as_of)
    for account, roles in roles_of.items():
        known = members.get(account, {})
        contacts = {contact for of_role in known.values() for contact in of_role}
        named = {contact for role in roles for contact in known.get(role["role"], {})}
        opened_at = min((deal.opened_at or 0 for deal in deals_of[account]), default=None)
        moments = qualified.get(account, [])
        yield {
            "account_id": account,
            "members": len(contacts),
            "members_without_role": len(contacts - named),
            "open_deals": sum(deal.status == "open" for deal in deals_of[account]),
            **_completeness(playbook, as_of, roles, opened_at),
            "is_qualified": bool(moments),
            "qualified_at": iso(moments[0]) if moments else None,
            "qualified_leads": len(moments),
        }


def _completeness(playbook: Playbook, as_of: int, roles: list[Row], opened_at: int | None) -> Row:
    """The required roles, and the clock that starts with the account's first deal."""
    within = microseconds(playbook.text.get("buying_group", {}).get("complete_within", "30 days"))
    due_at = None if opened_at is None else opened_at + within
    required = [role for role in roles if role["is_required"]]
    filled = [role["filled_at"] for role in required if role["filled_at"]]
    completed_at = max(filled, default=None) if len(filled) == len(required) else None
    if not required:
        state = "nothing_required"
    elif opened_at is None or due_at is None:
        state = "no_deal"
    elif completed_at is not None:
        state = "met" if completed_at <= iso(due_at) else "due"
    elif as_of > due_at:
        state = "past_due"
    else:
        state = "at_risk" if as_of - opened_at >= playbook.at_risk_share * within else "open"
    return {
        "required_roles": len(required),
        "filled_roles": len(filled),
        "assigned_completeness": _mean(required, "assigned"),
        "engaged_completeness": _mean(required, "engaged"),
        "opened_at": optional_iso(opened_at),
        "due_at": optional_iso(due_at),
        "completed_at": completed_at,
        "state": state,
        "is_met": state == "met",
        "is_due": state in ("due", "past_due"),
        "is_past_due": state == "past_due",
        "is_at_risk": state == "at_risk",
    }


def _mean(required: list[Row], count: str) -> float | None:
    parts = [Fraction(min(role[count], role["wanted"]), role["wanted"]) for role in required]
    return float(sum(parts, Fraction(0)) / len(parts)) if parts else None


def _qualified_at(log: Log, playbook: Playbook, as_of: int) -> dict[str, list[int]]:
    """By account, when its leads qualified, earliest first."""
    found: dict[str, list[int]] = defaultdict(list)
    for verdict in verdicts(log, playbook, as_of):
        if verdict.lead.account_id is not None and verdict.qualified_at is not None:
            found[verdict.lead.account_id].append(verdict.qualified_at)
    return {account: sorted(moments) for account, moments in found.items()}
