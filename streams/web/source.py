"""Where the page's numbers come from: a warehouse of this process, or a project's worker through its
endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from threading import Timer
from typing import Any, Protocol

import duckdb

from projections.agreement import Agreement, Proposal, Signature, evaluate_agreement
from schemas.errors import BatonError, ExitCode
from streams.project import Project
from streams.queries import warehouse_access
from streams.queries.failed_events import dismissed_at, without_dismissed
from streams.queries.warehouse_access import authority_of
from warehouse.authority import PROPOSALS, SIGNATURES, Authority
from warehouse.reading import check_is_reading, failing_plainly, survivable, took_too_long
from warehouse.recorded_log import RecordedLog
from warehouse.warehouse import Warehouse

Row = dict[str, Any]
Rows = AbstractContextManager[duckdb.DuckDBPyRelation]
Recorded = Callable[[Sequence[str] | None], AbstractContextManager[RecordedLog]]
_POSITION = """
select coalesce((select sum(next_offset) from warehouse.next_offset), 0)::bigint as read,
    (select max(refreshed_at) from warehouse.read_model) as moved_at,
    (select as_of from warehouse.as_of) as as_of,
    exists (select 1 from warehouse.pinned_as_of) as is_pinned
"""


@dataclass(frozen=True)
class Position:
    """How far the numbers are. token: the same as long as no record, and nothing dismissed, has changed them.

    moved_at: when they last moved; None while nothing was read. is_pinned: their clocks stand still.
    """

    token: str
    moved_at: datetime | None
    as_of: datetime
    is_pinned: bool


class Source(Protocol):
    """What the page asks. Each method may be called from several threads at a time."""

    def ask(self, statements: Sequence[str], seconds: float) -> list[list[Row]]:
        """The rows of each SELECT, all of one moment. Raises BatonError."""

    def rows(self, statement: str, seconds: float) -> Rows:
        """The rows of one SELECT as a relation, to be read once. Raises BatonError."""

    def position(self) -> Position:
        """How far the numbers are. Raises BatonError, with exit code UNREACHABLE when nobody answers."""

    def notice(self) -> str:
        """What a reader should know about the source, as that no worker runs; empty when nothing."""

    def authority(self) -> Authority:
        """The project's playbook file and keys. Raises BatonError when one of them is invalid."""

    def recorded(self, views: Sequence[str] | None) -> AbstractContextManager[RecordedLog]:
        """All recorded events, for what-if and as known. Raises BatonError."""


class WarehouseSource:
    """A warehouse that this process has open; statements run on cursors of their own.

    project: whose dismissed failures are left out.
    recorded: gives its events for what-if and as known, as streams.queries.warehouse_access.recorded does.
    still: a token for numbers that never move, those as known on a day.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        recorded: Recorded | None = None,
        still: str = "",
        project: Project | None = None,
    ) -> None:
        self.warehouse, self._recorded, self._still = warehouse, recorded, still
        self._project = project

    def ask(self, statements: Sequence[str], seconds: float) -> list[list[Row]]:
        """In one transaction, so that all see the same records and the same now."""
        for statement in statements:
            check_is_reading(statement)
        with failing_plainly("the page"), closing(self.warehouse.cursor()) as cursor:
            limit = Timer(seconds, cursor.interrupt)
            limit.start()
            try:
                cursor.execute("begin")
                return [self._rows(cursor, self._left(statement), seconds) for statement in statements]
            finally:
                limit.cancel()
                with suppress(duckdb.Error):  # what it read is all there is to undo
                    cursor.execute("rollback")

    @staticmethod
    def _rows(cursor: duckdb.DuckDBPyConnection, statement: str, seconds: float) -> list[Row]:
        try:
            with failing_plainly(statement):
                cursor.execute(survivable(statement))
                names = [column[0] for column in cursor.description or ()]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except BatonError as error:
            if isinstance(error.__cause__, duckdb.InterruptException):
                raise took_too_long(statement, seconds) from error
            raise

    def rows(self, statement: str, seconds: float) -> Rows:
        """See Source."""
        return self.warehouse.answer(self._left(statement), seconds)

    def _left(self, statement: str) -> str:
        return without_dismissed(self._project, statement) if self._project else statement

    def position(self) -> Position:
        """See Source."""
        if self._still:
            ((as_of,),) = self.warehouse.ask("select as_of from warehouse.as_of")[1]
            return Position(self._still, as_of, as_of, True)
        return _position(self.ask([_POSITION], seconds=5), self._project)

    def notice(self) -> str:
        """See Source."""
        return ""

    def authority(self) -> Authority:
        """See Source."""
        return self.warehouse.authority

    @contextmanager
    def recorded(self, views: Sequence[str] | None) -> Iterator[RecordedLog]:
        """See Source."""
        if self._recorded is None:
            raise BatonError(
                "This page cannot look at recorded events",
                where="the page",
                why="it was given a warehouse only",
                next_command="baton whatif --playbook new.toml",
                exit_code=ExitCode.CONFIGURATION,
            )
        with self._recorded(views) as records:
            yield records


class WorkerSource:
    """A project's running worker, through its SQL endpoint; without one, the warehouse file as it was
    left."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._notice = ""

    def ask(self, statements: Sequence[str], seconds: float) -> list[list[Row]]:
        """In one statement, which the endpoint answers as of one moment."""
        parts = [f"(select list(t) from ({text}) as t) as answer_{n}" for n, text in enumerate(statements)]
        with self.rows(f"select {', '.join(parts)}", seconds) as found:
            [answers] = found.fetchall()
        return [answer or [] for answer in answers]

    @contextmanager
    def rows(self, statement: str, seconds: float) -> Iterator[duckdb.DuckDBPyRelation]:
        """See Source."""
        notices: list[str] = []
        with (
            warehouse_access.answering(self.project, notify=notices.append) as answer,
            answer(without_dismissed(self.project, statement), seconds) as rows,
        ):
            self._notice = "; ".join(notices)
            yield rows

    def position(self) -> Position:
        """See Source."""
        return _position(self.ask([_POSITION], seconds=5), self.project)

    def notice(self) -> str:
        """See Source."""
        return self._notice

    def authority(self) -> Authority:
        """See Source."""
        return authority_of(self.project)

    def recorded(self, views: Sequence[str] | None) -> AbstractContextManager[RecordedLog]:
        """See Source."""
        return warehouse_access.recorded(self.project, views)


def agreement_of(source: Source, seconds: float = 10) -> Agreement:
    """Every proposal and signature, judged by the source's keys."""
    authority = source.authority()
    proposals, signatures = source.ask([PROPOSALS, SIGNATURES], seconds)
    return evaluate_agreement(
        authority.base,
        [Proposal(*row.values()) for row in proposals],
        [Signature(*row.values()) for row in signatures],
        authority.keys,
    )


def _position(answers: list[list[Row]], project: Project | None) -> Position:
    [[row]] = answers
    token = f"{row['read']}-{row['moved_at'].timestamp() if row['moved_at'] else 0:.6f}"
    if project and (at := dismissed_at(project)):
        token += f"-{at}"
    return Position(token, row["moved_at"], row["as_of"], row["is_pinned"])
