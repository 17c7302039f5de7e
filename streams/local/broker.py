"""A real Apache Kafka on this machine, when BATON_KAFKA is not set: one KRaft node, on loopback only.

It belongs to one project: its data, its log and its record are in the project folder. It runs in its own
session and outlives the command. A later command finds it by the record (pid and start time), reuses it
when it answers, and replaces it when it does not.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import BatonError, ExitCode, quoted
from streams.kafka.admin import admin
from streams.local.jars import kafka_jars, kafka_version
from streams.local.java import find_java
from streams.process_record import (
    ProcessRecord,
    last_lines,
    log_size,
    only_one,
    read_json,
    start_in_background,
    write_json,
)
from streams.project import Project

# A broker that was killed recovers its logs before it answers, so it gets this long while it is alive.
START_SECONDS = 120.0
# One that has been up for a while either answers soon or hangs.
HANGING_SECONDS = 10.0
STOP_SECONDS = 30.0
LEAST_FREE_BYTES = 200_000_000


@dataclass(frozen=True)
class LocalBroker:
    """The project's running broker. is_new: this call started it. notes: remarks for the user."""

    bootstrap: str
    pid: int
    cluster_id: str
    log_file: Path
    is_new: bool = False
    notes: tuple[str, ...] = ()


def start_broker(project: Project, report: Callable[[str], None] = lambda text: None) -> LocalBroker:
    """The project's broker, answering: the running one, else a new one on the same data. Idempotent.

    Raises BatonError when it does not start.
    """
    project.make_folders()
    with only_one(project.lock_file, wait_seconds=START_SECONDS + 30):
        # 1. The running one, if it answers.
        record = ProcessRecord.read(project.kafka_record_file)
        notes = []
        if record is not None and record.is_running():
            report(f"A broker of this project is running (pid {record.pid}), checking it ...")
            if _answers_within(record, START_SECONDS if _is_young(record) else HANGING_SECONDS):
                return _broker_of(record, project)
            record.stop(STOP_SECONDS)
            notes.append(f"the broker of an earlier run (pid {record.pid}) did not answer and was stopped")
        elif record is not None:
            notes.append(f"the broker of an earlier run (pid {record.pid}) had ended without baton down")
        project.kafka_record_file.unlink(missing_ok=True)

        # 2. The prerequisites of a new one.
        java, _ = find_java()
        jars = kafka_jars(report)
        _check_space(project)

        # 3. A new one; if a port was taken between choosing and binding, choose again.
        for attempt in (1, 2, 3):
            ports, port_notes = _choose_ports(project)
            try:
                record = _launch(project, java, jars, ports, report)
            except _PortTaken as error:
                if attempt == 3:
                    raise error.as_baton_error() from error
                continue
            return _broker_of(record, project, is_new=True, notes=(*notes, *port_notes))
    raise AssertionError("unreachable: the third attempt returns or raises")


def stop_broker(project: Project) -> str:
    """Stop the broker in this project's record. Returns 'none', 'gone', 'stopped' or 'killed'."""
    if not project.kafka_record_file.exists():
        return "none"
    with only_one(project.lock_file):
        record = ProcessRecord.read(project.kafka_record_file)
        outcome = "none" if record is None else record.stop(STOP_SECONDS)
        project.kafka_record_file.unlink(missing_ok=True)
        return outcome


def find_broker(project: Project) -> LocalBroker | None:
    """The project's broker if its process is alive, whether or not it answers."""
    record = ProcessRecord.read(project.kafka_record_file)
    return _broker_of(record, project) if record is not None and record.is_running() else None


def recorded_ports(project: Project) -> tuple[int, int] | None:
    """(client port, controller port) of the latest run, kept so that addresses stay the same."""
    document = read_json(project.kafka_ports_file)
    return (int(document["broker"]), int(document["controller"])) if document else None


def free_ports() -> tuple[int, int]:
    """Two ports that are free on loopback now, found by binding them. Another program may still take them."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def is_free(port: int) -> bool:
    """Whether this port can be bound on loopback now."""
    with socket.socket() as probe:
        # As Java's listeners do: a connection that lingers from the last run does not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class _PortTaken(Exception):
    def __init__(self, port: int, log_file: Path, lines: str) -> None:
        super().__init__(str(port))
        self.port, self.log_file, self.lines = port, log_file, lines

    def as_baton_error(self) -> BatonError:
        return BatonError(
            "The broker's port is in use",
            where=f"127.0.0.1:{self.port}, log {self.log_file}",
            why=f"another program took it three times in a row; the broker's last lines:\n{self.lines}",
            next_command="baton up   (chooses other ports)",
            exit_code=ExitCode.CONFIGURATION,
        )


def _broker_of(
    record: ProcessRecord, project: Project, is_new: bool = False, notes: tuple[str, ...] = ()
) -> LocalBroker:
    facts = record.facts
    return LocalBroker(
        bootstrap=str(facts["bootstrap"]),
        pid=record.pid,
        cluster_id=str(facts["cluster_id"]),
        log_file=_log_file(project),
        is_new=is_new,
        notes=notes,
    )


def _log_file(project: Project) -> Path:
    return project.logs_dir / "kafka.log"


def _is_young(record: ProcessRecord) -> bool:
    return time.time() - float(record.facts.get("launched_at", 0)) < START_SECONDS


def _answers_within(record: ProcessRecord, seconds: float) -> bool:
    """Whether a broker answers a metadata request with the recorded cluster id."""
    deadline = time.monotonic() + seconds
    while record.is_running() and time.monotonic() < deadline:
        try:
            with admin(str(record.facts["bootstrap"]), timeout_seconds=min(5.0, seconds)) as client:
                return bool(client.describe_cluster()["cluster_id"] == record.facts["cluster_id"])
        except BatonError:
            time.sleep(0.1)
    return False


def _check_space(project: Project) -> None:
    free = shutil.disk_usage(project.home).free
    if free < LEAST_FREE_BYTES:
        raise BatonError(
            "The disk is full",
            where=str(project.home),
            why=f"{free / 1e6:.0f} MB are free, the broker needs {LEAST_FREE_BYTES / 1e6:.0f} MB to start",
            next_command=f"df -h {quoted(project.home)}   (make room, or set BATON_HOME to another disk)",
        )


def _choose_ports(project: Project) -> tuple[tuple[int, int], tuple[str, ...]]:
    """The ports of the last run if both are still free, else two free ones, with a note of the change."""
    last = recorded_ports(project)
    if last is not None and all(is_free(port) for port in last):
        return last, ()
    ports = free_ports()
    if last is None:
        return ports, ()
    return ports, (f"port {last[0]} or {last[1]} of the last run is in use, the broker is on {ports[0]} now",)


def _launch(
    project: Project, java: str, jars: Path, ports: tuple[int, int], report: Callable[[str], None]
) -> ProcessRecord:
    """Start a broker and wait until it answers. Leaves nothing running when it raises."""
    properties = project.kafka_data_dir / "server.properties"
    cluster_id = _data_of_cluster(project, java, jars, ports)
    properties.write_text(_server_properties(project.kafka_data_dir / "data", ports))
    write_json(project.kafka_ports_file, {"broker": ports[0], "controller": ports[1]})

    report(f"Starting Kafka {kafka_version()} on 127.0.0.1:{ports[0]} ...")
    log_file = _log_file(project)
    log_begins = log_size(log_file)
    command = _java_command(java, jars, "kafka.Kafka", str(properties))
    child = start_in_background(command, log_file, env=_java_environ())
    record = ProcessRecord.of(
        child.pid,
        bootstrap=f"127.0.0.1:{ports[0]}",
        port=ports[0],
        controller_port=ports[1],
        cluster_id=cluster_id,
        launched_at=time.time(),
    )
    try:
        record.write(project.kafka_record_file)
        if _answers_within(record, START_SECONDS):
            return record
        has_ended = record.stop(STOP_SECONDS) == "gone"
    except BaseException:  # also Ctrl-C: a broker that no command waits for must not stay
        record.stop(STOP_SECONDS)
        project.kafka_record_file.unlink(missing_ok=True)
        raise
    project.kafka_record_file.unlink(missing_ok=True)
    raise _why_it_failed(project, ports, last_lines(log_file, after_byte=log_begins), has_ended)


def _why_it_failed(project: Project, ports: tuple[int, int], lines: str, has_ended: bool) -> Exception:
    """The error for a broker that ended or never answered, derived from its last lines."""
    log_file = _log_file(project)
    if "Address already in use" in lines:
        busy = [port for port in ports if not is_free(port)]
        return _PortTaken(busy[0] if busy else ports[0], log_file, lines)
    what, next_command = "The broker ended before it answered", f"less {log_file}"
    if not has_ended:
        what = f"The broker did not answer within {START_SECONDS:.0f} seconds and was stopped"
    if "No space left on device" in lines:
        what, next_command = "The disk is full", f"df -h {project.home}"
    elif "Failed to acquire lock" in lines:
        what = "Another Kafka uses this project's data folder"
        next_command = f"fuser {project.kafka_data_dir}/data/.lock   (shows its pid; end it, then: baton up)"
    return BatonError(
        what,
        where=f"{project.kafka_data_dir}, log {log_file}",
        why=f"its last lines:\n{lines}",
        next_command=next_command,
        exit_code=ExitCode.UNREACHABLE,
    )


def _java_command(java: str, jars: Path, main_class: str, *arguments: str) -> list[str]:
    return [
        java,
        "-Xms256m",
        "-Xmx512m",
        "-XX:+UseSerialGC",  # one small heap: a parallel collector's threads cost more than they save
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
        "-cp",
        f"{jars}/*",
        main_class,
        *arguments,
    ]


def _java_environ() -> dict[str, str]:
    """Java finds a file with an umlaut in its path only where the locale has umlauts."""
    return {**os.environ, "LC_ALL": "C.UTF-8"}


def _data_of_cluster(project: Project, java: str, jars: Path, ports: tuple[int, int]) -> str:
    """Prepare the data folder if it is new; returns the cluster's id. Data that is there stays."""
    for left_over in project.kafka_data_dir.glob("preparing-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    meta = project.kafka_data_dir / "data" / "meta.properties"
    if not meta.exists():
        _format_data(project, java, jars, ports)
    found = re.search(r"^cluster\.id=(.+)$", meta.read_text(), re.MULTILINE)
    if found is None:
        raise BatonError(
            "The broker's data folder is damaged",
            where=str(meta),
            why="it does not name the cluster",
            next_command=f"mv {quoted(meta.parent)} {quoted(meta.parent)}.damaged"
            "   (drops its events; or restore a copy)",
            exit_code=ExitCode.DATA_PROBLEMS,
        )
    return found[1].strip()


def _format_data(project: Project, java: str, jars: Path, ports: tuple[int, int]) -> None:
    """Format a temporary folder, then rename it: a command killed meanwhile leaves nothing half-written.

    (Its formatting process may run on for a moment; the next start removes what it writes.)
    """
    scratch = Path(tempfile.mkdtemp(dir=project.kafka_data_dir, prefix="preparing-"))
    properties = scratch / "server.properties"
    properties.write_text(_server_properties(scratch / "data", ports))
    # Kafka's form of a UUID: 16 bytes as URL-safe base64. A leading dash would read as an option.
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
    command = _java_command(java, jars, "kafka.tools.StorageTool", "format", "--standalone")
    run = subprocess.run(
        [*command, "-t", cluster_id, "-c", str(properties)],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        env=_java_environ(),
    )
    try:
        if run.returncode == 0:
            (scratch / "data").rename(project.kafka_data_dir / "data")
            return
        said = [line for line in (run.stdout + run.stderr).splitlines() if not line.startswith("\tat ")]
    except OSError as error:
        said = [str(error)]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    raise BatonError(
        "Kafka cannot prepare its data folder",
        where=str(project.kafka_data_dir / "data"),
        why="its last lines:\n" + "\n".join("    " + line for line in said[-8:]),
        next_command=f"df -h {quoted(project.home)}; ls -la {quoted(project.kafka_data_dir)}",
    )


def _property(text: str) -> str:
    """A value in a properties file, which is Latin-1 and reads a backslash as an escape."""
    utf_16 = text.replace("\\", "\\\\").encode("utf-16-be")
    units = (int.from_bytes(utf_16[at : at + 2]) for at in range(0, len(utf_16), 2))
    return "".join(chr(unit) if 32 <= unit < 127 else f"\\u{unit:04x}" for unit in units)


def _server_properties(data: Path, ports: tuple[int, int]) -> str:
    broker, controller = ports
    log_dirs = _property(str(data))
    return f"""# Written by `baton up` at every start; changes made here are lost.
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={log_dirs}
# A topic created by a typo or an early reader would have the wrong partitions and retention.
auto.create.topics.enable=false
# One node: one copy of everything.
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# Few clients: small internal topics and few threads, so that an idle broker costs little.
offsets.topic.num.partitions=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.num.partitions=1
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
group.initial.rebalance.delay.ms=0
# After a kill the controller waits for the old broker's session to end before it lets the new one in.
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=1000
"""
