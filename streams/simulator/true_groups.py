"""What is true of simulated buying groups: who is known in each role, who talks to us, and by when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

from streams.simulator.clock import iso
from streams.simulator.facts import Fact
from streams.simulator.rules import UNITS, Rules
from streams.simulator.simulation import Chapter
from streams.simulator.tellers import Row
from streams.simulator.true_qualification import QualificationTruths


class GroupTruths:
    """Roles of each account's buying group, and the group as a whole."""

    def __init__(self, rules: Rules, as_of: int, qualification: QualificationTruths) -> None:
        """`qualification` has told everything before this one tells anything."""
        self._qualification = qualification
        settings = rules.text.get("buying_group", {})
        self._roles: list[dict[str, Any]] = rules.text.get("role", [])
        self._engaged_within = _microseconds(settings.get("engaged_within", "90 days"))
        self._complete_within = _microseconds(settings.get("complete_within", "30 days"))
        self._at_risk_share = rules.at_risk_share
        self._as_of = as_of
        self._accounts: set[str] = set()
        # account -> role -> contact -> when first identified
        self._members: dict[str, dict[str, dict[str, int]]] = {}
        self._engaged: set[str] = set()
        self._opened: dict[str, dict[str, int]] = {}
        self._ended: set[str] = set()

    def add(self, chapter: Chapter) -> Iterable[tuple[str, Row]]:
        """Note who is who; an account's facts lie in the chapters of several leads."""
        for fact in chapter.facts:
            self._note(fact)
        return ()

    def _note(self, fact: Fact) -> None:
        said, at = fact.fields, fact.occurred_at
        if fact.type == "BuyingGroupMemberIdentified":
            self._accounts.add(said["account_id"])
            known = self._members.setdefault(said["account_id"], {}).setdefault(said["role"], {})
            known[said["contact_id"]] = min(at, known.get(said["contact_id"], at))
        elif fact.type == "OpportunityOpened":
            self._accounts.add(said["account_id"])
            deals = self._opened.setdefault(said["account_id"], {})
            deals[said["opportunity_id"]] = min(at, deals.get(said["opportunity_id"], at))
        elif fact.type in ("OpportunityWon", "OpportunityLost"):
            self._ended.add(said["opportunity_id"])
        elif fact.type == "HandoffOffered" and said["account_id"]:
            self._accounts.add(said["account_id"])
        elif fact.type in ("TouchRecorded", "BuyerReached") and said["contact_id"]:
            is_theirs = fact.type == "BuyerReached" or (said["is_inbound"] and not said["is_automated"])
            if is_theirs and at >= self._as_of - self._engaged_within:
                self._engaged.add(said["contact_id"])

    def finish(self) -> Iterator[tuple[str, Row]]:
        """All rows."""
        qualified = self._qualification.moments_by_account()
        for account in sorted(self._accounts):
            rows = [self._role_row(account, role) for role in self._roles]
            for row in rows:
                yield "buying_group", row
            if rows:
                moments = qualified.get(account, [])
                verdict = {
                    "is_qualified": bool(moments),
                    "qualified_at": iso(moments[0]) if moments else None,
                    "qualified_leads": len(moments),
                }
                yield "buying_group_account", self._account_row(account, rows) | verdict

    def _role_row(self, account: str, role: dict[str, Any]) -> Row:
        contacts = self._members.get(account, {}).get(role["id"], {})
        wanted, engaged = role["wanted"], len(self._engaged & contacts.keys())
        times = sorted(contacts.values())
        return {
            "account_id": account,
            "role": role["id"],
            "is_required": role.get("is_required", True),
            "wanted": wanted,
            "assigned": len(contacts),
            "engaged": engaged,
            "assigned_completeness": min(1.0, len(contacts) / wanted),
            "engaged_completeness": min(1.0, engaged / wanted),
            "filled_at": iso(times[wanted - 1]) if len(times) >= wanted else None,
        }

    def _account_row(self, account: str, rows: list[Row]) -> Row:
        roles = self._members.get(account, {})
        named = {contact for role in self._roles for contact in roles.get(role["id"], {})}
        members = {contact for contacts in roles.values() for contact in contacts}
        deals = self._opened.get(account, {})
        opened_at = min(deals.values(), default=None)
        required = [row for row in rows if row["is_required"]]
        filled = [row["filled_at"] for row in required if row["filled_at"]]
        completed_at = max(filled, default=None) if len(filled) == len(required) else None
        state = self._state(len(required), opened_at, completed_at)
        return {
            "account_id": account,
            "members": len(members),
            "members_without_role": len(members - named),
            "required_roles": len(required),
            "filled_roles": len(filled),
            "assigned_completeness": _mean(required, "assigned"),
            "engaged_completeness": _mean(required, "engaged"),
            "opened_at": None if opened_at is None else iso(opened_at),
            "open_deals": len(deals.keys() - self._ended),
            "due_at": None if opened_at is None else iso(opened_at + self._complete_within),
            "completed_at": completed_at,
            "state": state,
            "is_met": state == "met",
            "is_due": state in ("due", "past_due"),
            "is_past_due": state == "past_due",
            "is_at_risk": state == "at_risk",
        }

    def _state(self, required: int, opened_at: int | None, completed_at: str | None) -> str:
        if not required:
            return "nothing_required"
        if opened_at is None:
            return "no_deal"
        due_at = opened_at + self._complete_within
        if completed_at is not None:
            return "met" if completed_at <= iso(due_at) else "due"
        if self._as_of > due_at:
            return "past_due"
        is_near = self._as_of - opened_at >= self._at_risk_share * self._complete_within
        return "at_risk" if is_near else "open"


def _mean(required: list[Row], counted: str) -> float | None:
    parts = [Fraction(min(row[counted], row["wanted"]), row["wanted"]) for row in required]
    return float(sum(parts, Fraction(0)) / len(parts)) if parts else None


def _microseconds(duration: str) -> int:
    count, _, unit = duration.partition(" ")
    return int(count) * UNITS[unit]
