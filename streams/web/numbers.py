"""What the worker of numbers serves over HTTP: the page, SQL for people with a token, and what operators
watch."""

from __future__ import annotations

from functools import partial

from schemas.errors import BatonError
from streams.access.readers import ProjectReaders
from streams.access.worker_source import WorkerSource
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
from warehouse.warehouse import Warehouse


def serve_numbers(project: Project, warehouse: Warehouse, readers: ProjectReaders, meters: Meters) -> Address:
    """Serve from a thread of this process, and leave the address for other commands. The SQL endpoint must be
    open: statements over HTTP run there. meters: what this process counts of its own work."""
    api = routes(WorkerSource(project.numbers.endpoint), readers)
    source = WarehouseSource(warehouse, partial(recorded, project))
    operators = operator_routes(meters, FiguresOf(project, source, meters))
    page = make_page(source, api=api, operators=operators)
    try:
        address = serve_page(page, project.page_port)
    except BatonError:  # another program has the port, the page of another project perhaps
        address = serve_page(page, 0)
    write_json(project.numbers.page, {"url": address.url})
    return address
