"""The shutdown of a worker: requested, or forced by the first error. Nothing that failed goes on."""

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

log = logging.getLogger("baton.worker")


class Shutdown:
    """Shared by everything that runs in one worker: `stop` asks all to finish, fail() ends the process."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.error: BaseException | None = None
        self._decided = asyncio.Event()

    def request(self) -> None:
        """Finish what is in hand and end well."""
        self.stop.set()
        self._decided.set()

    def fail(self, error: BaseException) -> None:
        """End with this error. The first one counts; those it drags along do not."""
        if self.error is None:
            self.error = error
        self._decided.set()

    async def wait(self) -> None:
        """Return once the end is asked for; raise the error that decided it."""
        await self._decided.wait()
        if self.error is not None:
            raise self.error

    async def watch(self, part: str, work: Awaitable[object]) -> None:
        """Run a part of the worker. That it fails, or ends although nobody asked, ends the process."""
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
        """Around an agent's work on one event: on an error the agent never gets to the acknowledgement.

        Faust acknowledges an event as soon as its agent lets go of it, however that happens, and commits
        past it. So a failed agent holds on until the process has ended.
        """
        try:
            yield
        except Exception as error:
            self.fail(error)
            await asyncio.Event().wait()


def _ended_by_itself(part: str) -> BatonError:
    return BatonError(
        "A part of the worker ended by itself",
        where=part,
        why="nobody asked it to, and it gave no error",
        next_command="look at the lines above in the log, then: baton up",
    )


async def wait_for_stop(stop: asyncio.Event, seconds: float) -> None:
    """Return when `stop` is set, or after this long."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


def as_baton_error(error: BaseException) -> BatonError:
    """What a person can act on, from anything that ended a worker. What nobody foresaw is logged in full."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, BatonError):
        return error
    why = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    if isinstance(error, duckdb.Error):
        what, next_command = "The warehouse failed", "free disk space if it is full, then: baton up"
    elif isinstance(error, KafkaError):
        return BatonError(
            "Kafka failed", where=where, why=why, next_command="baton doctor", exit_code=ExitCode.UNREACHABLE
        )
    else:
        log.error("unforeseen error", exc_info=error)
        what, next_command = "The worker met an unforeseen error", "report the lines above, then: baton up"
    return BatonError(what, where=where, why=why, next_command=next_command)


def end_process(code: int) -> None:
    """End now: threads of Faust would keep the interpreter alive, and its services talk after the end."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
