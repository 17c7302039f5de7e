"""The rows behind a count: some of a view's, narrowed down by values, a slice and a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from projections.projection import Projection, views
from projections.sql_literal import sql_literal
from streams.queries.panel import Circumstances, Opens
from warehouse.roles import withheld_columns

_OF_LEAD = "select lead_id from funnel.lead_slice where dimension = {dimension} and value = {value}"
NULL, NOT_NULL = "null", "not null"


@dataclass(frozen=True)
class Selection:
    """Rows of a view. where: documented columns and the value each must have, as text, `null` or `not null`.

    within: the column that lies in the window; empty for all times. Raises ValueError for a view or a column
    that
    is not documented.
    """

    view: str
    where: Mapping[str, str] = field(default_factory=dict)
    within: str = ""

    def __post_init__(self) -> None:
        for name in (*self.where, *([self.within] if self.within else [])):
            if name not in self.columns:
                raise ValueError(f"funnel.{self.view} has no column {name!r}")

    @property
    def projection(self) -> Projection:
        """The view, with its documentation."""
        found = next((view for view in views() if view.name == self.view), None)
        if found is None:
            raise ValueError(f"no view funnel.{self.view}")
        return found

    @property
    def columns(self) -> tuple[str, ...]:
        """The documented columns, without those that no role reads unless it is named: the page asks nobody
        who they are."""
        names = (column.name for column in self.projection.columns)
        return tuple(name for name in names if (self.view, name) not in withheld_columns())

    def condition(self, found: Circumstances) -> str:
        """The WHERE of these rows."""
        parts = [_has(name, value) for name, value in self.where.items()]
        if self.within and found.window_unit != "all":
            local = f"({self.within} at time zone {sql_literal(found.zone)})::date"
            parts.append(f"{local} >= date '{found.from_on}' and {local} < date '{found.until_on}'")
        if found.look.dimension != "all":
            parts.append(self._of_slice(found))
        return " and ".join(parts) or "true"

    def _of_slice(self, found: Circumstances) -> str:
        leads = _OF_LEAD.format(**found.parameters())
        if "lead_id" in self.columns:
            return f"lead_id in ({leads})"
        if "handoff_id" in self.columns:
            return f"handoff_id in (select handoff_id from funnel.handoff_offer where lead_id in ({leads}))"
        return "true"

    def statement(
        self,
        found: Circumstances,
        order: str = "",
        is_descending: bool = False,
        columns: Sequence[str] = (),
    ) -> str:
        """The SELECT of all of them, in the order of a column and then of the view's key. columns: all, or
        these."""
        if order and order not in self.columns:
            raise ValueError(f"funnel.{self.view} has no column {order!r}")
        by = [f"{order} {'desc' if is_descending else ''} nulls last"] if order else []
        by += [name for name in self.projection.key if name != order]
        return (
            f"select {', '.join(columns or self.columns)} from funnel.{self.view}"
            f" where {self.condition(found)} order by {', '.join(by)}"
        )

    def count_statement(self, found: Circumstances) -> str:
        """The SELECT of their number."""
        return f"select count(*) from funnel.{self.view} where {self.condition(found)}"


def opened(opens: Opens, row: Mapping[str, Any]) -> Selection:
    """The rows that a count of this row of a panel opens."""
    where = {}
    for name, value in opens.where.items():
        if value.startswith("="):
            found = row[value[1:]]
            value = NULL if found is None else str(found)
        where[name] = value
    return Selection(opens.view, where, opens.within)


def _has(name: str, value: str) -> str:
    if value == NULL:
        return f"{name} is null"
    if value == NOT_NULL:
        return f"{name} is not null"
    return f"{name}::varchar = {sql_literal(value)}"
