"""The view win_rate: the share of deals won, of those opened in a period and of those decided in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import TypeVar

from streams.simulator.clock import DAY
from tests.oracle.deals import Deal, deals
from tests.oracle.log import Log, Row
from tests.oracle.opportunity_amount import priced_deals
from tests.oracle.percentiles import percentile
from tests.oracle.periods import first_and_last
from tests.oracle.playbook import Playbook, decimal_text, nearest_cent

KEY = ("unit", "starts_on")
UNITS = ("month", "quarter", "year")
Slice = TypeVar("Slice", bound=Hashable)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per unit and period in which a deal was opened, won or lost."""

    def periods(_: Deal, instant: int) -> list[tuple[str, date]]:
        return [(unit, first_and_last(unit, playbook.day_of(instant))[0]) for unit in UNITS]

    for (unit, first), shares in win_rates(log, playbook, as_of, periods):
        yield {
            "unit": unit,
            "starts_on": first.isoformat(),
            "ends_on": first_and_last(unit, first)[1].isoformat(),
            **shares,
        }


def win_rates(
    log: Log, playbook: Playbook, as_of: int, slices: Callable[[Deal, int], Iterable[Slice]]
) -> Iterator[tuple[Slice, Row]]:
    """What is said of each slice. `slices`: where a deal counts that was opened or decided at an instant."""
    opened: dict[Slice, list[Deal]] = defaultdict(list)
    closed: dict[Slice, list[Deal]] = defaultdict(list)
    for deal in deals(log).values():
        if deal.status == "credit":
            continue
        for each in slices(deal, deal.first_at):
            opened[each].append(deal)
        if deal.closed_at is not None:
            for each in slices(deal, deal.closed_at):
                closed[each].append(deal)
    worth = {
        deal.opportunity_id: deal.booked if deal.status == "won" else deal.amount
        for deal in priced_deals(log, playbook, as_of)
    }
    for each in opened.keys() | closed.keys():
        yield each, _shares(playbook, worth, opened[each], closed[each])


def _shares(
    playbook: Playbook, worth: Mapping[str, Decimal | None], cohort: list[Deal], decided: list[Deal]
) -> Row:
    won, lost, still_open = (_of(status, cohort) for status in ("won", "lost", "open"))
    won_then, lost_then = _of("won", decided), _of("lost", decided)
    cycles = [(d.closed_at - d.opened_at) / DAY for d in won_then if d.closed_at and d.opened_at]
    return {
        "opened": len(cohort),
        "won": len(won),
        "lost": len(lost),
        "still_open": len(still_open),
        "win_rate": _share(len(won), len(won) + len(lost)),
        "won_amount": decimal_text(_sum(worth, won)),
        "lost_amount": decimal_text(_sum(worth, lost)),
        "open_amount": decimal_text(_sum(worth, still_open)),
        "amount_win_rate": _share(_sum(worth, won), _sum(worth, won) + _sum(worth, lost)),
        "won_in_period": len(won_then),
        "lost_in_period": len(lost_then),
        "in_period_win_rate": _share(len(won_then), len(decided)),
        "won_amount_in_period": decimal_text(_sum(worth, won_then)),
        "lost_amount_in_period": decimal_text(_sum(worth, lost_then)),
        "in_period_amount_rate": _share(
            _sum(worth, won_then), _sum(worth, won_then) + _sum(worth, lost_then)
        ),
        "median_cycle_days": percentile(cycles, 0.5),
        "p90_cycle_days": percentile(cycles, 0.9),
        "unpriced": sum(worth[deal.opportunity_id] is None for deal in cohort),
        "unpriced_in_period": sum(worth[deal.opportunity_id] is None for deal in decided),
        "currency": playbook.currency,
        "n": len(won) + len(lost),
        "is_enough": len(won) + len(lost) >= playbook.minimum_n,
    }


def _of(status: str, found: Iterable[Deal]) -> list[Deal]:
    return [deal for deal in found if deal.status == status]


def _sum(worth: Mapping[str, Decimal | None], found: Iterable[Deal]) -> Decimal:
    return nearest_cent(sum((worth[deal.opportunity_id] or Decimal(0) for deal in found), Decimal(0)))


def _share(part: int | Decimal, whole: int | Decimal) -> float | None:
    return float(part) / float(whole) if whole else None
