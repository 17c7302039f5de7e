"""The project: one folder, and the settings of this run, read from the environment only.

BATON_HOME                      the project folder (default: .baton in the current folder)
BATON_KAFKA                     bootstrap servers, host:port[,host:port]; unset: the local broker
BATON_KAFKA_SASL_USERNAME       with _PASSWORD: log in with SASL PLAIN
BATON_KAFKA_SASL_PASSWORD
BATON_KAFKA_TLS                 1 to speak TLS (certificates: the system's, or SSL_CERT_FILE)
BATON_SCHEMA_REGISTRY           address of a Confluent-protocol registry; unset: none is needed
BATON_SQL_SECONDS               time limit of a statement asked of the worker (default: 30)
BATON_KEYS                      public keys that sign playbooks (default: keys.toml next to playbook.toml)
"""

from __future__ import annotations

import ipaddress
import math
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from projections.playbook import DEFAULT_PLAYBOOK
from schemas.errors import BatonError, ExitCode
from streams.process_record import ProcessRecord

SQL_SECONDS = 30.0


@dataclass(frozen=True)
class Project:
    """The paths of this project, and how to reach its Kafka. Creates no files by itself."""

    home: Path
    cwd: Path
    kafka: str | None = None
    schema_registry: str | None = field(default=None, repr=False)
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    is_tls: bool = False
    keys: Path | None = None
    sql_seconds: float = SQL_SECONDS

    @classmethod
    def here(cls, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Project:
        """The project of the current folder and environment. Raises BatonError on settings that clash."""
        env = os.environ if environ is None else environ
        folder = (cwd or Path.cwd()).resolve()
        project = cls(
            home=folder / Path(env.get("BATON_HOME") or ".baton").expanduser(),
            cwd=folder,
            kafka=env.get("BATON_KAFKA") or None,
            schema_registry=env.get("BATON_SCHEMA_REGISTRY") or None,
            sasl_username=env.get("BATON_KAFKA_SASL_USERNAME") or None,
            sasl_password=env.get("BATON_KAFKA_SASL_PASSWORD") or None,
            is_tls=_flag(env, "BATON_KAFKA_TLS"),
            keys=folder / Path(env["BATON_KEYS"]).expanduser() if env.get("BATON_KEYS") else None,
            sql_seconds=_seconds(env, "BATON_SQL_SECONDS", SQL_SECONDS),
        )
        project._check_settings()
        return project

    def environ(self) -> dict[str, str]:
        """This project as environment variables, for a process that we start."""
        settings = {
            "BATON_HOME": str(self.home),
            "BATON_KAFKA": self.kafka,
            "BATON_SCHEMA_REGISTRY": self.schema_registry,
            "BATON_KAFKA_SASL_USERNAME": self.sasl_username,
            "BATON_KAFKA_SASL_PASSWORD": self.sasl_password,
            "BATON_KAFKA_TLS": "1" if self.is_tls else None,
            "BATON_KEYS": str(self.keys) if self.keys else None,
            "BATON_SQL_SECONDS": str(self.sql_seconds),
        }
        return {name: value for name, value in settings.items() if value}

    def _check_settings(self) -> None:
        if self.kafka is not None:
            broker_hosts(self.kafka)
        if (self.sasl_username is None) != (self.sasl_password is None):
            missing = "PASSWORD" if self.sasl_password is None else "USERNAME"
            raise BatonError(
                "Half of the Kafka login is missing",
                where="environment",
                why=f"BATON_KAFKA_SASL_{missing} is not set, but its counterpart is",
                next_command=f"export BATON_KAFKA_SASL_{missing}=...",
                exit_code=ExitCode.CONFIGURATION,
            )
        if self.kafka and self.sasl_username:
            self.refuse_open_login(broker_hosts(self.kafka))

    def refuse_open_login(self, hosts: list[str]) -> None:
        """Raise when the password would cross a network without TLS. Loopback does not count as one."""
        outside = [host for host in hosts if not is_loopback(host)]
        if self.kafka and self.sasl_username and not self.is_tls and outside:
            raise BatonError(
                "Refusing to send the Kafka password without TLS",
                where=f"broker {outside[0]}",
                why="a login is set, BATON_KAFKA_TLS is not, and this broker is not on loopback",
                next_command="export BATON_KAFKA_TLS=1",
                exit_code=ExitCode.CONFIGURATION,
            )

    # --- files ---------------------------------------------------------------------------------

    @property
    def warehouse_file(self) -> Path:
        return self.home / "baton.duckdb"

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
    def worker_record_file(self) -> Path:
        return self.run_dir / "worker.json"

    @property
    def supervisor_record_file(self) -> Path:
        return self.run_dir / "supervisor.json"

    @property
    def worker_ready_file(self) -> Path:
        """Written by the worker once it reads the log: {"pid": ..., "ready_at": ...}."""
        return self.run_dir / "worker-ready.json"

    @property
    def endpoint_file(self) -> Path:
        """Address and token of the SQL endpoint; written with mode 0600."""
        return self.run_dir / "sql-endpoint.json"

    @property
    def playbook_file(self) -> Path:
        """playbook.toml of the current folder when there is one, else the packaged default."""
        own = self.cwd / "playbook.toml"
        return own if own.exists() else DEFAULT_PLAYBOOK

    @property
    def keys_file(self) -> Path:
        """The public keys whose signatures under a playbook count: BATON_KEYS, else next to playbook.toml."""
        return self.keys or self.cwd / "keys.toml"

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
        settings: dict[str, Any] = {"bootstrap_servers": self.bootstrap(), "security_protocol": "PLAINTEXT"}
        if self.kafka and (self.is_tls or self.sasl_username):
            settings["security_protocol"] = ("SASL_" if self.sasl_username else "") + (
                "SSL" if self.is_tls else "PLAINTEXT"
            )
        if self.kafka and self.is_tls:
            settings["ssl_context"] = ssl.create_default_context()
        if self.kafka and self.sasl_username:
            settings["sasl_mechanism"] = "PLAIN"
            settings["sasl_plain_username"] = self.sasl_username
            settings["sasl_plain_password"] = self.sasl_password
        return settings


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


def _seconds(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name, "").strip()
    try:
        seconds = float(text) if text else default
    except ValueError:
        seconds = math.nan
    if 0 < seconds < math.inf:
        return seconds
    raise BatonError(
        f"{name} is not a number of seconds",
        where="environment",
        why=f"it is {text!r}",
        next_command=f"export {name}={default:g}",
        exit_code=ExitCode.CONFIGURATION,
    )


def _flag(env: Mapping[str, str], name: str) -> bool:
    value = env.get(name, "").strip().lower()
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("", "0", "false", "no", "off"):
        return False
    raise BatonError(
        f"{name} is neither on nor off",
        where="environment",
        why=f"it is {value!r}",
        next_command=f"export {name}=1",
        exit_code=ExitCode.CONFIGURATION,
    )
