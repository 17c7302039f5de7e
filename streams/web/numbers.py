"""What the worker of numbers serves over HTTP: the page, SQL for people with a token, and what operators
watch."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from streams.access.readers import ProjectReaders
from streams.access.remote_statements import RemoteStatements
from streams.process_record import write_json
from streams.project import Project
from streams.queries.warehouse_access import recorded
from streams.web.api import routes
from streams.web.app import make_page
from streams.web.figures import FiguresOf
from streams.web.operators import operator_routes
from streams.web.serving import Address, serve_page
from streams.web.source import WarehouseSource
from streams.worker.meters import Meters
from warehouse.recorded_log import RecordedLog
from warehouse.warehouse import Warehouse

log = logging.getLogger("baton.worker")


def serve_numbers(project: Project, warehouse: Warehouse, readers: ProjectReaders, meters: Meters) -> Address:
    """Serve from a thread of this process, and leave the address for other commands. The SQL endpoint must be
    open: statements over HTTP run there. meters: what this process counts of its own work."""
    api = routes(RemoteStatements(project.numbers.endpoint), readers)

    @contextmanager
    def bounded(views: Sequence[str] | None) -> Iterator[RecordedLog]:
        """What-if and as known, computed in this process: within the memory that a worker has."""
        with recorded(project, views) as records:
            records.connection.execute(f"set global memory_limit = '{project.memory_limit}'")
            yield records

    source = WarehouseSource(warehouse, bounded, project=project)
    operators = operator_routes(meters, FiguresOf(project, source, meters))
    page = make_page(source, api=api, operators=operators)
    address = serve_page(page, project.page_port, or_any=True)
    if address.port != project.page_port:
        log.warning("another program has port %s: the page is at %s", project.page_port, address.url)
    write_json(project.numbers.page, {"url": address.url})
    return address
