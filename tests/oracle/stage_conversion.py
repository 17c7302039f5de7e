"""The view stage_conversion: how many passes came from one stage to any later one, and how soon."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from statistics import median

from streams.simulator.clock import DAY
from tests.oracle.funnel_stage import DAYS
from tests.oracle.lead_stage import Stay, stays
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook
from tests.oracle.windows import window_start

KEY = ("from_stage", "to_stage", "window_start")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per stage, later stage, and window in which a pass entered the first of the two."""
    stages = [stage["id"] for stage in playbook.text["stage"]]
    of_pass: dict[tuple[str, int], dict[int, Stay]] = defaultdict(dict)
    for stay in stays(log, playbook):
        of_pass[stay.lead_id, stay.number][stay.index] = stay
    cohorts: dict[tuple[int, int, str], list[tuple[Stay, Stay | None, bool]]] = defaultdict(list)
    for by_index in of_pass.values():
        is_in_funnel = by_index[max(by_index)].outcome == "still_there"
        for index, stay in by_index.items():
            for later in range(index + 1, len(stages)):
                cohort = cohorts[index, later, window_start(playbook, stay.entered_at)]
                cohort.append((stay, by_index.get(later), is_in_funnel))
    for (index, later, window), cohort in cohorts.items():
        took = [goal.entered_at - stay.entered_at for stay, goal, _ in cohort if goal]
        timed = [
            goal.entered_at - stay.entered_at
            for stay, goal, _ in cohort
            if goal and not any(end.is_suspect or end.is_inferred for end in (stay, goal))
        ]
        yield {
            "from_stage": stages[index],
            "to_stage": stages[later],
            "window_start": window,
            "entered": len(cohort),
            "converted": len(took),
            **{f"converted_within_{days}_days": sum(t <= days * DAY for t in took) for days in DAYS},
            "undecided": sum(goal is None and is_in_funnel for _, goal, is_in_funnel in cohort),
            "conversion_rate": len(took) / len(cohort),
            "median_days": median(timed) / DAY if timed else None,
            "timed": len(timed),
        }
