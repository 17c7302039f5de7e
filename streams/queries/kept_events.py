"""The recorded events as lines of JSON: `baton export`, and what is kept when Kafka lost some of its log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from schemas.catalogue import CATALOGUE, EventType
from schemas.errors import BatonError
from schemas.json_form import json_form
from streams.kafka.topics import log_extent
from streams.project import Project
from streams.queries.log_losses import LogLoss, record_loss
from streams.queries.warehouse_access import Ask, asking, existing_file
from warehouse import warehouse_file

_REACHED = "select topic, kafka_partition, next_offset from warehouse.next_offset order by all"


def lines_of(ask: Ask, event: EventType) -> Iterator[str]:
    """The recorded events of a type, each once, in order of event time, as `baton publish` reads them."""
    names = ", ".join(field["name"] for field in event.fields)
    columns, rows = ask(f"select {names} from facts.{event.table} order by occurred_at, event_id")
    for row in rows:
        yield json.dumps(json_form(event, dict(zip(columns, row, strict=True))), ensure_ascii=False)


def accept_loss(project: Project) -> LogLoss:
    """Keep every event that was read in a file, set the warehouse aside, and record the loss in the project.

    The next worker reads what Kafka still holds; publishing the file gives the log back what it lost. The
    worker must be stopped. Nothing is deleted. Raises BatonError when the warehouse cannot be read.
    """
    file, now = existing_file(project), datetime.now(UTC)
    kept = project.home / f"kept-{now:%Y%m%dT%H%M%SZ}.jsonl"
    extent, count = _extent(project), 0
    with asking(project) as ask, kept.open("x", encoding="utf-8") as out:
        for event in CATALOGUE.facts:
            for line in lines_of(ask, event):
                out.write(line + "\n")
                count += 1
        partitions = []
        for topic, partition, at in ask(_REACHED)[1]:
            begin, end = extent.get((topic, partition), (0, 0))
            if extent and not begin <= at <= end:
                partitions.append(f"{topic}/{partition}: was read to {at}, Kafka holds {begin} to {end}")
    set_aside = warehouse_file.set_aside(file, "before-loss")
    if project.reactions.warehouse.exists():  # it holds nothing that the first does not
        warehouse_file.set_aside(project.reactions.warehouse, "before-loss")
    loss = LogLoss(now.isoformat(timespec="seconds"), str(kept), count, str(set_aside[-1]), partitions)
    record_loss(project, loss)
    return loss


def _extent(project: Project) -> dict[tuple[str, int], tuple[int, int]]:
    try:
        return log_extent(project, CATALOGUE.fact_topics)
    except BatonError:  # only words depend on it: the new worker reads what there is
        return {}
