"""The view stage_time: how long passes stayed in each stage, and the age of those still there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from math import floor

from streams.simulator.clock import DAY
from tests.oracle.lead_stage import Stay, stays
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook
from tests.oracle.windows import window_start

KEY = ("stage", "window_start")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per stage but the last, and window in which a pass entered it."""
    stages = [stage["id"] for stage in playbook.text["stage"]]
    by_place = {(stay.lead_id, stay.number, stay.index): stay for stay in stays(log, playbook)}
    cohorts: dict[tuple[int, str], list[tuple[Stay, bool]]] = defaultdict(list)
    for (lead_id, number, index), stay in by_place.items():
        following = by_place.get((lead_id, number, index + 1))
        is_suspect = stay.is_suspect or bool(following and following.is_suspect)
        if index < len(stages) - 1:
            cohorts[index, window_start(playbook, stay.entered_at)].append((stay, is_suspect))
    for (index, window), cohort in cohorts.items():
        timed = [stay for stay, is_suspect in cohort if not is_suspect and not stay.is_inferred]
        settled = [stay.left_at - stay.entered_at for stay in timed if stay.left_at is not None]
        ages = [max(0, as_of - stay.entered_at) for stay in timed if stay.left_at is None]
        yield {
            "stage": stages[index],
            "window_start": window,
            "settled": len(settled),
            "median_days": _quantile_days(settled, 0.5),
            "p90_days": _quantile_days(settled, 0.9),
            "still_there": len(ages),
            "median_age_days": _quantile_days(ages, 0.5),
            "oldest_age_days": _quantile_days(ages, 1.0),
            "skipped": sum(stay.is_inferred for stay, _ in cohort),
            "clock_suspect": sum(is_suspect and not stay.is_inferred for stay, is_suspect in cohort),
        }


def _quantile_days(spans: list[int], share: float) -> float | None:
    """Interpolated between the two spans that the share lies between."""
    if not spans:
        return None
    in_order = sorted(spans)
    rank = (len(in_order) - 1) * share
    below = floor(rank)
    above = min(below + 1, len(in_order) - 1)
    return (in_order[below] + (in_order[above] - in_order[below]) * (rank - below)) / DAY
