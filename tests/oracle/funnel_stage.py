"""The view funnel_stage: how many passes entered each stage in each window, and what became of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

from streams.simulator.clock import DAY
from tests.oracle.lead_stage import stays
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook
from tests.oracle.windows import window_start

KEY = ("stage", "window_start")
Slice = TypeVar("Slice", bound=Hashable)
DAYS = (7, 14, 30, 90)
COUNTS = (
    "entered",
    "advanced",
    *(f"advanced_within_{days}_days" for days in DAYS),
    "lost",
    "returned",
    "elsewhere",
    "still_there",
    "inferred",
    "advanced_in_period",
    "clock_suspect",
)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per stage and window in which a pass entered it or advanced from it."""
    windows = counts(log, playbook, lambda _, instant: [window_start(playbook, instant)])
    for (index, window), of_stage in sorted(windows.items()):
        yield {"window_start": window, **row_of(playbook, index, of_stage)}


def counts(
    log: Log, playbook: Playbook, slices: Callable[[str, int], Iterable[Slice]]
) -> dict[tuple[int, Slice], dict[str, int]]:
    """By stage and slice. `slices`: where something about a lead counts that happened at an instant."""
    found: dict[tuple[int, Slice], dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTS, 0))
    for stay in stays(log, playbook):
        for each in slices(stay.lead_id, stay.entered_at):
            of_stage = found[stay.index, each]
            of_stage["entered"] += 1
            of_stage["inferred"] += stay.is_inferred
            of_stage["clock_suspect"] += stay.is_suspect
            of_stage[stay.outcome] += 1
            for days in DAYS:
                is_within = stay.advanced_at is not None and stay.advanced_at - stay.entered_at <= days * DAY
                of_stage[f"advanced_within_{days}_days"] += is_within
        if stay.advanced_at is not None:
            for each in slices(stay.lead_id, stay.advanced_at):
                found[stay.index, each]["advanced_in_period"] += 1
    return found


def row_of(playbook: Playbook, index: int, of_stage: dict[str, int]) -> Row:
    """The counts of a stage with their rates."""
    stages = playbook.text["stage"]
    # From the last stage nobody advances: it has no conversion, and nothing is undecided in it.
    judged = of_stage["entered"] if index < len(stages) - 1 else 0
    return {
        "stage": stages[index]["id"],
        "buyer_step": stages[index].get("buyer"),
        **of_stage,
        "cohort_rate": of_stage["advanced"] / judged if judged else None,
        "in_period_rate": of_stage["advanced_in_period"] / judged if judged else None,
        "open_rate": of_stage["still_there"] / judged if judged else None,
    }
