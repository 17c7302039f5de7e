"""The shutdown of a worker: requested, or forced by the first error."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import duckdb
from aiokafka.errors import KafkaError

from schemas.errors import BatonError, ExitCode
from warehouse.file_errors import damaged, is_damage

log = logging.getLogger("baton.worker")


class Shutdown:
    """Shared by everything that runs in one worker: `stop` asks all to finish, fail() ends the process."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.error: BaseException | None = None
        self._decided = asyncio.Event()

    def request(self) -> None:
        """Finish the current work and end with success."""
        self.stop.set()
        self._decided.set()

    def fail(self, error: BaseException) -> None:
        """End with this error. The first one counts; those it causes do not."""
        if self.error is None:
            self.error = error
        self._decided.set()

    async def wait(self) -> None:
        """Return once shutdown is requested; raise the error that forced it."""
        await self._decided.wait()
        if self.error is not None:
            raise self.error

    async def watch(self, part: str, work: Awaitable[object]) -> None:
        """Run a part of the worker. If it fails or ends without a request, the process ends."""
        try:
            await work
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.fail(error)
        else:
            if not self.stop.is_set():
                self.fail(_ended_by_itself(part))

    @asynccontextmanager
    async def before_ack(self) -> AsyncIterator[None]:
        """Around an agent's work on one event: on an error the agent never reaches the acknowledgement.

        Faust acknowledges an event as soon as its agent yields or raises, and commits past it. So a failed
        agent blocks until the process has ended.
        """
        try:
            yield
        except Exception as error:
            self.fail(error)
            await asyncio.Event().wait()


def _ended_by_itself(part: str) -> BatonError:
    return BatonError(
        "A part of the worker ended unexpectedly",
        where=part,
        why="no shutdown was requested, and it raised no error",
        next_command="baton up   (the log lines above may show the reason)",
    )


async def wait_for_stop(stop: asyncio.Event, seconds: float) -> None:
    """Return when `stop` is set, or after this long."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


def as_baton_error(error: BaseException) -> BatonError:
    """An actionable error for anything that ended a worker. An unexpected error is logged in full."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, BatonError):
        return error
    why = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    if isinstance(error, duckdb.Error) and is_damage(error):
        return damaged("", str(error))
    if isinstance(error, duckdb.Error):
        what, next_command = "The warehouse failed", "baton up   (free disk space first if the disk is full)"
    elif isinstance(error, KafkaError):
        return BatonError(
            "Kafka failed", where=where, why=why, next_command="baton doctor", exit_code=ExitCode.UNREACHABLE
        )
    else:
        log.error("unexpected error", exc_info=error)
        what, next_command = "The worker hit an unexpected error", "baton up   (and report the lines above)"
    return BatonError(what, where=where, why=why, next_command=next_command)


def end_process(code: int) -> None:
    """End now: Faust's threads would keep the interpreter alive, and its services print after the end."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
