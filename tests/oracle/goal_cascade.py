"""The view goal_cascade: what each step must bring for a quarter's revenue goal, and what it brought."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from tests.oracle.goal_attainment import attainment
from tests.oracle.goal_cases import STEPS, Cases, all_cases
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook, decimal_text, exact_cents

KEY = ("goal_id", "step")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per quarter's revenue goal and step, from the revenue back to the lead."""
    for cases in all_cases(log, playbook, as_of):
        amount = cases.goal.amount
        assert amount is not None  # all_cases leaves out goals without one
        revenue = Decimal(attainment(log, playbook, as_of, cases.goal, amount)["actual"])
        reached_later: int | None = None
        for position, step in enumerate(("revenue", *reversed(STEPS))):
            row = _row(playbook, as_of, cases, step, revenue, amount)
            n = row["n"]
            rate = reached_later / n if reached_later is not None and n else None
            yield {**row, "position": position, "rate_to_next": rate}
            reached_later = None if step == "revenue" else n


def _row(
    playbook: Playbook, as_of: int, cases: Cases, step: str, revenue: Decimal, goal_amount: Decimal
) -> Row:
    """The row of a step, but for its position and its rate to the next one."""
    own = "won" if step == "revenue" else step
    n, window = cases.reached(cases.cohort, own), cases.windows[own]
    actual = revenue if step == "revenue" else Decimal(cases.entered[step])
    each = Fraction(1) if step == "revenue" else Fraction(cases.booked) / n if n else None
    row: Row = {
        "goal_id": cases.goal.goal_id,
        "step": step,
        "owner_team": cases.goal.team if step == "revenue" else playbook.text["cascade"][step],
        "required": None,
        "actual": decimal_text(actual),
        "gap": None,
        "gap_amount": None,
        "pace": None,
        "amount_each": None if each is None or step == "revenue" else decimal_text(exact_cents(each)),
        "n": n,
        "is_enough": n >= playbook.minimum_n and cases.booked > 0,
        "lag_days": cases.lags[own],
        "window_starts_on": window.first.isoformat(),
        "window_ends_on": window.last.isoformat(),
    }
    if not cases.booked or each is None:
        return row
    exact = Fraction(goal_amount) / each
    required = (Decimal(exact.numerator) / exact.denominator).quantize(Decimal("1e-10"), ROUND_HALF_UP)
    days = (window.last - window.first).days + 1
    elapsed = min(max((playbook.day_of(as_of) - window.first).days, 0), days)
    return {
        **row,
        "required": f"{required:.10f}",
        "gap": f"{required - actual:.10f}",
        "gap_amount": decimal_text(goal_amount - exact_cents(Fraction(actual) * each)),
        "pace": float(actual) / (float(required) * elapsed / days) if elapsed else None,
    }
