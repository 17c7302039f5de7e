"""Health checks: everything that must be right on this machine, one by one. Changes nothing."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from projections.playbook import DEFAULT_PLAYBOOK, read_playbook
from schemas.catalogue import CATALOGUE
from schemas.errors import BatonError
from streams.kafka.admin import admin
from streams.kafka.names import Names, names_of
from streams.kafka.open_transactions import open_transactions
from streams.kafka.registry import registry_of
from streams.kafka.topics import PARTITIONS, needs_of, own_topics, topic_faults
from streams.local.broker import LEAST_FREE_BYTES, find_broker, is_free, recorded_ports
from streams.local.jars import cache_folder, kafka_version, present_jars
from streams.local.java import docker_answers, find_java
from streams.local.supervisor import LastDeath
from streams.local.worker_process import find_worker, is_supervised, worker_problem
from streams.process_record import ProcessRecord
from streams.project import Project
from streams.queries.failed_events import list_failed
from streams.queries.receiver_checks import check_receivers
from streams.queries.signing import unsigned_change
from streams.queries.warehouse_access import keys_of
from streams.settings import SETTINGS, unknown_settings
from streams.worker_files import WorkerFiles

OLDEST_PYTHON = (3, 11)
LOW_DISK_BYTES = 5_000_000_000
LARGEST_SKEW_SECONDS = 1.0


@dataclass(frozen=True)
class Check:
    """The result of one check. level: 'ok', 'warn' (works, with a caveat) or 'fail' (must be fixed)."""

    name: str
    level: str
    what: str
    why: str = ""
    next: str = ""

    @classmethod
    def failed(cls, name: str, error: BatonError, level: str = "fail") -> Check:
        why = ": ".join(part for part in (error.where, error.why) if part)
        return cls(name, level, error.what, why, error.next_command)


def run_checks() -> Iterable[Check]:
    """All checks in their order; a failed one does not stop the next."""
    try:
        project = Project.here()
    except BatonError as error:
        yield Check.failed("settings", error)
        return
    for name, check in CHECKS:
        try:
            yield from check(project)
        except BatonError as error:
            yield Check.failed(name, error)


# --- this machine ---------------------------------------------------------------------------------


def _python(project: Project) -> Iterable[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        yield Check("python", "fail", f"Python {version} is too old", f"Baton needs {oldest} or later")
    else:
        yield Check("python", "ok", f"Python {version}")


def _java(project: Project) -> Iterable[Check]:
    try:
        path, version = find_java()
    except BatonError as error:
        # With a remote broker nothing here needs Java.
        yield Check.failed("java", error, "warn" if project.kafka else "fail")
        return
    yield Check("java", "ok", f"Java {version} ({path})")


def _jars(project: Project) -> Iterable[Check]:
    try:
        folder = present_jars()
    except BatonError as error:
        yield Check.failed("jars", error, "warn" if project.kafka else "fail")
        return
    maven = shutil.which("mvn")
    if folder is not None:
        yield Check("jars", "ok", f"Kafka {kafka_version()}'s jars are in {folder}")
    elif maven is not None:
        yield Check("jars", "ok", f"Kafka {kafka_version()}'s jars will be fetched at baton up ({maven})")
    else:
        yield Check(
            "jars",
            "warn" if project.kafka else "fail",
            "Neither Kafka's jars nor Maven to fetch them were found",
            f"{cache_folder()} is not complete and mvn is not on PATH",
            "apt install maven   (macOS: brew install maven; or set BATON_KAFKA_JARS)",
        )


def _docker(project: Project) -> Iterable[Check]:
    answers = "answers" if docker_answers() else "does not answer (nothing needs it)"
    yield Check("docker", "ok", f"Docker {answers}")


def _duckdb(project: Project) -> Iterable[Check]:
    from duckdb_extensions import import_extension

    for name in ("httpfs", "quack"):
        # A temporary folder: installing into the user's would hide a missing wheel next time.
        with tempfile.TemporaryDirectory() as folder:
            connection = duckdb.connect(config={"extension_directory": folder})
            try:
                import_extension(name, con=connection)
                connection.load_extension(name)
            except (ImportError, duckdb.Error, RuntimeError) as error:
                yield Check(
                    "duckdb",
                    "fail",
                    f"DuckDB's extension {name} does not load",
                    f"DuckDB {duckdb.__version__}: {error}",
                    f"pip install duckdb-extension-{name}=={duckdb.__version__}",
                )
                continue
            finally:
                connection.close()
            yield Check("duckdb", "ok", f"DuckDB {duckdb.__version__} loads its extension {name}")


def _settings(project: Project) -> Iterable[Check]:
    given = [(setting, setting.shown(os.environ)) for setting in SETTINGS]
    for setting, shown in given:
        if shown:
            default = f" (default: {setting.default})" if setting.default else ""
            yield Check("settings", "ok", f"{setting.name} is {shown}{default}")
    unset = sum(not shown for _, shown in given)
    yield Check("settings", "ok", f"{unset} settings are not set (docs/reference/settings.md)")
    for name in unknown_settings(os.environ):
        yield Check("settings", "warn", f"{name} is no setting", "it has no effect", f"unset {name}")


# --- this project ---------------------------------------------------------------------------------


def _folder(project: Project) -> Iterable[Check]:
    nearest = next(path for path in (project.home, *project.home.parents) if path.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=nearest):
            pass
    except OSError as error:
        yield Check(
            "folder",
            "fail",
            "The project folder cannot be written",
            f"{nearest}: {error.strerror}",
            "export BATON_HOME=/a/folder/you/can/write",
        )
        return
    exists = "can be written" if project.home.exists() else "does not exist yet (baton up creates it)"
    yield Check("folder", "ok", f"{project.home} {exists}")
    free = shutil.disk_usage(nearest).free
    level = "fail" if free < LEAST_FREE_BYTES else "warn" if free < LOW_DISK_BYTES else "ok"
    advice = ("events are kept forever, so the disk needs room", f"df -h {nearest}")
    yield Check("disk", level, f"{free / 1e9:.1f} GB free", *(advice if level != "ok" else ()))


def _playbook(project: Project) -> Iterable[Check]:
    playbook = read_playbook(project.playbook_file)
    own = " (the packaged one)" if project.playbook_file == DEFAULT_PLAYBOOK else ""
    yield Check("playbook", "ok", f"{project.playbook_file}{own}, version {playbook.short_version}")
    keys = keys_of(project)
    if keys:
        yield Check("playbook", "ok", f"{project.keys_file} has {len(keys)} signing keys")
    unsigned = unsigned_change(project, playbook)
    if unsigned and unsigned.is_newer:
        what = f"{project.playbook_file} was changed, and differs from the signed playbook"
        yield Check(
            "playbook", "warn", what, unsigned.says, f"baton playbook propose {project.playbook_file}"
        )
    elif unsigned:
        yield Check("playbook", "ok", unsigned.says)


def _processes(project: Project) -> Iterable[Check]:
    yield from _broker_process(project)
    for files in project.workers:
        yield from _worker_process(files)


def _broker_process(project: Project) -> Iterable[Check]:
    record = ProcessRecord.read(project.kafka_record_file)
    if record is None:
        yield _no_process("broker", project.kafka_ports_file)
    elif record.is_running():
        yield Check("process", "ok", f"the broker is running (pid {record.pid})")
    else:
        why = f"pid {record.pid} of {project.kafka_record_file} ended without baton down"
        yield Check("process", "fail", "The broker was killed or crashed", why, "baton up")


def _no_process(what: str, trace: Path) -> Check:
    stopped = f"the {what} is stopped" if trace.exists() else f"no {what} was started here"
    return Check("process", "ok", stopped)


def _worker_process(files: WorkerFiles) -> Iterable[Check]:
    what = f"worker of {files.name}"
    worker, death = find_worker(files), LastDeath.read(files)
    if worker is not None:
        yield Check("process", "ok", f"the {what} is running (pid {worker.pid})")
    elif not files.record.exists():
        yield _no_process(what, files.log)
    if problem := worker_problem(files):
        yield Check.failed("process", problem)
    elif worker is not None and not worker.is_ready:
        yield Check("process", "warn", f"The {what} is not ready", f"log {files.log}", "baton status")
    if worker is None:
        return
    if death is not None:
        times = f"{death.deaths} time{'s' * (death.deaths != 1)}"
        why = f"the last time at {death.died_at}, {death.why}; log {files.log}"
        again = "baton down && baton up   (begins to count again)"
        yield Check("process", "warn", f"The {what} died {times}, and was started again", why, again)
    if files.supervisor.exists() and not is_supervised(files):
        why = "its supervisor was killed; nobody would start it again"
        yield Check("process", "warn", f"The {what} is not supervised", why, "baton down && baton up")


def _warehouse(project: Project) -> Iterable[Check]:
    file = project.numbers.warehouse
    if not file.exists():
        yield Check("warehouse", "ok", f"{file} does not exist yet (baton up creates it)")
        return
    failed = list_failed(project, 1)
    dismissed = f", and {failed.dismissed:,} dismissed" if failed.dismissed else ""
    what = f"{failed.count:,} failed events{dismissed}"
    if failed.count:
        why = "records that could not be read; their bytes are kept"
        yield Check("warehouse", "warn", what, why, "baton failed ls")
    else:
        yield Check("warehouse", "ok", what)


def _ports(project: Project) -> Iterable[Check]:
    ports = recorded_ports(project)
    if project.kafka or ports is None:
        return
    if find_broker(project) is not None:
        yield Check("ports", "ok", f"the broker uses 127.0.0.1:{ports[0]} and :{ports[1]}")
        return
    for port in ports:
        if is_free(port):
            yield Check("ports", "ok", f"127.0.0.1:{port} is free")
        else:
            why = "baton up will choose another port; clients with the old address must be reconfigured"
            yield Check("ports", "warn", f"Another program uses 127.0.0.1:{port}", why, "baton up")


# --- Kafka ----------------------------------------------------------------------------------------


def _kafka(project: Project) -> Iterable[Check]:
    if project.kafka is None and find_broker(project) is None:
        yield Check("kafka", "warn", "The local broker is not running", "", "baton up")
        return
    try:
        with admin(project, timeout_seconds=5.0) as client:
            servers = project.bootstrap()
            brokers = len(client.describe_cluster()["brokers"])
            yield Check("kafka", "ok", f"{servers} answers ({brokers} broker{'s' * (brokers != 1)})")
            existing = own_topics(client, names_of(project))
            missing = [name for name in PARTITIONS if name not in existing]
            if missing:
                yield Check("topics", "fail", "Topics are missing", ", ".join(missing), "baton up")
            found = {name: existing[name] for name in PARTITIONS if name in existing}
            faults = topic_faults(client, found, names_of(project), needs_of(project))
            for fault in faults:
                level = "warn" if fault.setting == "partitions" else "fail"
                what = f"{fault.topic}: {fault.setting} is {fault.found}, needed {fault.needed}"
                yield Check("topics", level, what, fault.consequence, fault.repair)
            if found and not faults:
                days = project.retention_days
                kept = f"a retention of at least {days} days" if days else "unlimited retention"
                yield Check("topics", "ok", f"{len(found)} topics, with {kept}")
            yield from _open_transactions(client, names_of(project))
            yield _clock(client)
    except BatonError as error:
        # "baton doctor" does not help inside baton doctor.
        remote = "export BATON_KAFKA=host:port   (check the address, and that the broker is up)"
        advice = remote if project.kafka else "baton down && baton up"
        hint = error.next_command if error.next_command != "baton doctor" else advice
        yield Check("kafka", "fail", error.what, f"{error.where}: {error.why}", hint)


def _registry(project: Project) -> Iterable[Check]:
    registry = registry_of(project)
    if registry is None:
        return
    event = next(iter(CATALOGUE.event_types.values()))
    if registry.has(names_of(project).in_kafka(event.topic), event.schema):
        yield Check("registry", "ok", f"{registry.address} answers, and knows the contract")
    else:
        why = f"{event.name} is not registered; publishers register what they publish"
        yield Check("registry", "ok", f"{registry.address} answers", why, "baton contract register")


def _receivers(project: Project) -> Iterable[Check]:
    return (Check(*each) for each in check_receivers(project))


def _open_transactions(client: KafkaAdminClient, names: Names) -> Iterable[Check]:
    for found in open_transactions(client, names):
        place = f"--topic {names.in_kafka(found.topic)} --partition {found.partition}"
        abort = f"kafka-transactions.sh abort {place} --start-offset {found.first_offset}"
        why = "nothing behind it is read before it ends; Kafka ends it when the producer's timeout is over"
        yield Check("topics", "warn", str(found), why, f"{abort}   (when it does not end by itself)")


def _clock(client: KafkaAdminClient) -> Check:
    """This machine's clock against Kafka's. The quorum's leader reports its current time as caught up."""
    try:
        asked = time.time()
        quorum = client.describe_metadata_quorum()["topics"][0]["partitions"][0]
        answered = time.time()
        leader = next(v for v in quorum["current_voters"] if v["replica_id"] == quorum["leader_id"])
        at_broker = leader["last_caught_up_timestamp"] / 1000
    except (KafkaError, KeyError, StopIteration) as error:
        return Check(
            "clock", "ok", f"not compared: this Kafka does not report its time ({type(error).__name__})"
        )
    skew = at_broker - (asked + answered) / 2
    if abs(skew) > LARGEST_SKEW_SECONDS + (answered - asked) / 2:
        why = "event times come from many machines; a wrong clock makes latencies wrong"
        return Check(
            "clock", "warn", f"Kafka's clock differs by {skew:+.1f} s", why, "timedatectl   (is NTP on?)"
        )
    return Check("clock", "ok", f"Kafka's clock agrees to {abs(skew) * 1000:.0f} ms")


CHECKS: tuple[tuple[str, Callable[[Project], Iterable[Check]]], ...] = (
    ("python", _python),
    ("java", _java),
    ("jars", _jars),
    ("docker", _docker),
    ("duckdb", _duckdb),
    ("settings", _settings),
    ("folder", _folder),
    ("playbook", _playbook),
    ("process", _processes),
    ("warehouse", _warehouse),
    ("ports", _ports),
    ("kafka", _kafka),
    ("registry", _registry),
    ("receivers", _receivers),
)
