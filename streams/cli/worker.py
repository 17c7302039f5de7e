"""`baton worker`: follow the log until told to stop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from datetime import UTC, datetime

import click

from projections.playbook import read_playbook
from schemas.catalogue import CATALOGUE
from streams.project import Project
from streams.sink import Sink, registry_lookup
from streams.topics import log_extent
from warehouse.door import open_door
from warehouse.warehouse import Warehouse


@click.command()
def worker() -> None:
    """Follow the log in the foreground until SIGTERM."""
    project = Project.here()
    project.make_folders()
    with Warehouse.open(project.warehouse_file, read_playbook(project.playbook_file)) as warehouse:
        open_door(warehouse.connection).save(project.door_file)
        asyncio.run(_follow(project, warehouse))


async def _follow(project: Project, warehouse: Warehouse) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    extent = log_extent(project, CATALOGUE.fact_topics)
    sink = Sink(warehouse, project.client_settings(), extent, registry=registry_lookup(project))
    _tell_ready(project)
    await sink.run(stop)


def _tell_ready(project: Project) -> None:
    ready = {"pid": os.getpid(), "ready_at": datetime.now(UTC).isoformat()}
    project.worker_ready_file.write_text(json.dumps(ready))
