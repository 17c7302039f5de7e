"""The stages of a deal in a playbook, in the order in which a deal goes through them."""

from __future__ import annotations

from projections.playbook_blocks import Blocks

KEYS = {"deal_stage": {"id"}}


def read_deal_stages(blocks: Blocks) -> tuple[str, ...]:
    """The names of the stages as the source systems write them, first to last; empty when none are named."""
    stages: list[str] = []
    for index, block in blocks.blocks("deal_stage"):
        stage = blocks.text("deal_stage", index, block, "id")
        if stage in stages:
            raise blocks.fault("deal_stage", index, f"{stage!r} stands twice")
        stages.append(stage)
    return tuple(stages)
