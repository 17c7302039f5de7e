"""What runs in a worker, in one event loop: the data plane (sink, read models; for reactions measurement and
relay), and the agents.

Crash-only: the first error anywhere ends the process, and a restart is the only recovery.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import mode

from projections.playbook import Playbook
from schemas.catalogue import CATALOGUE
from streams.kafka.names import names_of
from streams.kafka.producer import Producer
from streams.kafka.registry import registry_lookup
from streams.kafka.topics import log_extent, topic_ids
from streams.project import Project
from streams.reactions.app import ReactionWorker, Surroundings, ensure_own_topics, make_app
from streams.reactions.description import Description
from streams.reactions.rule_board import RuleBoard, follow_rules
from streams.receivers.configuration import read_receivers
from streams.worker.lag_log import LagLog
from streams.worker.log_watch import LogWatch
from streams.worker.meters import Meters
from streams.worker.outbox_relay import OutboxRelay
from streams.worker.refresh_loop import RefreshLoop
from streams.worker.rules_watch import RulesWatch
from streams.worker.shutdown import Shutdown
from streams.worker.sink import Extent, Sink
from streams.worker.withheld import WithheldRecords
from streams.worker_log import report
from warehouse.measurement import Measurement
from warehouse.warehouse import Warehouse
from warehouse.writer import WarehouseWriter

# Fewer records than this waiting in Kafka count as caught up.
FEW_RECORDS = 1_000
FAUST_STOP_SECONDS = 5.0


class DataPlane:
    """Sink and read models over one warehouse; with a producer also measurement and the outbox relay."""

    def __init__(
        self,
        project: Project,
        warehouse: Warehouse,
        extent: Extent,
        producer: Producer | None,
        meters: Meters,
    ) -> None:
        """`extent`: what Kafka held before the start; nothing is measured until the sink has read it."""
        self.warehouse = warehouse
        self.extent = extent
        registry = registry_lookup(project)
        self.sink = Sink(
            WarehouseWriter(warehouse),
            project.client_settings(),
            extent,
            names=names_of(project),
            registry=registry,
            on_commit=LagLog(report),
            watch=LogWatch(project, CATALOGUE.fact_topics, warehouse.recognise_topics),
            withheld=WithheldRecords(warehouse.cursor(), registry) if registry else None,
            progress=meters.progress,
        )
        self.relay = OutboxRelay(warehouse.connection.cursor(), producer) if producer else None
        self.refresh_loop = RefreshLoop(
            warehouse.read_models(),
            Measurement(warehouse.read_models()) if producer else None,
            self.is_caught_up,
            lambda: self.sink.progress.batches,
            meters.refreshes,
        )
        self._has_read_backlog = False

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop`; then each part finishes its current work. Raises the first error of any part."""
        async with asyncio.TaskGroup() as parts:
            parts.create_task(self.sink.run(stop))
            parts.create_task(self.refresh_loop.run(stop))
            if self.relay:
                parts.create_task(self.relay.run(stop))

    def is_caught_up(self) -> bool:
        """True while the sink has read all but a few of the records it knows of."""
        if not self._has_read_backlog:
            stored = self.warehouse.next_offsets()
            behind = sum(end - max(first, stored.get(p, 0)) for p, (first, end) in self.extent.items())
            self._has_read_backlog = behind < FEW_RECORDS
        return self._has_read_backlog and self.sink.progress.waiting < FEW_RECORDS


class DataService(mode.Service):
    """The data plane as a service that Faust's worker supervises."""

    def __init__(self, plane: DataPlane, shutdown: Shutdown) -> None:
        super().__init__()
        self.plane = plane
        self.shutdown = shutdown
        self.running: asyncio.Future[None] | None = None

    async def on_start(self) -> None:
        """Start the parts. A failure in one ends the process, however mode handles it."""
        self.running = self.add_future(self.shutdown.watch("data plane", self.plane.run(self.shutdown.stop)))

    async def on_stop(self) -> None:
        """Let the parts finish their current work; mode would cancel them."""
        if self.running:
            await self.running


async def run_planes(
    project: Project,
    playbook: Playbook,
    warehouse: Warehouse | None,
    shutdown: Shutdown,
    report_ready: Callable[[], None],
    meters: Meters,
    *,
    is_reacting: bool,
    may_cost: Callable[[str], str] = lambda sla: "",
) -> None:
    """Run until `shutdown`; raises the error that caused it. Without a warehouse only the agents run.
    meters: where the data plane counts its work. may_cost: what a late case may cost, in words."""
    extent: Extent = {}
    if warehouse is not None:
        warehouse.recognise_topics(topic_ids(project, CATALOGUE.fact_topics))
        extent = log_extent(project, CATALOGUE.fact_topics)
    if not is_reacting:
        assert warehouse is not None
        plane = DataPlane(project, warehouse, extent, None, meters)
        running = asyncio.create_task(shutdown.watch("data plane", plane.run(shutdown.stop)))
        report_ready()
        await shutdown.wait()
        await running
    else:
        ensure_own_topics(project)
        async with Producer(project.client_settings(), names=names_of(project)) as producer:
            board = RuleBoard(playbook)
            rules = await _known_rules(project, board, warehouse, producer, shutdown)
            app = make_app(project, _surroundings(project, board, producer, shutdown, may_cost))
            reacting = DataPlane(project, warehouse, extent, producer, meters) if warehouse else None
            data = DataService(reacting, shutdown) if reacting else None
            worker = ReactionWorker(app, *([data] if data else []))
            starting = asyncio.create_task(shutdown.watch("reaction plane", _follow(worker, report_ready)))
            await shutdown.wait()
            rules.cancel()
            await _stop(worker, starting)
            if data and data.running:
                await data.running
    await shutdown.wait()  # an error while stopping is an error


async def _known_rules(
    project: Project, board: RuleBoard, warehouse: Warehouse | None, producer: Producer, shutdown: Shutdown
) -> asyncio.Task[None]:
    """Learn the rules in force, and follow them from then on."""
    if warehouse is not None:
        watch = RulesWatch(warehouse, board, producer)
        await watch.apply(watch.look())
        return asyncio.create_task(shutdown.watch("rules of alerts", watch.run(shutdown.stop)))
    is_known = asyncio.Event()
    following = follow_rules(board, project.client_settings(), names_of(project), is_known)
    task = asyncio.create_task(shutdown.watch("rules of alerts", following))
    known = asyncio.create_task(is_known.wait())
    await asyncio.wait([known, task], return_when=asyncio.FIRST_COMPLETED)
    known.cancel()
    return task


def _surroundings(
    project: Project,
    board: RuleBoard,
    producer: Producer,
    shutdown: Shutdown,
    may_cost: Callable[[str], str],
) -> Surroundings:
    pinned_as_of = project.pinned_as_of

    def clock() -> datetime:
        return pinned_as_of or datetime.now(UTC)

    return Surroundings(
        board,
        producer.deliver,
        shutdown.before_ack,
        shutdown.watch,
        shutdown.fail,
        read_receivers(project.receivers_file),
        Description(board, project.page_url, clock, may_cost),
        clock,
        registry_lookup(project),
    )


async def _follow(worker: ReactionWorker, report_ready: Callable[[], None]) -> None:
    """Start Faust, report when it is ready, and return when it stops. Raises what crashed it."""
    await worker.start()
    ready = asyncio.create_task(worker.is_ready.wait())
    stopped = asyncio.create_task(worker.wait_until_stopped())
    await asyncio.wait([ready, stopped], return_when=asyncio.FIRST_COMPLETED)
    if ready.done():
        report_ready()
    await stopped
    if worker.crash_reason:
        raise worker.crash_reason


async def _stop(worker: ReactionWorker, starting: asyncio.Task[None]) -> None:
    """Stop Faust in bounded time. It reads what it has not committed again at the next start."""
    stopping = asyncio.create_task(worker.stop())
    await asyncio.wait([stopping], timeout=FAUST_STOP_SECONDS)
    starting.cancel()
