"""The Faust app of the reaction plane. Only this module builds it; agents get what they need passed in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import faust
from faust.transport.drivers import aiokafka
from faust.types import TP, StreamT
from yarl import URL

from schemas.catalogue import DERIVED_TOPIC
from schemas.codec import RegistryLookup
from streams.kafka.admin import admin
from streams.kafka.names import names_of
from streams.kafka.topics import (
    ALERTS_BY_ID,
    OBLIGATIONS_BY_HANDOFF,
    OVERDUE_BY_PAIR,
    REACTION_GROUP,
    RULES_TOPIC,
    create_topics,
    existing_topics,
    needs_of,
)
from streams.project import Project
from streams.reactions.alert_notices import ALERTS_TOPIC, AlertNotices, route_alert_events
from streams.reactions.delivery import Deliveries, Describe
from streams.reactions.forwarding import Forwarder
from streams.reactions.measurements import BeforeAck, Deliver, route_measured
from streams.reactions.obligation_alerts import ObligationAlerts
from streams.reactions.overdue_alerts import OverdueAlerts
from streams.reactions.rule_board import RuleBoard
from streams.reactions.timers import Timers
from streams.receivers.configuration import Receiver

# Fixed: a table has as many partitions as the topic that its agent reads.
FORWARDED_PARTITIONS = {OVERDUE_BY_PAIR: 2, OBLIGATIONS_BY_HANDOFF: 4, ALERTS_BY_ID: 4}
TABLES = {
    "overdue": FORWARDED_PARTITIONS[OVERDUE_BY_PAIR],
    "obligations": FORWARDED_PARTITIONS[OBLIGATIONS_BY_HANDOFF],
    "alerts": FORWARDED_PARTITIONS[ALERTS_BY_ID],
}

# A killed worker's partitions are released after this long; until then its successor waits.
SESSION_SECONDS = 10.0


@dataclass(frozen=True)
class Surroundings:
    """What the agents need of the worker they run in. watch: runs a part whose failure ends the process.
    clock:
    the wall clock, or the instant at which the project's open clocks are read."""

    board: RuleBoard
    deliver: Deliver
    before_ack: BeforeAck
    watch: Callable[[str, Awaitable[object]], Awaitable[None]]
    fail: Callable[[BaseException], None]
    receivers: Mapping[str, Receiver]
    describe: Describe
    clock: Callable[[], datetime]
    registry: RegistryLookup | None = None


def make_app(project: Project, given: Surroundings) -> faust.App:
    """The app with its agents, tables and loops. Its topics must exist before it starts:
    ensure_own_topics()."""
    names = names_of(project)
    app = faust.App(
        names.in_kafka(REACTION_GROUP),
        **_connection(project.client_settings()),
        store="memory://",
        datadir=str(project.home / "faust"),
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=SESSION_SECONDS / 5,
        stream_wait_empty=True,  # on a stop, events in hand are finished before their offsets are committed
    )
    forwarder = Forwarder(given.deliver, given.fail)
    app.transport = _Transport(app.conf.broker_consumer, app)
    app.transport.before_commit = forwarder.settled
    tables = {name: _Table(app, name, partitions) for name, partitions in TABLES.items()}
    of_all: dict[str, Any] = {"deliver": given.deliver, "before_ack": given.before_ack}
    of_all |= {"registry": given.registry, "names": names}
    of_routes = {**of_all, "deliver": forwarder.forward}
    of_rules: dict[str, Any] = {"board": given.board, "clock": given.clock, **of_all}
    obligations = ObligationAlerts(store=tables["obligations"], **of_rules)
    overdue = OverdueAlerts(store=tables["overdue"], **of_rules)
    deliveries = Deliveries(
        tables["alerts"],
        given.board,
        given.deliver,
        given.describe,
        given.receivers,
        ALERTS_BY_ID,
        TABLES["alerts"],
        given.clock,
    )
    known = AlertNotices(
        store=tables["alerts"], on_known=deliveries.on_known, on_sync=deliveries.on_sync, **of_all
    )

    # Faust distinguishes agents by the names of their functions.
    async def route_measurements(stream: StreamT[bytes]) -> AsyncIterator[None]:
        routed: dict[str, Any] = {"by_pair": OVERDUE_BY_PAIR, "by_handoff": OBLIGATIONS_BY_HANDOFF}
        async for done in route_measured(stream.events(), **routed, **of_routes):
            yield done

    async def open_overdue_alerts(stream: StreamT[bytes]) -> AsyncIterator[None]:
        async for done in overdue.agent(stream.events()):
            yield done

    async def follow_obligations(stream: StreamT[bytes]) -> AsyncIterator[None]:
        async for done in obligations.agent(stream.events()):
            yield done

    async def route_alerts(stream: StreamT[bytes]) -> AsyncIterator[None]:
        async for done in route_alert_events(stream.events(), to_topic=ALERTS_BY_ID, **of_routes):
            yield done

    async def follow_alerts(stream: StreamT[bytes]) -> AsyncIterator[None]:
        async for done in known.agent(stream.events()):
            yield done

    for name, agent in (
        (DERIVED_TOPIC, route_measurements),
        (OVERDUE_BY_PAIR, open_overdue_alerts),
        (OBLIGATIONS_BY_HANDOFF, follow_obligations),
        (ALERTS_TOPIC, route_alerts),
        (ALERTS_BY_ID, follow_alerts),
    ):
        raw: dict[str, Any] = {"key_serializer": "raw", "value_serializer": "raw"}
        app.agent(app.topic(names.in_kafka(name), value_type=bytes, **raw))(agent)

    timers = Timers(obligations, overdue, deliveries, given.deliver)
    given.board.on_change(timers.look_at_all)

    async def stop_fetching(app: faust.App, **_: Any) -> None:
        """Once tables are recovered: fetch no records until Faust has found the offsets to resume from.

        Otherwise 0.15.3 keeps fetching, seeks, and then empties the agents' queues: events fetched in between
        are not processed before the next start. It resumes the flow itself, after the seek.
        """
        app.consumer.stop_flow()
        alerts = names.in_kafka(ALERTS_BY_ID)
        timers.own([tp.partition for tp in app.assignor.assigned_actives() if tp.topic == alerts])

    app.on_rebalance_complete.connect(stop_fetching, weak=False)  # type: ignore[arg-type]
    for part, run in (("timers of alerts", timers.run), ("deliveries of alerts", deliveries.run)):
        app.task(partial(_run_watched, given.watch, part, run))
    return app


async def _run_watched(
    watch: Callable[[str, Awaitable[object]], Awaitable[None]],
    part: str,
    run: Callable[[], Awaitable[None]],
    app: faust.App | None = None,
) -> None:
    await watch(part, run())


class _ConsumerThread(aiokafka.AIOKafkaConsumerThread):
    """Reads committed records only. Faust does so only where its own producers use transactions."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        self.consumer.in_transaction = True
        try:
            return super()._create_worker_consumer(transport)
        finally:
            self.consumer.in_transaction = False


class _Consumer(aiokafka.Consumer):
    """Faust's consumer, with each fetch asking for the partitions it was started with.

    In 0.15.3 it shares a set with the code that pauses partitions: once that is empty, a fetch asks for all.
    """

    def _new_consumer_thread(self) -> aiokafka.AIOKafkaConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        """No offset is committed before Kafka has what tables changed up to it: 0.15.3 does not wait for
        that, and a worker killed in between would have lost a change for good."""
        transport: Any = self.transport
        await transport.before_commit()
        await self.app.producer.flush()
        return bool(await super()._commit_offsets(offsets, start_new_transaction))

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        wanted = None if active_partitions is None else set(active_partitions)
        return await super()._getmany(wanted, timeout)


class _Transport(aiokafka.Transport):
    Consumer = _Consumer
    before_commit: Callable[[], Awaitable[None]]


class _Table:
    """A Faust table of JSON by key, as the agents use it: writing only while they process an event.

    A window is part of a key, by the time of events: windows never expire, for a log from years ago counts
    like today's, and a rule with a window of another length needs no other table.
    """

    def __init__(self, app: faust.App, name: str, partitions: int) -> None:
        self._table = app.Table(name, partitions=partitions)

    def get(self, key: str) -> Any:
        return self._table.get(key)

    def put(self, key: str, value: Any) -> None:
        self._table[key] = value

    def items(self) -> Iterable[tuple[str, Any]]:
        found: Iterable[tuple[str, Any]] = self._table.items()
        return found


def ensure_own_topics(project: Project) -> None:
    """Create the app's own topics if they are missing: Faust would create them with one replica only,
    and would never notice a source topic that appears later."""
    names, needs = names_of(project), needs_of(project)
    group = names.in_kafka(REACTION_GROUP)
    changelogs = {f"{group}-{name}-changelog": partitions for name, partitions in TABLES.items()}
    forwarded = {names.in_kafka(name): partitions for name, partitions in FORWARDED_PARTITIONS.items()}
    with admin(project) as client:
        existing = existing_topics(client)
        compacted = {**changelogs, names.in_kafka(RULES_TOPIC): 1}
        for policy, wanted in (("delete", forwarded), ("compact", compacted)):
            missing = {name: partitions for name, partitions in wanted.items() if name not in existing}
            configs = {**needs.configs, "cleanup.policy": policy, "retention.ms": "-1"}
            create_topics(client, missing, configs, replicas=needs.replicas)


def _connection(kafka: Mapping[str, Any]) -> dict[str, Any]:
    """The connection settings of the other clients, in Faust's form."""
    servers = str(kafka["bootstrap_servers"]).split(",")
    settings: dict[str, Any] = {"broker": [URL(f"kafka://{server.strip()}") for server in servers]}
    context = kafka.get("ssl_context")
    if "sasl_oauth_token_provider" in kafka:
        settings["broker_credentials"] = faust.OAuthCredentials(
            oauth_cb=kafka["sasl_oauth_token_provider"], ssl_context=context
        )
    elif "sasl_mechanism" in kafka:
        # Without a context this is SASL_PLAINTEXT, which Project allows on loopback only.
        settings["broker_credentials"] = faust.SASLCredentials(
            username=kafka["sasl_plain_username"],
            password=kafka["sasl_plain_password"],
            mechanism=kafka["sasl_mechanism"],
            ssl_context=context,
        )
    elif context is not None:
        settings["broker_credentials"] = faust.SSLCredentials(context=context)
    return settings


class ReactionWorker(faust.Worker):
    """Faust's worker without process control: signals, logging and exit code are the caller's."""

    def __init__(self, app: faust.App, *services: Any) -> None:
        loop = asyncio.get_running_loop()
        own: dict[str, Any] = {
            "quiet": True,
            "redirect_stdouts": False,
            "override_logging": False,
            "daemon": False,
        }
        super().__init__(app, *services, loop=loop, **own)
        self.is_ready = asyncio.Event()

    async def on_first_start(self) -> None:
        """Do nothing: the default would take over signals, logging and the working directory."""

    async def on_startup_finished(self) -> None:
        """Faust calls this once tables are recovered and agents read."""
        self.is_ready.set()
