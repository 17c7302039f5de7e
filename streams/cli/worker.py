"""`baton worker`: run the worker in the foreground."""

from __future__ import annotations

import logging
import os
import signal
import sys

import click
import duckdb

from schemas.errors import BatonError, ExitCode
from streams.kafka.topics import ensure_topics
from streams.project import Project
from streams.queries.warehouse_access import authority_of, open_warehouse
from streams.worker.shutdown import end_process
from streams.worker.worker_log import log_warnings
from warehouse.file_errors import cannot_open, is_damage
from warehouse.sql_endpoint import serve_sql
from warehouse.warehouse import Warehouse

# A commit is many short statements, and after each its thread must acquire the GIL again. With Python's
# default of 5 ms, a busy event loop makes every one of them wait that long.
SWITCH_SECONDS = 0.0005


@click.command()
@click.option(
    "--only",
    type=click.Choice(["data", "reaction"]),
    help="Run one plane: data (owns the warehouse) or reaction (alerts; uses Kafka only).",
)
def worker(only: str | None) -> None:
    """Run the worker in the foreground until SIGTERM or Ctrl-C.

    Exits with 0 within 10 seconds of a signal, or as BATON_STOP_SECONDS says. Any error ends it with a
    message and another exit code; a restart resumes at the last commit.

    \b
    Example:
      baton worker --only data
    """
    log_warnings()
    sys.setswitchinterval(SWITCH_SECONDS)
    for number in (signal.SIGTERM, signal.SIGINT):  # before the planes run there is nothing to shut down
        signal.signal(number, lambda *_: end_process(int(ExitCode.OK)))
    project = Project.here()
    project.make_folders()
    project.record_settings()
    for fault in ensure_topics(project).faults:
        logging.getLogger("baton.worker").warning("%s", fault)
    from streams.worker.run import run_until_shutdown  # Faust takes a second to import

    if only == "reaction":
        end_process(run_until_shutdown(project, authority_of(project).base, None, is_reacting=True))
    # One core is left for decoding: another thread for a statement would cost the sink more than it gains.
    threads = project.threads or max(1, (os.cpu_count() or 2) - 1)
    with open_warehouse(project, threads=threads, wait_seconds=10) as warehouse:
        _serve_sql(project, warehouse)
        # Alert rules are those in force at the start. Without the warehouse only the file is available.
        playbook = warehouse.playbook_in_force()
        code = run_until_shutdown(project, playbook, warehouse, is_reacting=only is None)
        project.endpoint_file.unlink(missing_ok=True)
    end_process(code)


def _serve_sql(project: Project, warehouse: Warehouse) -> None:
    """Open the SQL endpoint and leave its address. Both write: a full disk may show here first."""
    try:
        serve_sql(warehouse.connection, project.sql_seconds).save(project.endpoint_file)
    except (duckdb.Error, OSError) as error:
        if isinstance(error, duckdb.Error) and is_damage(error):
            raise cannot_open(warehouse.path, error) from error
        raise BatonError(
            "The SQL endpoint cannot be opened",
            where=str(project.home),
            why=str(error).splitlines()[0],
            next_command=f"df -h {project.home}   (make room, then: baton up)",
        ) from error
