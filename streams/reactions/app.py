"""The Faust app of the reaction plane. Only this module builds it; agents get what they need passed in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import faust
from faust.transport.drivers import aiokafka
from faust.types import TP, EventT, StreamT
from yarl import URL

from projections.playbook import AlertRule, Playbook
from schemas.catalogue import DERIVED_TOPIC
from schemas.codec import RegistryLookup
from streams.kafka.admin import admin
from streams.kafka.names import names_of
from streams.kafka.topics import OVERDUE_BY_PAIR, REACTION_GROUP, create_topics, existing_topics, needs_of
from streams.project import Project
from streams.reactions.measurements import BeforeAck, Deliver, read_measured, route_overdue
from streams.reactions.overdue_alerts import KIND, Tally, open_alerts

PARTITIONS = 2

# A killed worker's partitions are released after this long; until then its successor waits.
SESSION_SECONDS = 10.0


def make_app(
    project: Project,
    playbook: Playbook,
    deliver: Deliver,
    before_ack: BeforeAck,
    registry: RegistryLookup | None = None,
) -> faust.App:
    """The app with its agents and tables. Its topics must exist before it starts: ensure_own_topics()."""
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
    app.transport = _Transport(app.conf.broker_consumer, app)
    rules = [rule for rule in playbook.alerts if rule.kind == KIND]
    tables = {_table_name(rule): _EventTimeTable(app, rule, registry) for rule in rules}
    measured, overdue = (
        app.topic(names.in_kafka(name), key_serializer="raw", value_serializer="raw", value_type=bytes)
        for name in (DERIVED_TOPIC, OVERDUE_BY_PAIR)
    )

    async def route_overdue_answers(stream: StreamT[bytes]) -> AsyncIterator[None]:
        async for done in route_overdue(
            stream.events(),
            to_topic=OVERDUE_BY_PAIR,
            deliver=deliver,
            before_ack=before_ack,
            registry=registry,
            names=names,
        ):
            yield done

    async def open_overdue_alerts(stream: StreamT[bytes]) -> AsyncIterator[None]:
        async for done in open_alerts(
            stream.events(),
            rules=rules,
            windows_of=lambda rule: tables[_table_name(rule)],
            deliver=deliver,
            before_ack=before_ack,
            clock=lambda: datetime.now(UTC),
            registry=registry,
            names=names,
        ):
            yield done

    app.on_rebalance_complete.connect(_stop_fetching)  # type: ignore[arg-type]  # Faust calls it by keyword
    app.agent(measured)(route_overdue_answers)
    app.agent(overdue)(open_overdue_alerts)
    return app


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

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        wanted = None if active_partitions is None else set(active_partitions)
        return await super()._getmany(wanted, timeout)


class _Transport(aiokafka.Transport):
    Consumer = _Consumer


async def _stop_fetching(app: faust.App, **_: Any) -> None:
    """Once tables are recovered: fetch no records until Faust has found the offsets to resume from.

    Otherwise 0.15.3 keeps fetching, seeks, and then empties the agents' queues: events fetched in between
    are not processed before the next start. It resumes the flow itself, after the seek.
    """
    app.consumer.stop_flow()


class _EventTimeTable:
    """A Faust tumbling table whose window is chosen by the event's occurred_at, never by a clock.

    Its windows do not expire: a log from years ago is counted like today's. It holds one small tally for
    each window in which an answer became overdue.
    """

    def __init__(self, app: faust.App, rule: AlertRule, registry: RegistryLookup | None) -> None:
        def occurred_at(event: EventT[Any] | None = None) -> float:
            assert event is not None
            found = read_measured(event.message.value, registry)
            assert isinstance(found, dict)
            instant: datetime = found["occurred_at"]
            return instant.timestamp()

        table = app.Table(_table_name(rule), partitions=PARTITIONS).tumbling(rule.window)
        self._table = table.relative_to(occurred_at)  # type: ignore[attr-defined]  # its declared type lacks it

    def get(self, key: str) -> Tally | None:
        try:
            tally: Tally | None = self._table[key].value()
        except KeyError:
            return None
        return tally

    def put(self, key: str, tally: Tally) -> None:
        self._table[key] = tally


def _table_name(rule: AlertRule) -> str:
    """Rules with windows of one length share a table, so its topic's name contains no playbook text."""
    return f"overdue-{int(rule.window.total_seconds())}s"


def ensure_own_topics(project: Project, playbook: Playbook) -> None:
    """Create the app's own topics if they are missing: Faust would create them with one replica only,
    and would never notice a source topic that appears later."""
    names, needs = names_of(project), needs_of(project)
    group = names.in_kafka(REACTION_GROUP)
    changelogs = {f"{group}-{_table_name(rule)}-changelog" for rule in playbook.alerts}
    with admin(project) as client:
        existing = existing_topics(client)
        for policy, wanted in (("delete", {names.in_kafka(OVERDUE_BY_PAIR)}), ("compact", changelogs)):
            missing = dict.fromkeys(wanted - existing.keys(), PARTITIONS)
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
