"""A worker in this process: its planes, from the first signal handler to the exit code."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from projections.playbook import Playbook
from schemas.errors import ExitCode
from streams.project import Project
from streams.worker.meters import Meters
from streams.worker.planes import run_planes
from streams.worker.shutdown import Shutdown, as_baton_error, end_process
from streams.worker_files import WorkerFiles
from streams.worker_log import report_error
from warehouse.warehouse import Warehouse

log = logging.getLogger("baton.worker")


def run_until_shutdown(
    project: Project,
    files: WorkerFiles,
    playbook: Playbook,
    warehouse: Warehouse | None,
    meters: Meters | None = None,
    *,
    is_reacting: bool,
    may_cost: Callable[[str], str] = lambda sla: "",
) -> int:
    """Run the planes until a signal; the exit code. An error is printed last and ends the process. meters:
    where they count their work, for whoever reads it meanwhile. may_cost: what a late case may cost, in
    words."""
    ready_file = files.ready

    def report_ready() -> None:
        ready = {"pid": os.getpid(), "ready_at": datetime.now(UTC).isoformat()}
        ready_file.write_text(json.dumps(ready))

    async def follow() -> None:
        shutdown = Shutdown()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _stop_soon, shutdown, files, project.stop_seconds)

        def fail(died: threading.ExceptHookArgs) -> None:
            """An error in one of Faust's threads would be printed and forgotten. Those that answer people
            end with their answer."""
            if not is_reacting or (died.thread is not None and died.thread.name.startswith("baton-")):
                log.error("a thread ended with %r", died.exc_value or died.exc_type)
                return
            loop.call_soon_threadsafe(shutdown.fail, died.exc_value or died.exc_type())

        threading.excepthook = fail
        try:
            await run_planes(
                project,
                playbook,
                warehouse,
                shutdown,
                report_ready,
                meters or Meters(),
                is_reacting=is_reacting,
                may_cost=may_cost,
            )
        except Exception as error:
            baton_error = as_baton_error(error)
            files.forget()
            report_error(baton_error)
            end_process(int(baton_error.exit_code))

    try:
        asyncio.run(follow())
    finally:
        files.forget()
    return int(ExitCode.OK)


def _stop_soon(shutdown: Shutdown, files: WorkerFiles, seconds: float) -> None:
    """What has not finished after `seconds` is cut off. Nothing is lost by that, see Shutdown."""
    shutdown.request()
    threading.excepthook = lambda died: None  # Faust's threads raise while they end
    cut_off = threading.Timer(seconds, _cut_off, [files])
    cut_off.daemon = True
    cut_off.start()


def _cut_off(files: WorkerFiles) -> None:
    files.forget()
    end_process(int(ExitCode.OK))
