"""Dimensions of a lead, by which counts are sliced, and what is a choice about them: size bands, segments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from projections.definition import Criterion, read_fit
from projections.periods import WINDOW_UNITS
from projections.playbook_blocks import Blocks

# The columns of lead_dimension, after all, which is every lead.
DIMENSIONS = (
    "all",
    "first_channel",
    "first_campaign",
    "region",
    "country",
    "industry",
    "size_band",
    "named_segment",
    "source_system",
    "owner",
    "owner_team",
)
KEYS = {"size_band": {"id", "at_most"}, "segment": {"id", "conditions"}}
_CONDITION_KEYS = {"attribute", "one_of", "at_least", "at_most"}
SQL_FUNCTIONS = (
    # The value of a dimension, given what lead_slice says of a lead: nothing of all, nor of what has no lead.
    """
    create or replace macro dimension_value(of_dimension, found) as
        coalesce(found, case of_dimension when 'all' then 'all' else 'unknown' end)
    """,
)
# Values of a dimension that no playbook may give another meaning.
RESERVED = ("all", "unknown", "other")


@dataclass(frozen=True)
class SizeBand:
    """Companies of at most so many employees that no band before takes; None: all the others."""

    id: str
    at_most: int | None


@dataclass(frozen=True)
class Segment:
    """Leads that meet all conditions, each a criterion of kind fit, and are in no segment before."""

    id: str
    conditions: tuple[Criterion, ...]


DEFAULT_BANDS = (
    SizeBand("0-49", 49),
    SizeBand("50-249", 249),
    SizeBand("250-999", 999),
    SizeBand("1000+", None),
)


@dataclass(frozen=True)
class Dimensions:
    """Bands from the smallest to the largest, the last without a limit; segments in the order of trying."""

    size_bands: tuple[SizeBand, ...] = DEFAULT_BANDS
    segments: tuple[Segment, ...] = ()


def unknown_slices(query: str) -> list[str]:
    """What a query asks sliced views for that they do not have: its answer has no such rows, and no error."""
    found = []
    for column, known in (("dimension", DIMENSIONS), ("window_unit", WINDOW_UNITS)):
        for asked in re.findall(rf"\b{column}\s*=\s*'([^']*)'", query):
            if asked not in known:
                found.append(f"no view is sliced by {column} {asked!r}; known: {', '.join(known)}")
    return found


def read_dimensions(blocks: Blocks) -> Dimensions:
    """The dimensions in a playbook; default bands when it has none. Faults are BatonErrors with the line."""
    segments = tuple(blocks.each("segment", lambda i, block: _segment(blocks, i, block)))
    bands = blocks.part(lambda: tuple(_size_bands(blocks)))
    return Dimensions(bands or DEFAULT_BANDS, segments)


def _size_bands(blocks: Blocks) -> Iterator[SizeBand]:
    found = list(blocks.blocks("size_band"))
    largest = 0
    for index, block in found:
        own = _name(blocks, "size_band", index, block)
        is_last = index == len(found) - 1
        if is_last and "at_most" in block:
            why = "the last band takes all larger companies: leave its at_most out"
            raise blocks.fault("size_band", index, why)
        if not is_last and "at_most" not in block:
            why = "at_most is missing: only the last band has no limit"
            raise blocks.fault("size_band", index, why)
        at_most = None if is_last else blocks.count("size_band", index, block, "at_most")
        if at_most is not None and at_most <= largest:
            why = f"at_most = {at_most} is not above {largest}: bands go from the smallest to the largest"
            raise blocks.fault("size_band", index, why)
        largest = at_most or largest
        yield SizeBand(own, at_most)


def _segment(blocks: Blocks, index: int, block: Mapping[str, Any]) -> Segment:
    own = _name(blocks, "segment", index, block)
    conditions = []
    for condition in blocks.values("segment", index, block, "conditions"):
        if not isinstance(condition, dict):
            why = "conditions holds tables such as {attribute = 'country', one_of = ['DE', 'AT']}"
            raise blocks.fault("segment", index, why)
        if stray := sorted(condition.keys() - _CONDITION_KEYS):
            known = ", ".join(sorted(_CONDITION_KEYS))
            why = f"there is no {stray[0]!r} in a condition; known: {known}"
            raise blocks.fault("segment", index, why)
        conditions.append(read_fit(blocks, "segment", index, condition, own, is_required=True))
    if not conditions:
        raise blocks.fault("segment", index, "conditions is missing: name at least one")
    return Segment(own, tuple(conditions))


def _name(blocks: Blocks, name: str, index: int, block: Mapping[str, Any]) -> str:
    own = blocks.text(name, index, block, "id")
    if own in RESERVED:
        raise blocks.fault(name, index, f"id = {own!r} has a meaning already: choose another")
    return own
