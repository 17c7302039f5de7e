"""`baton worker`: run one worker in the foreground."""

from __future__ import annotations

import logging
import os
import signal
import sys

import click
import duckdb

from schemas.errors import BatonError, ExitCode, quoted
from streams.access.readers import ProjectReaders
from streams.kafka.topics import ensure_topics
from streams.project import Project
from streams.queries.case_cost import CaseCost
from streams.queries.warehouse_access import authority_of, open_warehouse
from streams.worker.meters import Meters
from streams.worker.shutdown import end_process
from streams.worker_files import WorkerFiles
from streams.worker_log import log_format, report, report_error, set_up_log
from warehouse.file_errors import cannot_open, is_damage
from warehouse.memory import STATEMENTS_BYTES, limit_bytes
from warehouse.scope import HANDOFFS, NUMBERS
from warehouse.sql_endpoint import serve_sql
from warehouse.warehouse import Warehouse

# A commit is many short statements, and after each its thread must acquire the GIL again. With Python's
# default of 5 ms, a busy event loop makes every one of them wait that long.
SWITCH_SECONDS = 0.0005


@click.command()
@click.argument("purpose", type=click.Choice(["numbers", "reactions", "agents"]))
def worker(purpose: str) -> None:
    """Run one worker in the foreground until SIGTERM or Ctrl-C.

    \b
    numbers    what people ask: read models, SQL
    reactions  measures handoffs, raises alerts, sends dead letters
    agents     raises alerts only: shares the work of reactions, on this or another machine

    Each reads the log by itself; `baton up` runs the first two. Exits with 0 within 10 seconds of a signal,
    or as BATON_STOP_SECONDS says. Any error ends it with a message and another exit code; a restart resumes
    at the last commit.

    \b
    Example:
      baton worker numbers
    """
    set_up_log()
    try:
        _run(purpose)
    except BatonError as error:
        if log_format() == "text":
            raise  # it is shown as every command's is
        report_error(error)
        end_process(int(error.exit_code))


def _run(purpose: str) -> None:
    sys.setswitchinterval(SWITCH_SECONDS)
    for number in (signal.SIGTERM, signal.SIGINT):  # before the planes run there is nothing to shut down
        signal.signal(number, lambda *_: end_process(int(ExitCode.OK)))
    project = Project.here()
    project.make_folders()
    project.record_settings()
    for fault in ensure_topics(project).faults:
        logging.getLogger("baton.worker").warning("%s", fault)
    from streams.web.numbers import serve_numbers
    from streams.worker.run import run_until_shutdown  # Faust takes a second to import

    files = project.worker(purpose)
    if purpose == "agents":
        end_process(run_until_shutdown(project, files, authority_of(project).base, None, is_reacting=True))
    # One core is left for decoding: another thread for a statement would cost the sink more than it gains.
    threads = project.threads or max(1, (os.cpu_count() or 2) - 1)
    is_reacting = purpose == "reactions"
    scope = HANDOFFS if is_reacting else NUMBERS
    with open_warehouse(project, files.warehouse, threads=threads, wait_seconds=10, scope=scope) as warehouse:
        # Alert rules follow what is signed from here on. Without a warehouse they are followed over Kafka.
        playbook = warehouse.playbook_in_force()
        if is_reacting:
            _serve_sql(project, files, warehouse, None, Meters())
            may_cost = CaseCost(project).start()
            code = run_until_shutdown(
                project, files, playbook, warehouse, is_reacting=True, may_cost=may_cost
            )
        else:
            readers, meters = ProjectReaders.of(project), Meters()
            _serve_sql(project, files, warehouse, readers, meters)
            address = serve_numbers(project, warehouse, readers, meters)
            code = run_until_shutdown(project, files, playbook, warehouse, meters, is_reacting=False)
            address.stop()
    end_process(code)


def _serve_sql(
    project: Project,
    files: WorkerFiles,
    warehouse: Warehouse,
    readers: ProjectReaders | None,
    meters: Meters,
) -> None:
    """Open the SQL endpoint and leave its address. Both write: a full disk may show here first."""
    most_bytes = limit_bytes(project.memory_limit) + STATEMENTS_BYTES
    try:
        serve_sql(
            warehouse.connection,
            project.sql_seconds,
            most_bytes,
            _give_up,
            readers,
            readers.roles if readers else None,
            meters.statements.note,
        ).save(files.endpoint)
    except (duckdb.Error, OSError) as error:
        if isinstance(error, duckdb.Error) and is_damage(error):
            raise cannot_open(warehouse.path, error) from error
        raise BatonError(
            "The SQL endpoint cannot be opened",
            where=str(project.home),
            why=str(error).splitlines()[0],
            next_command=f"df -h {quoted(project.home)}   (make room, then: baton up)",
        ) from error


def _give_up(statement: str) -> None:
    """A statement that does not end keeps a core: the supervisor starts another worker within seconds."""
    report("baton: a statement does not end, so the worker does", logging.WARNING)
    os.kill(os.getpid(), signal.SIGXCPU)
