"""What one late case may cost, for the notifications of the reaction plane: it knows no deals, the numbers
do."""

from __future__ import annotations

import threading

from projections.changes.sentences import money
from projections.sql_literal import sql_literal
from schemas.errors import BatonError
from streams.project import Project
from streams.queries.panel import Look, circumstances, circumstances_statement
from streams.queries.warehouse_access import ask_warehouse

EVERY_SECONDS = 300.0
# What a case at this step books on average is at stake: as on the page, under what is late.
STEPS = {
    "answer": "qualified",
    "acknowledge_return": "captured",
    "first_attempt": "accepted",
    "attempts": "accepted",
}


class CaseCost:
    """Amounts by SLA, asked of the worker of numbers now and then, on a thread. Without an answer nothing is
    said of a cost: an alert never waits for it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._of_step: dict[str, str] = {}
        self._stop = threading.Event()

    def __call__(self, sla: str) -> str:
        """What a case may cost, as people read it; "" when that is not known."""
        return self._of_step.get(STEPS.get(sla, ""), "")

    def start(self) -> CaseCost:
        """Keep it up from now on, for as long as the process runs."""
        threading.Thread(target=self._follow, name="baton-case-cost", daemon=True).start()
        return self

    def _follow(self) -> None:
        while True:
            is_known = self.look()
            self._stop.wait(EVERY_SECONDS if is_known else 15.0)

    def look(self) -> bool:
        """Ask once; whether there was an answer."""
        if not self.project.numbers.endpoint.exists():
            return False
        try:
            [row] = ask_warehouse(self.project, circumstances_statement(Look()))[1]
            period = sql_literal(circumstances(Look(), row).current_period)
            steps = ask_warehouse(
                self.project,
                "select step, arg_min(amount_each, goal_id), any_value(currency) from funnel.goal_cascade"
                f" where period = {period} and amount_each is not null group by step",
            )[1]
        except BatonError:  # it is not there, or does not answer now
            return False
        self._of_step = {step: f"about {money(amount, currency)}" for step, amount, currency in steps}
        return True
