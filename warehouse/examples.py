"""Running the examples in a playbook: on a real warehouse, through the view everybody reads."""

from __future__ import annotations

import polars as pl

from projections.examples import Example
from projections.playbook import Playbook
from schemas.catalogue import CATALOGUE
from schemas.codec import ROW, decode, encode
from schemas.errors import BatonError, ExitCode
from warehouse.commit import Batch
from warehouse.warehouse import Warehouse


def check_examples(playbook: Playbook, where: str) -> int:
    """Run every example; how many there are. `where`: the file. The first wrong one is a BatonError
    with the line of its block, what it expects and what came (exit 3)."""
    if playbook.examples:
        with Warehouse.open(None, playbook) as warehouse:
            for example in playbook.examples:
                _check(warehouse, example, where)
    return len(playbook.examples)


def _check(warehouse: Warehouse, example: Example, where: str) -> None:
    _put_only(warehouse, example)
    warehouse.pin_as_of(example.as_of)
    rows = warehouse.connection.execute(
        "select is_qualified, criteria from funnel.qualification where lead_id = ?", [example.lead_id]
    ).fetchall()
    criteria = rows[0][1] or [] if rows else []
    unmet = {c["criterion"]: c["value"] for c in criteria if c["is_required"] and not c["is_met"]}
    is_qualified = bool(rows and rows[0][0])
    if is_qualified is example.is_qualified and (example.failing is None or example.failing == unmet.keys()):
        return
    expected = _said(example.is_qualified, dict.fromkeys(sorted(example.failing or ())))
    came = _said(is_qualified, unmet) if rows else "no verdict at all: nothing makes it a lead"
    raise BatonError(
        f"The example {example.id!r} is not what the playbook says",
        where=f"{where}:{example.line}",
        why=f"expected: {expected}; came: {came}",
        next_command=f"baton playbook check {where}   (once the example or the criterion is changed)",
        exit_code=ExitCode.CONFIGURATION,
    )


def _said(is_qualified: bool, failing: dict[str, str | None]) -> str:
    """A verdict in words, with what was found of each criterion that fails."""
    if not failing:
        return "qualified" if is_qualified else "not qualified"
    named = ", ".join(name if value is None else f"{name} (found {value})" for name, value in failing.items())
    return f"{'qualified' if is_qualified else 'not qualified'}, failing: {named}"


def _put_only(warehouse: Warehouse, example: Example) -> None:
    """The warehouse holds the example's events and nothing else."""
    for event in CATALOGUE.facts:
        warehouse.connection.execute(f"delete from log.{event.table}")
    values = [encode(CATALOGUE.event_types[name], record) for name, record in example.events]
    frames = {
        name: frame.with_columns(
            pl.lit(0, pl.Int32).alias("kafka_partition"), pl.col(ROW).cast(pl.Int64).alias("kafka_offset")
        ).drop(ROW)
        for name, frame in decode(values, CATALOGUE).frames.items()
    }
    warehouse.read_models().forget()
    warehouse.committer().commit(Batch(frames))
