"""The definition of a qualified lead, as the playbook words it: ideal customer, criteria, buying group.

A lead is qualified at the first moment all required criteria hold (docs/reference/tables.md, qualification).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from projections.playbook_blocks import Blocks

KEYS = {
    "icp": {"industries", "countries", "employees_at_least", "employees_at_most"},
    "criterion": {
        "id", "kind", "is_required", "attribute", "one_of", "at_least", "at_most",
        "activities", "count", "within", "roles",
    },
    "buying_group": {"engaged_within", "complete_within"},
    "role": {"id", "wanted", "is_required"},
}  # fmt: skip
# Attributes of LeadProfiled that a criterion may ask for; the numbers among them can be compared.
ATTRIBUTES = ("job_role", "industry", "country", "employees", "fit_score")
NUMBERS = ("employees", "fit_score")
_OF_KIND = {
    "fit": {"attribute", "one_of", "at_least", "at_most"},
    "intent": {"activities", "count", "within"},
    "group": {"roles", "count"},
}


@dataclass(frozen=True)
class Criterion:
    """One criterion of a qualified lead.

    fit: `attribute` is one of `one_of`, or lies in [at_least, at_most].
    intent: at least `count` inbound human touches among `activities` `within` the time before.
    group: at least `count` people of the account's buying group in one of `roles`.
    """

    id: str
    kind: str
    is_required: bool
    attribute: str | None = None
    one_of: tuple[str, ...] = ()
    at_least: int | None = None
    at_most: int | None = None
    activities: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    count: int = 1
    within: timedelta | None = None


@dataclass(frozen=True)
class Role:
    """A role in a buying group and how many people are wanted in it."""

    id: str
    wanted: int
    is_required: bool


@dataclass(frozen=True)
class Definition:
    """What a qualified lead is. `criteria` begins with those of the ideal customer profile.

    engaged_within: a member counts as engaged with an inbound human signal this short ago.
    complete_within: from the opening of a deal, the time to find the whole group.
    """

    criteria: tuple[Criterion, ...]
    roles: tuple[Role, ...]
    engaged_within: timedelta
    complete_within: timedelta


def read_definition(blocks: Blocks) -> Definition:
    """The definition in a playbook. Faults are BatonErrors that name the line."""
    icp = blocks.part(lambda: list(_icp(blocks))) or []
    criteria = [*icp, *blocks.each("criterion", lambda i, block: _criterion(blocks, i, block))]
    group = {"engaged_within": "90 days", "complete_within": "30 days", **blocks.single("buying_group")}
    roles = tuple(blocks.each("role", lambda i, block: _role(blocks, i, block)))
    return Definition(
        criteria=tuple(criteria),
        roles=roles,
        engaged_within=blocks.duration("buying_group", 0, group, "engaged_within"),
        complete_within=blocks.duration("buying_group", 0, group, "complete_within"),
    )


def _icp(blocks: Blocks) -> Iterator[Criterion]:
    icp = blocks.single("icp")
    for key, attribute in (("industries", "industry"), ("countries", "country")):
        if key in icp:
            values = tuple(blocks.texts("icp", 0, icp, key))
            yield Criterion(f"icp_{attribute}", "fit", True, attribute, values)
    least = blocks.count("icp", 0, icp, "employees_at_least") if "employees_at_least" in icp else None
    most = blocks.count("icp", 0, icp, "employees_at_most") if "employees_at_most" in icp else None
    if least is not None or most is not None:
        if least is not None and most is not None and least > most:
            raise blocks.fault("icp", 0, f"employees_at_least = {least} is above employees_at_most = {most}")
        yield Criterion("icp_employees", "fit", True, "employees", at_least=least, at_most=most)


def _criterion(blocks: Blocks, index: int, block: Mapping[str, Any]) -> Criterion:
    kind = blocks.one_of("criterion", index, block, "kind", tuple(_OF_KIND))
    own = blocks.text("criterion", index, block, "id")
    if own.startswith("icp_"):
        raise blocks.fault("criterion", index, f"{own!r}: names that begin with icp_ belong to [icp]")
    stray = block.keys() - {"id", "kind", "is_required"} - _OF_KIND[kind]
    if stray:
        known = ", ".join(sorted(_OF_KIND[kind]))
        raise blocks.fault(
            "criterion", index, f"{sorted(stray)[0]} is not for kind {kind!r}; it has: {known}"
        )
    is_required = blocks.flag("criterion", index, block, "is_required", True)
    if kind == "fit":
        return read_fit(blocks, "criterion", index, block, own, is_required)
    count = blocks.count("criterion", index, block, "count") if "count" in block else 1
    if kind == "group":
        roles = _some(blocks, "criterion", index, block, "roles")
        named = blocks.ids("role")
        if unknown := [role for role in roles if role not in named]:
            why = f"no role {unknown[0]!r}; known: {', '.join(sorted(named)) or 'none'}"
            raise blocks.fault("criterion", index, why)
        return Criterion(own, kind, is_required, roles=roles, count=count)
    activities = _some(blocks, "criterion", index, block, "activities")
    within = blocks.duration("criterion", index, block, "within")
    return Criterion(own, kind, is_required, activities=activities, count=count, within=within)


def read_fit(
    blocks: Blocks, name: str, index: int, block: Mapping[str, Any], own: str, is_required: bool
) -> Criterion:
    """What is asked of one attribute, by a criterion or by a condition in another block."""
    attribute = blocks.one_of(name, index, block, "attribute", ATTRIBUTES)
    if attribute not in NUMBERS:
        if "at_least" in block or "at_most" in block:
            raise blocks.fault(name, index, f"{attribute} is a text: say one_of = ['...']")
        return Criterion(own, "fit", is_required, attribute, _some(blocks, name, index, block, "one_of"))
    if "one_of" in block or not block.keys() & {"at_least", "at_most"}:
        raise blocks.fault(name, index, f"{attribute} is a number: say at_least or at_most")
    least = blocks.count(name, index, block, "at_least") if "at_least" in block else None
    most = blocks.count(name, index, block, "at_most") if "at_most" in block else None
    return Criterion(own, "fit", is_required, attribute, at_least=least, at_most=most)


def _some(blocks: Blocks, name: str, index: int, block: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = tuple(blocks.texts(name, index, block, key))
    if not values:
        raise blocks.fault(name, index, f"{key} is missing: name at least one")
    return values


def _role(blocks: Blocks, index: int, block: Mapping[str, Any]) -> Role:
    return Role(
        id=blocks.text("role", index, block, "id"),
        wanted=blocks.count("role", index, block, "wanted"),
        is_required=blocks.flag("role", index, block, "is_required", True),
    )
