"""The worker with both planes, on a real Kafka: what it measures, what it raises, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from projections.alert_rules import OVERDUE_IN_WINDOW
from projections.playbook import DEFAULT_PLAYBOOK, Playbook, read_playbook
from schemas.catalogue import CATALOGUE
from schemas.codec import decode, encode
from schemas.errors import ExitCode
from streams.kafka.admin import admin
from streams.kafka.publisher import Publisher
from streams.kafka.topics import REACTION_GROUP, change_topics, committed_offsets, log_extent
from streams.project import Project
from streams.queries.verification import verify
from streams.queries.warehouse_access import ask_warehouse
from streams.reactions.overdue_alerts import window_start
from streams.simulator import simulate
from tests.given import as_bytes, given, in_memory
from warehouse.measurement import Measurement
from warehouse.warehouse import Warehouse

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).resolve().parents[3]
MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOSTILE = bytes.fromhex("c301") + b"\xff" * 40
LATENCY, ALERTS, DEAD_LETTER = "funnel.handoff-latency", "funnel.alerts", "funnel.dead-letter"


class Site:
    """A project folder on the tests' Kafka, in which `baton` is run."""

    def __init__(self, folder: Path, kafka: str) -> None:
        self.folder = folder
        self.kafka = kafka
        self.project = Project(home=folder / ".baton", cwd=folder, kafka=kafka)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
        self.env = {**kept, "PYTHONPATH": str(ROOT), "BATON_KAFKA": kafka}

    def baton(self, *arguments: str) -> str:
        run = subprocess.run(
            self._command(*arguments),
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def rows(self, statement: str) -> list[dict[str, Any]]:
        columns, rows = ask_warehouse(self.project, statement)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def start(self, purpose: str) -> subprocess.Popen[str]:
        with (self.folder / "log").open("a") as log:
            return subprocess.Popen(
                self._command("worker", purpose),
                cwd=self.folder,
                env=self.env,
                stdout=log,
                stderr=log,
                text=True,
            )

    @contextmanager
    def worker(self, purpose: str = "reactions") -> Iterator[subprocess.Popen[str]]:
        process = self.start(purpose)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def file(self, name: str) -> Path:
        return self.folder / ".baton" / "run" / name

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @staticmethod
    def _command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "streams.cli.main", *arguments]


@pytest.fixture
def site(tmp_path: Path, clean_kafka: str) -> Site:
    return Site(tmp_path, clean_kafka)


def read(kafka: str, topic: str) -> list[ConsumerRecord]:
    """Every record of a topic, as it lies there now."""
    extent = log_extent(kafka, [topic])
    consumer = KafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, max_poll_records=100_000)
    try:
        places = [TopicPartition(*place) for place in extent]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        left = sum(end - begin for begin, end in extent.values())
        records: list[ConsumerRecord] = []
        while len(records) < left:
            records += [r for found in consumer.poll(timeout_ms=1_000).values() for r in found]
        return records
    finally:
        consumer.close()


def decoded(records: Iterable[ConsumerRecord]) -> list[dict[str, Any]]:
    """The readable events among the records."""
    frames = decode([record.value for record in records], CATALOGUE).frames
    return [row for frame in frames.values() for row in frame.drop("_row").to_dicts()]


def until(is_so: Callable[[], bool], site: Site, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not so after {seconds} s; the worker's log:\n{site.log}"
        time.sleep(0.3)


def offers(count: int, at: datetime, prefix: str = "h") -> list[dict[str, Any]]:
    return [
        {
            "type": "HandoffOffered",
            "occurred_at": (at + timedelta(minutes=n)).isoformat(),
            "source": "test",
            "handoff_id": f"{prefix}{n}",
            "lead_id": f"lead-{prefix}{n}",
            "from_team": "marketing",
            "to_team": "sales_development",
            "reason": "qualified",
        }
        for n in range(count)
    ]


def overdue(handoff: str, at: datetime) -> bytes:
    instants = {"occurred_at": at, "recorded_at": at, "offered_at": at - timedelta(hours=2), "due_at": at}
    record = {
        **instants,
        "event_id": f"overdue-{handoff}",
        "source": "baton",
        "handoff_id": handoff,
        "lead_id": "l",
        "measure": "overdue",
        "from_team": "marketing",
        "to_team": "sales_development",
        "is_clock_suspect": False,
        "playbook_version": "v",
    }
    return encode(CATALOGUE.event_types["HandoffMeasured"], record)


# --- both planes ------------------------------------------------------------------------------------


def test_silence_becomes_an_alert_and_the_unreadable_lands_with_its_bytes(site: Site) -> None:
    """One worker: six offers nobody answers, one that is answered, and hostile bytes for either plane."""
    fifth = MONDAY + timedelta(hours=2, minutes=4)
    answer = {"type": "HandoffAccepted", "source": "test", "handoff_id": "h6", "owner": "sdr-anna"}
    answered = {**answer, "occurred_at": (MONDAY + timedelta(minutes=20)).isoformat(), "lead_id": "lead-h6"}
    with Publisher(site.kafka) as publisher:
        publisher.publish_many([*offers(7, MONDAY), answered])
    producer = KafkaProducer(bootstrap_servers=site.kafka)
    for topic in ("funnel.marketing", LATENCY):
        producer.send(topic, HOSTILE, key=b"who")
    producer.close()

    with site.worker("numbers"), site.worker() as worker:
        for name in ("numbers", "reactions"):
            until(lambda: site.file(f"{name}-ready.json").exists(), site)  # noqa: B023
        until(lambda: len(read(site.kafka, DEAD_LETTER)) == 2, site)
        of_pair = (
            "select opened_at from funnel.alert where state = 'resolved' and subject_kind = 'handoff_pair'"
        )
        until(lambda: site.rows(of_pair) == [{"opened_at": fifth}], site)
        alerts = json.loads(site.baton("alerts", "ls", "--json", "--state", "resolved"))
        (alert,) = [alert for alert in alerts if alert["rule"] == "handoffs_overdue"]
        verification = verify(site.project)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=10) == ExitCode.OK, site.log

    assert site.log == ""
    assert not site.file("reactions-ready.json").exists() and not site.file("reactions-sql.json").exists()
    assert verification.is_equal, verification.differing

    measured = decoded(r for r in read(site.kafka, LATENCY) if r.value != HOSTILE)
    moments = [m for m in measured if "measure" in m]
    assert Counter(m["measure"] for m in moments) == {"opened": 7, "answered": 1, "overdue": 6}
    assert len({m["event_id"] for m in moments}) == 14

    # Due two hours after the offer: 11:00 to 11:05; the fifth of them reached the threshold, whichever
    # of the topic's partitions was read first.
    assert (alert["rule"], alert["subject"]) == ("handoffs_overdue", "marketing>sales_development")
    assert (alert["observed"], alert["sample_size"]) == (5.0, 5)
    assert alert["opened_at"] == "2026-03-02T11:04:00+00:00"
    assert alert["window_start_at"] == "2026-03-02T11:00:00+00:00"

    letters = {dict(r.headers)["baton_topic"].decode(): r for r in read(site.kafka, DEAD_LETTER)}
    assert letters.keys() == {"funnel.marketing", LATENCY}
    for letter in letters.values():
        headers = {name: value.decode() for name, value in letter.headers}
        assert (letter.key, letter.value) == (b"who", HOSTILE)
        assert headers["baton_stage"] == "schema" and "fingerprint" in headers["baton_reason"]
        assert headers["baton_offset"].isdigit() and headers["baton_partition"].isdigit()


def test_a_worker_killed_at_any_moment_repeats_ids_and_loses_none(site: Site) -> None:
    pair_is_late = DEFAULT_PLAYBOOK.read_text().replace("threshold = 5 ", "threshold = 2 ")
    (site.folder / "playbook.toml").write_text(pair_is_late.replace("minimum_n = 5", "minimum_n = 2"))
    playbook = read_playbook(site.project.playbook_file)
    simulate(5, 300, site.folder)
    lines = [json.loads(line) for line in (site.folder / "events.jsonl").read_text().splitlines()]
    with Publisher(site.kafka) as publisher:
        publisher.publish_many(lines)
    expected = expected_measurements(lines, playbook)
    expected_alerts = windows_over_the_threshold(expected.values(), playbook)

    with site.worker() as worker:  # leaving kills it, with SIGKILL
        until(lambda: len(read(site.kafka, LATENCY)) >= len(expected) // 3, site)
        assert worker.poll() is None
    with site.worker(), site.worker("numbers"):
        until(lambda: ids(read(site.kafka, LATENCY)) >= expected.keys(), site, seconds=40)
        until(lambda: alerts_in(site) >= expected_alerts, site, seconds=40)
        until(lambda: site.file("numbers-ready.json").exists(), site)
        of_pairs = "select alert_id from funnel.alert where subject_kind = 'handoff_pair'"
        until(lambda: len(site.rows(of_pairs)) >= len(expected_alerts), site)
        shown = site.rows("select alert_id, rule, subject, window_start_at from funnel.alert")

    assert ids(read(site.kafka, LATENCY)) == expected.keys()
    assert expected_alerts and alerts_in(site) == expected_alerts
    assert len({alert["alert_id"] for alert in shown}) == len(shown)


def ids(records: Iterable[ConsumerRecord]) -> set[str]:
    """Of the moments of handoffs; obligations have tests of their own."""
    return {event["event_id"] for event in decoded(records) if "measure" in event}


def alerts_in(site: Site) -> set[tuple[str, datetime]]:
    opened = [a for a in decoded(read(site.kafka, ALERTS)) if a.get("window_start_at")]
    return {(a["subject_id"], a["window_start_at"]) for a in opened}


def expected_measurements(lines: list[dict[str, Any]], playbook: Playbook) -> dict[str, dict[str, Any]]:
    """What one measurement of the whole log says, by event_id."""
    with in_memory(playbook) as warehouse:
        given(warehouse, as_bytes(lines))
        Measurement(warehouse.read_models()).measure()
        values = warehouse.connection.execute("select value from warehouse.outbox").fetchall()
    frame = decode([value for (value,) in values], CATALOGUE).frames["HandoffMeasured"]
    return {row["event_id"]: row for row in frame.to_dicts()}


def windows_over_the_threshold(
    measured: Iterable[dict[str, Any]], playbook: Playbook
) -> set[tuple[str, datetime]]:
    rule = next(rule for rule in playbook.alerts if rule.kind == OVERDUE_IN_WINDOW)
    late: dict[tuple[str, datetime], set[str]] = defaultdict(set)
    for m in measured:
        if m["measure"] == "overdue" and not m["is_clock_suspect"]:
            window = window_start(m["occurred_at"], rule.window)
            late[f"{m['from_team']}>{m['to_team']}", window].add(m["handoff_id"])
    return {place for place, handoffs in late.items() if len(handoffs) >= rule.threshold}


def test_an_error_in_the_sink_ends_the_worker_with_its_message_as_the_last_words(site: Site) -> None:
    with Publisher(site.kafka) as publisher:
        publisher.publish_many(offers(3, MONDAY))
    with Warehouse.open(site.folder / ".baton" / "reactions.duckdb", read_playbook()) as warehouse:
        warehouse.connection.execute("insert into warehouse.next_offset values ('funnel.sales', 0, 99, 99)")

    with site.worker() as worker:
        assert worker.wait(timeout=30) == ExitCode.DATA_PROBLEMS

    what, where, why, next_command = site.log.splitlines()[-4:]
    assert what == "baton: Kafka lost its tail of a topic that the warehouse has read"
    assert where == "  where: funnel.sales, partition 0"
    assert why == "  why:   the warehouse is at offset 99; the log now holds 0 to 0"
    assert next_command.startswith("  next:  ")
    assert not site.file("reactions-ready.json").exists() and not site.file("reactions-sql.json").exists()


def test_an_agent_that_fails_ends_the_worker_and_its_event_is_read_again(site: Site) -> None:
    """Kafka refuses the dead letter of the second event: it must not count as done."""
    producer = KafkaProducer(bootstrap_servers=site.kafka)
    for value in (overdue("h1", MONDAY), HOSTILE * 20, overdue("h2", MONDAY)):
        producer.send(LATENCY, value, partition=0)
    producer.close()

    allow_dead_letters_of(site.kafka, "100")  # not even one without its bytes
    with site.worker("agents") as worker:
        assert worker.wait(timeout=40) == ExitCode.UNREACHABLE, site.log
    said = site.log
    offset = committed_offsets(site.kafka, REACTION_GROUP).get((LATENCY, 0), 0)
    allow_dead_letters_of(site.kafka, "1048588")
    with site.worker("agents") as worker:
        until(lambda: len(read(site.kafka, DEAD_LETTER)) == 1, site)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=10) == ExitCode.OK, site.log

    what, where, why, _ = said.splitlines()[-4:]
    assert (what, where) == ("baton: Kafka did not take a message", f"  where: {DEAD_LETTER}")
    assert "MessageSizeTooLarge" in why
    assert offset <= 1
    assert [letter.value for letter in read(site.kafka, DEAD_LETTER)] == [HOSTILE * 20]


def allow_dead_letters_of(kafka: str, size: str) -> None:
    with admin(kafka) as client:
        change_topics(client, {DEAD_LETTER: {"max.message.bytes": size}})
