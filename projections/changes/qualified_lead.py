"""What changes in the definition of a qualified lead, the buying group, free attributes and dimensions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from projections.changes.sentences import EVERYBODY, Change, counted, listed, pairs, span
from projections.definition import Criterion, Role
from projections.dimensions import Segment, SizeBand
from projections.playbook import Playbook


def criteria(old: Playbook, new: Playbook) -> Iterator[Change]:
    for before, after in pairs(
        old.definition.criteria, new.definition.criteria, lambda criterion: criterion.id
    ):
        block = "icp" if (after or before).id.startswith("icp_") else "criterion"  # type: ignore[union-attr]
        if after is None and before is not None:
            says = f"A qualified lead {_needs(before, 'no longer')} {_wanted(before)}."
        elif before is None and after is not None:
            says = f"A qualified lead {_needs(after, 'now')} {_wanted(after)}; before nothing of the kind."
        elif before is not None and after is not None:
            was = _wanted(before, after)
            was += "" if before.is_required == after.is_required else f" ({_necessity(before)})"
            says = f"A qualified lead {_needs(after, 'now')} {_wanted(after)}; before {was}."
        yield Change(EVERYBODY, block, says)


def _necessity(criterion: Criterion) -> str:
    return "required" if criterion.is_required else "shown, not required"


def _needs(criterion: Criterion, when: str) -> str:
    if when == "now":
        return "now needs" if criterion.is_required else "need not have, and is now shown to have or lack,"
    return "no longer needs" if criterion.is_required else "is no longer shown to have or lack"


def _wanted(criterion: Criterion, beside: Criterion | None = None) -> str:
    """What a criterion asks for. Beside another one of the same number only the figure: 'before 20'."""
    c = criterion
    if c.kind == "fit" and c.one_of:
        return f"the {_attribute(c.attribute)} {_either(c.one_of)}"
    if c.kind == "fit":
        only_least = c.at_most is None and c.at_least is not None
        if beside and only_least and beside.at_most is None and beside.at_least is not None:
            if beside.attribute == c.attribute:
                return f"{c.at_least:,}"
        low = "" if c.at_least is None else f"at least {c.at_least:,}"
        high = "" if c.at_most is None else f"at most {c.at_most:,}"
        bounds = " and ".join(part for part in (low, high) if part)
        return (
            f"{bounds} employees"
            if c.attribute == "employees"
            else f"a {_attribute(c.attribute)} of {bounds}"
        )
    if c.kind == "intent":
        within = span(c.within) if c.within else "any time"
        return f"{counted(c.count, 'signal')} ({_either(map(_attribute, c.activities))}) within {within}"
    people = "1 person" if c.count == 1 else f"{c.count:,} people"
    return f"{people} known as {_either(map(_attribute, c.roles))}"


def _attribute(attribute: str | None) -> str:
    return (attribute or "").replace("_", " ")


def _either(words: Iterable[str]) -> str:
    return listed(words, "or")


def groups(old: Playbook, new: Playbook) -> Iterator[Change]:
    before, after = old.definition, new.definition
    if before.engaged_within != after.engaged_within:
        spans = f"{span(after.engaged_within)}; before {span(before.engaged_within)}"
        yield Change(EVERYBODY, "buying_group", f"A buyer counts as engaged for {spans}.")
    if before.complete_within != after.complete_within:
        says = (
            f"A buying group is to be complete within {span(after.complete_within)} of the deal's opening;"
            f" before {span(before.complete_within)}."
        )
        yield Change(EVERYBODY, "buying_group", says)
    for was, becomes in pairs(before.roles, after.roles, lambda role: role.id):
        if becomes is None and was is not None:
            yield Change(EVERYBODY, "role", f"A buying group no longer wants a {_attribute(was.id)}.")
        elif becomes is not None:
            rest = f"; before {_role(was)}" if was else " too"
            yield Change(EVERYBODY, "role", f"A buying group wants {_role(becomes)}{rest}.")


def _role(role: Role) -> str:
    return f"{role.wanted:,} {_attribute(role.id)} ({'required' if role.is_required else 'not required'})"


def attributes(old: Playbook, new: Playbook) -> Iterator[Change]:
    for before, after in pairs(old.attributes, new.attributes, lambda a: (a.of, a.name)):
        if after is None and before is not None:
            says = f"The attribute {before.name} of a {before.of} is no longer declared."
        elif after is not None:
            rest = f"; before {_values(before.values)}" if before else ", and is new"
            says = f"The attribute {after.name} of a {after.of} is {_values(after.values)}{rest}."
        yield Change(EVERYBODY, "attribute", says)


def dimensions(old: Playbook, new: Playbook) -> Iterator[Change]:
    before, after = old.dimensions, new.dimensions
    if before.size_bands != after.size_bands:
        bands = f"{_bands(after.size_bands)}; before {_bands(before.size_bands)}"
        yield Change(EVERYBODY, "size_band", f"Companies are grouped by employees as {bands}.")
    for was, becomes in pairs(before.segments, after.segments, lambda segment: segment.id):
        if becomes is None and was is not None:
            says = f"The segment {was.id} is gone."
        elif becomes is not None:
            rest = f"; before {_conditions(was)}" if was else ", and is new"
            says = f"The segment {becomes.id} has {_conditions(becomes)}{rest}."
        yield Change(EVERYBODY, "segment", says)
    order, former = ([segment.id for segment in each.segments] for each in (after, before))
    if [each for each in order if each in former] != [each for each in former if each in order]:
        yield Change(EVERYBODY, "segment", f"Segments are tried in the order {' > '.join(order)}.")


def _bands(bands: Iterable[SizeBand]) -> str:
    return ", ".join(
        f"{band.id} ({'the others' if band.at_most is None else f'at most {band.at_most:,}'})"
        for band in bands
    )


def _conditions(segment: Segment) -> str:
    return listed(map(_wanted, segment.conditions), "and")


def _values(values: tuple[str, ...]) -> str:
    return _either(values) if values else "any text"
