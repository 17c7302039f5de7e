"""The project: one folder, and the settings of this run, read from the environment only (settings.py)."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from projections.playbook import DEFAULT_PLAYBOOK
from schemas.errors import BatonError, ExitCode
from schemas.registry import shown_address
from streams.process_record import ProcessRecord
from streams.recorded import Recorded, gone, one_file, one_registry
from streams.settings import SETTINGS, default_of
from streams.worker_files import WorkerFiles


@dataclass(frozen=True)
class Project:
    """The paths of this project, and how to reach its Kafka. Creates no files by itself."""

    home: Path
    cwd: Path
    playbook: Path | None = None
    keys: Path | None = None
    kafka: str | None = None
    prefix: str | None = None
    is_tls: bool = default_of("is_tls")
    kafka_ca: Path | None = None
    kafka_certificate: Path | None = None
    kafka_key: Path | None = None
    kafka_key_password: str | None = field(default=None, repr=False)
    sasl_mechanism: str = default_of("sasl_mechanism")
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    replication: int | None = None
    min_insync_replicas: int | None = None
    retention_days: int | None = None
    schema_registry: str | None = field(default=None, repr=False)
    registry_username: str | None = None
    registry_password: str | None = field(default=None, repr=False)
    registry_ca: Path | None = None
    registry_certificate: Path | None = None
    registry_key: Path | None = None
    registry_key_password: str | None = field(default=None, repr=False)
    memory_limit: str = default_of("memory_limit")
    threads: int | None = None
    sql_seconds: float = default_of("sql_seconds")
    stop_seconds: float = default_of("stop_seconds")
    page_port: int = default_of("page_port")
    page_address: str | None = None
    receivers: Path | None = None

    @classmethod
    def here(cls, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Project:
        """The project of the current folder and environment. Raises BatonError on settings that clash."""
        env = os.environ if environ is None else environ
        folder = (cwd or Path.cwd()).resolve()
        values = {setting.field: setting.value(env) for setting in SETTINGS if setting.field}
        paths = {name: folder / v.expanduser() for name, v in values.items() if isinstance(v, Path)}
        project = cls(cwd=folder, **{**values, **paths})
        project._check_settings()
        return project

    def environ(self) -> dict[str, str]:
        """This project as environment variables, for a process that we start. Complete: what is not set here
        is not inherited either."""
        found = {s.name: s.written(getattr(self, s.field)) for s in SETTINGS if s.field}
        return found | {s.file_name: "" for s in SETTINGS if s.is_secret}

    @property
    def has_login(self) -> bool:
        """Whether something secret is sent to Kafka to log in."""
        return self.sasl_username is not None or self.token_file is not None

    def _check_settings(self) -> None:
        if self.kafka is not None:
            broker_hosts(self.kafka)
        _refuse_half("Kafka", "BATON_KAFKA_SASL", self.sasl_username, self.sasl_password)
        _refuse_half("registry", "BATON_SCHEMA_REGISTRY", self.registry_username, self.registry_password)
        is_oauth = self.sasl_mechanism == "OAUTHBEARER"
        if is_oauth != (self.token_file is not None) or (is_oauth and self.sasl_username is not None):
            raise _clash(
                "BATON_KAFKA_TOKEN_FILE goes with OAUTHBEARER, and with it only",
                f"the mechanism is {self.sasl_mechanism}, the token's file is {self.token_file or 'not set'}",
                "unset BATON_KAFKA_SASL_USERNAME BATON_KAFKA_SASL_PASSWORD"
                if is_oauth and self.token_file
                else "export BATON_KAFKA_TOKEN_FILE=/path/to/token"
                if is_oauth
                else "export BATON_KAFKA_SASL_MECHANISM=OAUTHBEARER",
            )
        if self.sasl_mechanism.startswith("SCRAM") and self.sasl_username is None:
            why = f"BATON_KAFKA_SASL_MECHANISM is {self.sasl_mechanism}, and there is no user"
            raise _clash("The Kafka login is missing", why, "export BATON_KAFKA_SASL_USERNAME=...")
        if not self.is_tls and (self.kafka_ca or self.kafka_certificate or self.kafka_key):
            why = "a file for TLS is set, and TLS is off: it would have no effect"
            raise _clash("BATON_KAFKA_TLS is not set", why, "export BATON_KAFKA_TLS=1")
        for setting, certificate, key in (
            ("BATON_KAFKA", self.kafka_certificate, self.kafka_key),
            ("BATON_SCHEMA_REGISTRY", self.registry_certificate, self.registry_key),
        ):
            if key is not None and certificate is None:
                why = f"{setting}_KEY is set"
                raise _clash(
                    f"{setting}_CERTIFICATE is not set",
                    why,
                    f"export {setting}_CERTIFICATE=/path/to/client.pem",
                )
        if self.kafka and self.has_login:
            self.refuse_open_login(broker_hosts(self.kafka))

    def refuse_open_login(self, hosts: list[str]) -> None:
        """Raise when the password would cross a network without TLS. Loopback does not count as one."""
        outside = [host for host in hosts if not is_loopback(host)]
        if self.kafka and self.has_login and not self.is_tls and outside:
            raise BatonError(
                f"Refusing to send the Kafka {'token' if self.token_file else 'password'} without TLS",
                where=f"broker {outside[0]}",
                why="a login is set, BATON_KAFKA_TLS is not, and this broker is not on loopback",
                next_command="export BATON_KAFKA_TLS=1",
                exit_code=ExitCode.CONFIGURATION,
            )

    # --- files ---------------------------------------------------------------------------------

    @property
    def kafka_data_dir(self) -> Path:
        return self.home / "kafka"

    @property
    def logs_dir(self) -> Path:
        return self.home / "logs"

    @property
    def run_dir(self) -> Path:
        return self.home / "run"

    @property
    def lock_file(self) -> Path:
        return self.run_dir / "lock"

    @property
    def kafka_record_file(self) -> Path:
        return self.run_dir / "kafka.json"

    @property
    def kafka_ports_file(self) -> Path:
        """The ports of the local broker that was started last. It stays when the broker is stopped."""
        return self.run_dir / "kafka-ports.json"

    @property
    def numbers(self) -> WorkerFiles:
        """The worker that answers questions: `baton worker numbers`."""
        return WorkerFiles("numbers", self.home, "baton.duckdb")

    @property
    def reactions(self) -> WorkerFiles:
        """The worker that measures handoffs and raises alerts: `baton worker reactions`."""
        return WorkerFiles("reactions", self.home, "reactions.duckdb")

    @property
    def workers(self) -> tuple[WorkerFiles, ...]:
        """All of them, in the order in which they are shown."""
        return self.numbers, self.reactions

    def worker(self, name: str) -> WorkerFiles:
        """The one of this name; another than the two keeps nothing but the traces of its process."""
        known = {files.name: files for files in self.workers}
        return known.get(name) or WorkerFiles(name, self.home, "")

    @property
    def recorded_file(self) -> Path:
        """The settings that decide numbers, as the worker found them."""
        return self.home / "project.json"

    @property
    def pinned_as_of_file(self) -> Path:
        """The instant at which this project's open clocks are read, as the demo's are; most have none."""
        return self.home / "pinned-as-of"

    @property
    def pinned_as_of(self) -> datetime | None:
        """Kept outside the warehouse, so that a new file has it too."""
        try:
            return datetime.fromisoformat(self.pinned_as_of_file.read_text(encoding="utf-8").strip())
        except FileNotFoundError:
            return None

    @property
    def playbook_file(self) -> Path:
        """The recorded playbook. Before a start of a worker: BATON_PLAYBOOK, else playbook.toml of this
        folder, else the packaged one. Raises BatonError on seeing another."""
        recorded = Recorded.read(self.recorded_file)
        if recorded is None:
            return self.seen_playbook or DEFAULT_PLAYBOOK
        used = recorded.playbook or _existing(recorded.folder / "playbook.toml") or DEFAULT_PLAYBOOK
        if self.seen_playbook is None and not used.exists():
            raise gone(self.home, used)
        return one_file(self.home, "BATON_PLAYBOOK", used, self.seen_playbook)

    @property
    def seen_playbook(self) -> Path | None:
        """The playbook of this folder and shell, whatever is recorded."""
        return self.playbook or _existing(self.cwd / "playbook.toml")

    @property
    def keys_file(self) -> Path:
        """The public keys whose signatures under a playbook count: likewise, with BATON_KEYS and keys.toml.
        It may not exist unless are_keys_named."""
        recorded = Recorded.read(self.recorded_file)
        if recorded is None:
            return self.keys or self.cwd / "keys.toml"
        used = recorded.keys or recorded.folder / "keys.toml"
        return one_file(self.home, "BATON_KEYS", used, self.keys or _existing(self.cwd / "keys.toml"))

    @property
    def receivers_file(self) -> Path:
        """Where alerts are sent to. It may not exist: then they are sent nowhere."""
        return self.receivers or self.cwd / "receivers.toml"

    @property
    def page_url(self) -> str:
        """Where people reach the page, without a slash at the end."""
        return (self.page_address or f"http://127.0.0.1:{self.page_port}").rstrip("/")

    @property
    def are_keys_named(self) -> bool:
        """Whether a missing file of keys is an error, and not that of a project without keys."""
        recorded = Recorded.read(self.recorded_file)
        return self.keys is not None or (recorded is not None and recorded.keys is not None)

    @property
    def registry_address(self) -> str | None:
        """The schema registry's address, with a login when BATON_SCHEMA_REGISTRY holds one; None without a
        registry. Raises BatonError when this command sees another than the recorded."""
        recorded = Recorded.read(self.recorded_file)
        if recorded is None:
            return self.schema_registry
        one_registry(
            self.home,
            recorded.registry,
            shown_address(self.schema_registry) if self.schema_registry else None,
        )
        return self.schema_registry or recorded.registry

    def refuse_other_settings(self) -> None:
        """Raise BatonError when this command sees other settings than those that decide the numbers."""
        _ = self.playbook_file, self.keys_file, self.registry_address

    def record_settings(self) -> None:
        """Record what decides numbers, at the start of a worker. Raises BatonError when something else is
        recorded."""
        recorded = Recorded.read(self.recorded_file)
        playbook, keys, registry = self.playbook_file, self.keys_file, self.registry_address
        now = Recorded(
            recorded.folder if recorded else self.cwd,
            None if playbook == DEFAULT_PLAYBOOK else playbook,
            keys if self.are_keys_named or keys.exists() else None,
            shown_address(registry) if registry else None,
        )
        if now != recorded:
            now.write(self.recorded_file)

    def make_folders(self) -> None:
        """Create the project's folders if they are missing. Raises BatonError when they cannot be written."""
        try:
            for folder in (self.home, self.logs_dir, self.run_dir, self.kafka_data_dir):
                folder.mkdir(parents=True, exist_ok=True)
                probe = folder / f".probe-{os.getpid()}"
                probe.touch()
                probe.unlink()
            ignore = self.home / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")
        except OSError as error:
            raise BatonError(
                "The project folder cannot be written",
                where=str(error.filename or self.home),
                why=error.strerror or str(error),
                next_command="export BATON_HOME=/a/folder/you/can/write   (or fix its owner, mode or disk)",
                exit_code=ExitCode.CONFIGURATION,
            ) from error

    # --- Kafka ---------------------------------------------------------------------------------

    def bootstrap(self) -> str:
        """Bootstrap servers: BATON_KAFKA, else the running local broker. Raises BatonError (exit 4)."""
        if self.kafka:
            return self.kafka
        record = ProcessRecord.read(self.kafka_record_file)
        if record is not None and record.is_running():
            return str(record.facts["bootstrap"])
        why = "BATON_KAFKA is not set and no local broker was started here"
        if record is not None:
            why = f"BATON_KAFKA is not set and the local broker (pid {record.pid}) is no longer running"
        elif self.kafka_ports_file.exists():
            why = "BATON_KAFKA is not set and the local broker is stopped"
        raise BatonError(
            "No Kafka to connect to",
            where=str(self.home),
            why=why,
            next_command="baton up",
            exit_code=ExitCode.UNREACHABLE,
        )

    def client_settings(self) -> dict[str, Any]:
        """Connection keywords that kafka-python's and aiokafka's clients both take.

        The local broker listens on loopback without login, so the login settings go with BATON_KAFKA only.
        """
        from streams.security import TokenFile, tls_context  # imports both clients, which takes a while

        settings: dict[str, Any] = {"bootstrap_servers": self.bootstrap(), "security_protocol": "PLAINTEXT"}
        if self.kafka and (self.is_tls or self.has_login):
            settings["security_protocol"] = ("SASL_" if self.has_login else "") + (
                "SSL" if self.is_tls else "PLAINTEXT"
            )
        if self.kafka and self.is_tls:
            settings["ssl_context"] = tls_context(
                "BATON_KAFKA",
                self.kafka_ca,
                self.kafka_certificate,
                self.kafka_key,
                self.kafka_key_password,
            )
        if self.kafka and self.has_login:
            settings["sasl_mechanism"] = self.sasl_mechanism
            if self.token_file is not None:
                settings["sasl_oauth_token_provider"] = TokenFile(self.token_file)
            else:
                settings["sasl_plain_username"] = self.sasl_username
                settings["sasl_plain_password"] = self.sasl_password
        return settings

    def registry_tls(self) -> ssl.SSLContext:
        """How the registry's certificate is checked, and which one is shown to it."""
        from streams.security import tls_context

        return tls_context(
            "BATON_SCHEMA_REGISTRY",
            self.registry_ca,
            self.registry_certificate,
            self.registry_key,
            self.registry_key_password,
        )


def broker_hosts(bootstrap: str) -> list[str]:
    """The hosts of 'host:port[,host:port]' ([::1]:9092 for IPv6). Raises BatonError for anything else."""
    hosts = []
    for server in bootstrap.split(","):
        host, colon, port = server.strip().rpartition(":")
        is_address = host and colon and port.isdigit() and 0 < int(port) < 65536 and "/" not in host
        if not is_address:
            raise BatonError(
                "BATON_KAFKA is not a list of bootstrap servers",
                where="environment",
                why=f"{server.strip()!r} is not host:port",
                next_command="export BATON_KAFKA=broker-1:9092,broker-2:9092",
                exit_code=ExitCode.CONFIGURATION,
            )
        hosts.append(host.strip("[]"))
    return hosts


def is_loopback(host: str) -> bool:
    """True for localhost and loopback addresses. Another name may resolve to any address: False."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None


def _refuse_half(whose: str, setting: str, username: str | None, password: str | None) -> None:
    if (username is None) != (password is None):
        missing = "PASSWORD" if password is None else "USERNAME"
        raise _clash(
            f"Half of the {whose} login is missing",
            f"{setting}_{missing} is not set, but its counterpart is",
            f"export {setting}_{missing}=...",
        )


def _clash(what: str, why: str, next_command: str) -> BatonError:
    return BatonError(
        what, where="environment", why=why, next_command=next_command, exit_code=ExitCode.CONFIGURATION
    )
