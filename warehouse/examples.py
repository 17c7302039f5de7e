"""Running the examples in a playbook: on a real warehouse, through the view everybody reads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from projections.alert_examples import NO_ALERT, AlertExample
from projections.alert_trial import try_rules
from projections.examples import Example
from projections.incidents import obligation_of
from projections.playbook import Playbook
from schemas.catalogue import CATALOGUE
from schemas.codec import ROW, decode, encode
from schemas.errors import BatonError, ExitCode, quoted
from schemas.validation import Record
from warehouse.commit import Batch
from warehouse.measurement import Measurement
from warehouse.obligation_measurement import EVENT as OBLIGATION
from warehouse.warehouse import Warehouse

_MOMENT = timedelta(microseconds=1)


def check_examples(playbook: Playbook, where: str) -> int:
    """Run every example; how many there are. `where`: the file. The first wrong one is a BatonError
    with the line of its block, what it expects and what came (exit 3)."""
    if playbook.examples or playbook.alert_examples:
        with Warehouse.open(None, playbook) as warehouse:
            for example in playbook.examples:
                _check(warehouse, example, where)
            for alert in playbook.alert_examples:
                _check_alert(warehouse, playbook, alert, where)
    return len(playbook.examples) + len(playbook.alert_examples)


def _check(warehouse: Warehouse, example: Example, where: str) -> None:
    _put_only(warehouse, example.events)
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
        next_command=f"baton playbook check {quoted(where)}   (once the example or the criterion is changed)",
        exit_code=ExitCode.CONFIGURATION,
    )


def _check_alert(warehouse: Warehouse, playbook: Playbook, example: AlertExample, where: str) -> None:
    """Measure after each event became known and at the end, and follow the rule as it is followed live."""
    (rule,) = (rule for rule in playbook.alerts if rule.id == example.rule)
    read_models = warehouse.read_models()
    measurement = Measurement(read_models)
    known_at = {record["recorded_at"] for _, record in example.events} | {example.as_of}
    warehouse.connection.execute("delete from warehouse.outbox; delete from warehouse.obligation_sent")
    for instant in sorted(at for at in known_at if at <= example.as_of):
        # A moment before it too: what had come to pass until then.
        for moment in (instant - _MOMENT, instant):
            known = tuple(event for event in example.events if event[1]["recorded_at"] <= moment)
            _put_only(warehouse, known)
            warehouse.pin_as_of(moment)
            measurement.measure()
    values = warehouse.connection.execute("select value from warehouse.outbox order by rowid").fetchall()
    frames = decode([value for (value,) in values], CATALOGUE).frames
    rows = frames[OBLIGATION.name].drop(ROW).to_dicts() if OBLIGATION.name in frames else []
    tried = try_rules([obligation_of(row) for row in rows], lambda at: [rule], example.as_of)
    state = tried[-1].state if tried else NO_ALERT
    opened_at = tried[-1].opened_at if tried else None
    if state == example.state and example.opened_at in (None, opened_at):
        return
    expected = example.state + (f" at {example.opened_at:%Y-%m-%d %H:%M:%S} UTC" if example.opened_at else "")
    came = state + (f" at {opened_at:%Y-%m-%d %H:%M:%S} UTC" if opened_at else "")
    raise BatonError(
        f"The example {example.id!r} is not what the playbook says",
        where=f"{where}:{example.line}",
        why=f"expected: {expected}; came: {came}",
        next_command=f"baton playbook check {quoted(where)}   (once the example or the rule is changed)",
        exit_code=ExitCode.CONFIGURATION,
    )


def _said(is_qualified: bool, failing: dict[str, str | None]) -> str:
    """A verdict in words, with what was found of each criterion that fails."""
    if not failing:
        return "qualified" if is_qualified else "not qualified"
    named = ", ".join(name if value is None else f"{name} (found {value})" for name, value in failing.items())
    return f"{'qualified' if is_qualified else 'not qualified'}, failing: {named}"


def _put_only(warehouse: Warehouse, events: Sequence[tuple[str, Record]]) -> None:
    """The warehouse holds these events and nothing else."""
    for event in CATALOGUE.facts:
        warehouse.connection.execute(f"delete from log.{event.table}")
    values = [encode(CATALOGUE.event_types[name], record) for name, record in events]
    frames = {
        name: frame.with_columns(
            pl.lit(0, pl.Int32).alias("kafka_partition"), pl.col(ROW).cast(pl.Int64).alias("kafka_offset")
        ).drop(ROW)
        for name, frame in decode(values, CATALOGUE).frames.items()
    }
    warehouse.read_models().forget()
    warehouse.committer().commit(Batch(frames))
