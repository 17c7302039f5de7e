"""The rows behind a number: as a table to sort and leaf through, and as CSV or Parquet to take away."""

from __future__ import annotations

import csv as csv_format
import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from streams.queries.panel import Circumstances, circumstances, circumstances_statement
from streams.queries.row_selection import Selection
from streams.queries.shown import Shown, any_value
from streams.queries.values import defused
from streams.web.address import LIVES, Address, read_selection
from streams.web.answers import values_statement
from streams.web.page import Page
from streams.web.source import Row, Source

SECONDS = 30.0
ROWS_A_PAGE = 100
MOST_PAGES = 10_000
MOST_TAKEN = 1_000_000
_AT_A_TIME = 2_000
# What is shown of a view first; all columns are a click away.
_FIRST = {
    "handoff": (
        "handoff_id", "lead_id", "from_team", "to_team", "owner", "offered_at", "answer_due_at",
        "answered_at",
        "answer", "return_reason", "acknowledged_at", "first_attempt_at", "attempts", "state",
    ),
    "handoff_latency": (
        "handoff_id", "lead_id", "from_team", "to_team", "owner", "offered_at", "answered_at", "answer",
        "band",
        "elapsed_minutes", "business_minutes", "first_attempt_at", "reached_at", "is_clock_suspect",
    ),
    "obligation": (
        "handoff_id", "sla", "episode", "owed_by", "owner", "starts_at", "due_at", "ended_at", "outcome",
        "used_minutes", "allowed_minutes", "clock", "is_at_risk", "is_past_due",
    ),
    "lead_stage": ("lead_id", "pass", "stage", "entered_at", "advanced_at", "left_at", "outcome",
        "is_inferred"),
    "failed_events": ("topic", "kafka_partition", "kafka_offset", "kafka_at", "stage", "event_type",
        "bytes"),
}  # fmt: skip
# What nobody reads in a table.
_LISTS = (
    "answers", "assignments", "pauses", "acknowledgements", "human_attempt_ats", "reached_ats",
    "deal_opened_ats", "offered_again_ats",
)  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column of a table: what it says, and the links that sort by it."""

    name: str
    says: str
    href: str
    sorted: str
    is_number: bool


def look_at(source: Source, address: Address) -> Circumstances:
    """The circumstances of an address, now."""
    [[row]] = source.ask([circumstances_statement(address.look)], SECONDS)
    return circumstances(address.look, tuple(row.values()))


def rows(page: Page, request: Request, address: Address) -> Response:
    """One page of rows, in the order of a column."""
    query, source = request.query_params, page.source_of(address)
    selection = read_selection(request.path_params["view"], query)
    order, is_descending = query.get("sort", ""), query.get("down") == "1"
    at = min(max(int(query.get("page") or 1), 1), MOST_PAGES)
    is_all = query.get("columns") == "all"
    found = look_at(source, address)
    names = _columns(selection, is_all)
    statement = selection.statement(found, order, is_descending, names)
    [values, [counted], shown] = source.ask(
        [
            values_statement(address.look),
            selection.count_statement(found),
            f"{statement} limit {ROWS_A_PAGE} offset {(at - 1) * ROWS_A_PAGE}",
        ],
        SECONDS,
    )
    (count,) = counted.values()
    others = {name: query[name] for name in ("sort", "down", "columns") if name in query}
    return page.render(
        "rows.html",
        address,
        selection=selection,
        view=selection.projection,
        found=found,
        columns=_headings(selection, address, shown, names, order, is_descending, is_all),
        rows=[[_cell(name, row, address, found.zone) for name in names] for row in shown],
        count=count,
        first=(at - 1) * ROWS_A_PAGE + 1 if shown else 0,
        at=at,
        pages=max(1, -(-count // ROWS_A_PAGE)),
        link=lambda path="", **changes: address.to_selection(selection, path, **{**others, **changes}),
        is_all=is_all,
        values=[row["value"] for row in values],
        hidden=address.where(selection) | others,
    )


def _columns(selection: Selection, is_all: bool) -> tuple[str, ...]:
    every = tuple(name for name in _taken_columns(selection) if name not in _LISTS)
    return every if is_all else _FIRST.get(selection.view, every)


def _taken_columns(selection: Selection) -> tuple[str, ...]:
    return selection.columns


def _headings(
    selection: Selection,
    address: Address,
    shown: list[Row],
    names: tuple[str, ...],
    order: str,
    is_descending: bool,
    is_all: bool,
) -> list[Column]:
    says = {column.name: column.says for column in selection.projection.columns}
    headings = []
    for name in names:
        is_this = name == order
        others = {"columns": "all"} if is_all else {}
        down = {"down": "1"} if is_this and not is_descending else {}
        href = address.to_selection(selection, sort=name, **down, **others)
        state = ("descending" if is_descending else "ascending") if is_this else ""
        number = any(isinstance(row[name], int | float) and not isinstance(row[name], bool) for row in shown)
        headings.append(Column(name, says[name], href, state, number))
    return headings


def _cell(name: str, row: Row, address: Address, zone: str) -> tuple[Shown, str]:
    href = address.to_life(name, row[name]) if name in LIVES else ""
    return any_value(name, row[name], row, zone), href


def csv(page: Page, request: Request, address: Address) -> Response:
    """All rows as CSV, exact; texts that a spreadsheet would compute are shown as texts."""
    source = page.source_of(address)
    selection = read_selection(request.path_params["view"], request.query_params)
    statement = _taken(selection, look_at(source, address), request)
    reading = source.rows(statement, SECONDS)
    relation = reading.__enter__()  # what it raises is answered; later the answer has begun

    def lines() -> Iterator[str]:
        try:
            out = io.StringIO()
            writer = csv_format.writer(out, lineterminator="\r\n")
            writer.writerow(relation.columns)
            while some := relation.fetchmany(_AT_A_TIME):
                writer.writerows([[_field(value) for value in row] for row in some])
                yield out.getvalue()
                out.seek(0)
                out.truncate()
            yield out.getvalue()
        finally:
            reading.__exit__(None, None, None)

    return StreamingResponse(lines(), media_type="text/csv", headers=_attachment(selection, "csv"))


def _field(value: Any) -> str:
    if value is None:
        return ""
    return defused(str(value)) if isinstance(value, str | list | dict) else str(value)


def parquet(page: Page, request: Request, address: Address) -> Response:
    """All rows with their types."""
    source = page.source_of(address)
    selection = read_selection(request.path_params["view"], request.query_params)
    statement = _taken(selection, look_at(source, address), request)
    with tempfile.NamedTemporaryFile(prefix="baton-page-", suffix=".parquet", delete=False) as file:
        path = Path(file.name)
    try:
        with source.rows(statement, SECONDS) as relation:
            _write(relation, path)
    except BaseException:
        path.unlink()
        raise
    return FileResponse(
        path,
        media_type="application/vnd.apache.parquet",
        headers=_attachment(selection, "parquet"),
        background=BackgroundTask(path.unlink),
    )


def _write(relation: duckdb.DuckDBPyRelation, path: Path) -> None:
    """By Arrow: a worker's connection may not write files through SQL."""
    import pyarrow.parquet as pq

    reader = relation.to_arrow_reader(_AT_A_TIME)
    with pq.ParquetWriter(path, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def _taken(selection: Selection, found: Circumstances, request: Request) -> str:
    order, is_descending = request.query_params.get("sort", ""), request.query_params.get("down") == "1"
    columns = _taken_columns(selection)
    return f"{selection.statement(found, order, is_descending, columns)} limit {MOST_TAKEN}"


def _attachment(selection: Selection, suffix: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{selection.view}.{suffix}"'}
