"""Free attributes that a playbook declares: what events say of a lead, touch or deal beside their fields."""

from __future__ import annotations

import re
from dataclasses import dataclass

from projections.playbook_blocks import Blocks
from schemas.limits import ATTRIBUTE_NAME

KEYS = {"attribute": {"name", "of", "values"}}
# Which events say something of what. Those of a lead and of a touch end up with the lead.
EVENTS = {
    "lead": ("LeadCaptured", "LeadProfiled", "HandoffOffered"),
    "touch": ("TouchRecorded",),
    "deal": ("OpportunityOpened",),
}


@dataclass(frozen=True)
class Attribute:
    """An attribute by name, of a lead, a touch or a deal. Without `values` any value is expected."""

    name: str
    of: str
    values: tuple[str, ...]


def read_attributes(blocks: Blocks) -> tuple[Attribute, ...]:
    """The attributes in a playbook. Faults are BatonErrors that name the line."""
    found: dict[tuple[str, str], Attribute] = {}
    for index, block in blocks.blocks("attribute"):
        name = blocks.text("attribute", index, block, "name")
        if re.fullmatch(ATTRIBUTE_NAME, name) is None:
            why = f"name = {name!r}; events name attributes in lower_case letters, digits and _, at most 64"
            raise blocks.fault("attribute", index, why)
        of = blocks.one_of("attribute", index, block, "of", tuple(EVENTS))
        if (name, of) in found:
            raise blocks.fault("attribute", index, f"{name!r} of a {of} is declared twice")
        values = tuple(blocks.texts("attribute", index, block, "values"))
        found[(name, of)] = Attribute(name, of, values)
    return tuple(found.values())
