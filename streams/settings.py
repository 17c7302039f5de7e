"""Every setting of Baton, declared once: docs/reference/settings.md and `baton doctor` read this table.

A setting is a variable of the environment. A secret may come from a file instead (NAME_FILE), and is never
shown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import BatonError, ExitCode
from schemas.registry import shown_address

HIDDEN = "***"
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")


@dataclass(frozen=True)
class Setting:
    """One setting. `default` is what one would write for it, "" for none; `field` is the field of Project
    that holds it, "" when it is read where it is used; `reads` raises ValueError with what is wrong;
    `is_address`: secret as far as it holds a login."""

    name: str
    means: str
    field: str = ""
    default: str = ""
    reads: Callable[[str], Any] = str
    example: str = ""
    is_secret: bool = False
    is_address: bool = False

    @property
    def file_name(self) -> str:
        """The variable that names a file with the secret."""
        return f"{self.name}_FILE"

    def text(self, environ: Mapping[str, str]) -> str:
        """What was set, "" when nothing was. Raises BatonError for a secret that is given twice, or whose
        file cannot be read."""
        given = environ.get(self.name, "").strip()
        file = environ.get(self.file_name, "").strip() if self.is_secret else ""
        if not file:
            return given
        if given:
            why = f"both {self.name} and {self.file_name} are set"
            raise _refused(f"{self.name} is given twice", why, f"unset {self.name}")
        try:
            return Path(file).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = f"{file}: {error.strerror if isinstance(error, OSError) else 'it is not UTF-8'}"
            raise _refused(
                f"{self.file_name} cannot be read", why, f"export {self.file_name}=/path/to/secret"
            ) from None

    def value(self, environ: Mapping[str, str]) -> Any:
        """The value in force: what was set, else the default, None without one. Raises BatonError."""
        text = self.text(environ)
        if not (text or self.default):
            return None
        try:
            return self.reads(text or self.default)
        except ValueError as error:
            example = self.example or self.default or "..."
            why = "its value is not shown" if self.is_secret else f"it is {text!r}"
            raise _refused(f"{self.name} {error}", why, f"export {self.name}={example}") from None

    def written(self, value: Any) -> str:
        """A value as one would set it."""
        return "" if value is None else str(int(value)) if isinstance(value, bool) else str(value)

    def shown(self, environ: Mapping[str, str]) -> str:
        """What was set, for people to see."""
        text = self.text(environ)
        if not (text and self.is_secret):
            return text
        try:
            return shown_address(text) if self.is_address else HIDDEN
        except BatonError:  # what is malformed may still hold a password
            return HIDDEN


def unknown_settings(environ: Iterable[str]) -> list[str]:
    """Variables that look like settings and are none: a typing error would change nothing silently."""
    known = {setting.name for setting in SETTINGS} | {s.file_name for s in SETTINGS if s.is_secret}
    return sorted(name for name in environ if name.startswith("BATON_") and name not in known)


def _refused(what: str, why: str, next_command: str) -> BatonError:
    return BatonError(
        what, where="environment", why=why, next_command=next_command, exit_code=ExitCode.CONFIGURATION
    )


# --- how a value is read --------------------------------------------------------------------------


def _flag(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("is neither on nor off")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if 0 < seconds < math.inf:
        return seconds
    raise ValueError("is not a number of seconds")


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 32_768:
        return int(text)
    raise ValueError("is not a whole number above 0")


def _mechanism(text: str) -> str:
    if text.upper() in MECHANISMS:
        return text.upper()
    raise ValueError(f"is none of {', '.join(MECHANISMS)}")


def _memory(text: str) -> str:
    if re.fullmatch(r"[1-9]\d*(\.\d+)? ?[KMGT]i?B", text, re.ASCII):
        return text
    raise ValueError("is not an amount of memory")


def _log_format(text: str) -> str:
    if text.lower() in ("text", "json"):
        return text.lower()
    raise ValueError("is neither text nor json")


def _prefix(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9._-]{1,100}", text):
        return text
    raise ValueError("may hold letters, digits, '.', '_' and '-' only, at most 100")


# --- the table ------------------------------------------------------------------------------------

SETTINGS = (
    Setting("BATON_HOME", "The project folder.", "home", ".baton", Path),
    Setting(
        "BATON_PLAYBOOK",
        "The playbook file. Unset: playbook.toml in the project's folder, else the packaged one. Recorded in"
        " the project when its worker first starts.",
        "playbook",
        reads=Path,
    ),
    Setting(
        "BATON_KEYS",
        "The public keys that sign playbooks. Unset: keys.toml in the project's folder. Recorded likewise.",
        "keys",
        reads=Path,
    ),
    Setting(
        "BATON_KAFKA",
        "Bootstrap servers, host:port[,host:port]. Unset: a local broker, which `baton up` starts.",
        "kafka",
    ),
    Setting(
        "BATON_PREFIX",
        "Put before the name of every topic and group, so that staging and production can share a cluster.",
        "prefix",
        reads=_prefix,
        example="staging.",
    ),
    Setting("BATON_KAFKA_TLS", "1 to speak TLS to the brokers of BATON_KAFKA.", "is_tls", "0", _flag, "1"),
    Setting(
        "BATON_KAFKA_CA",
        "File of certificate authorities (PEM) that may vouch for the brokers. Unset: the system's.",
        "kafka_ca",
        reads=Path,
    ),
    Setting(
        "BATON_KAFKA_CERTIFICATE",
        "Client certificate (PEM, with its chain) shown to the brokers.",
        "kafka_certificate",
        reads=Path,
    ),
    Setting(
        "BATON_KAFKA_KEY",
        "Private key of the client certificate (PEM). Unset: it is in the certificate's file.",
        "kafka_key",
        reads=Path,
    ),
    Setting(
        "BATON_KAFKA_KEY_PASSWORD",
        "Password of that key, when it has one.",
        "kafka_key_password",
        is_secret=True,
    ),
    Setting(
        "BATON_KAFKA_SASL_MECHANISM",
        f"How to log in: {', '.join(MECHANISMS)}.",
        "sasl_mechanism",
        "PLAIN",
        _mechanism,
    ),
    Setting("BATON_KAFKA_SASL_USERNAME", "User of PLAIN and SCRAM.", "sasl_username"),
    Setting("BATON_KAFKA_SASL_PASSWORD", "Password of PLAIN and SCRAM.", "sasl_password", is_secret=True),
    Setting(
        "BATON_KAFKA_TOKEN_FILE",
        "File with the token of OAUTHBEARER. Read at every login, so whoever renews tokens replaces it.",
        "token_file",
        reads=Path,
    ),
    Setting(
        "BATON_REPLICATION",
        "Replicas of each topic. Topics are created with it, and doctor checks it. Unset: the cluster's"
        " default.",
        "replication",
        reads=_count,
        example="3",
    ),
    Setting(
        "BATON_MIN_INSYNC_REPLICAS",
        "min.insync.replicas of each topic, likewise.",
        "min_insync_replicas",
        reads=_count,
        example="2",
    ),
    Setting(
        "BATON_RETENTION_DAYS",
        "Days that topics keep events, likewise. Unset: forever, which every recomputation needs.",
        "retention_days",
        reads=_count,
        example="3650",
    ),
    Setting(
        "BATON_SCHEMA_REGISTRY",
        "Address of a registry with the Confluent protocol, http(s)://[user:password@]host:port. Unset: none"
        " is needed. Recorded like the playbook, without the login.",
        "schema_registry",
        is_secret=True,
        is_address=True,
    ),
    Setting("BATON_SCHEMA_REGISTRY_USERNAME", "User of the registry.", "registry_username"),
    Setting(
        "BATON_SCHEMA_REGISTRY_PASSWORD", "Password of the registry.", "registry_password", is_secret=True
    ),
    Setting(
        "BATON_SCHEMA_REGISTRY_CA",
        "File of certificate authorities (PEM) that may vouch for the registry. Unset: the system's.",
        "registry_ca",
        reads=Path,
    ),
    Setting(
        "BATON_SCHEMA_REGISTRY_CERTIFICATE",
        "Client certificate (PEM) shown to the registry.",
        "registry_certificate",
        reads=Path,
    ),
    Setting(
        "BATON_SCHEMA_REGISTRY_KEY",
        "Its private key (PEM). Unset: it is in the certificate's file.",
        "registry_key",
        reads=Path,
    ),
    Setting(
        "BATON_SCHEMA_REGISTRY_KEY_PASSWORD",
        "Password of that key, when it has one.",
        "registry_key_password",
        is_secret=True,
    ),
    Setting(
        "BATON_MEMORY",
        "Memory that DuckDB may use in each worker. At 1.5 GB more a worker is ended and starts again.",
        "memory_limit",
        "2GB",
        _memory,
    ),
    Setting(
        "BATON_THREADS",
        "Threads of a statement in a worker. Unset: one fewer than this machine has cores.",
        "threads",
        reads=_count,
        example="2",
    ),
    Setting(
        "BATON_SQL_SECONDS", "Time limit of a statement asked of a worker.", "sql_seconds", "30", _seconds
    ),
    Setting(
        "BATON_STOP_SECONDS",
        "Time that a worker has to finish its work after SIGTERM; then it is cut off, which loses nothing.",
        "stop_seconds",
        "9",
        _seconds,
    ),
    Setting(
        "BATON_PAGE_PORT",
        "Port of the page on loopback. When another program has it, any free one is taken.",
        "page_port",
        "8321",
        _count,
    ),
    Setting(
        "BATON_PAGE_URL",
        "Where people reach the page: notifications of alerts link to it. Unset: its port on loopback.",
        "page_address",
        example="https://baton.example.com",
    ),
    Setting(
        "BATON_RECEIVERS",
        "File with the receivers of alerts. Unset: receivers.toml of the current folder, if there is one.",
        "receivers",
        reads=Path,
    ),
    Setting(
        "BATON_LOG_FORMAT",
        "How a worker writes its log: text, or json, one object a line.",
        default="text",
        reads=_log_format,
        example="json",
    ),
    Setting("BATON_KAFKA_JARS", "Folder with Kafka's jars for the local broker. Unset: Maven fetches them."),
    Setting("BATON_KAFKA_BENCH", "Bootstrap servers for `make bench`. Unset: a local broker of its own."),
)


def default_of(field: str) -> Any:
    """The default of the setting that a field of Project holds."""
    return next(setting.value({}) for setting in SETTINGS if setting.field == field)
