"""receivers.toml: the addresses behind the receivers that the playbook's rules name.

It is apart from the playbook, which both sides sign and everybody may read: secrets come from the
environment or from files, and are never in it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from standardwebhooks import Webhook

from schemas.errors import BatonError, ExitCode

HTTP_KINDS = ("slack", "teams", "webhook", "pagerduty", "alertmanager")
KINDS = (*HTTP_KINDS, "smtp", "stdout")
PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
_SECRET = {"webhook": "signing secret", "pagerduty": "routing key"}
_KEYS = {
    **dict.fromkeys(HTTP_KINDS, {"url", "secret", "allow_private", "ca_file", "timeout_seconds"}),
    "smtp": {
        "host",
        "port",
        "tls",
        "username",
        "secret",
        "from",
        "to",
        "allow_private",
        "ca_file",
        "timeout_seconds",
    },
    "stdout": {"path"},
}
_OF_ALL = {"id", "kind", "rules"}
_FROM_ELSEWHERE = ("url", "secret")


@dataclass(frozen=True)
class Receiver:
    """One receiver. rules: those whose alerts it gets although they do not name it, "*" for all.
    is_idempotent: whether the same notification twice is one for it; then an attempt of
    which nobody knows how it went is repeated."""

    id: str
    kind: str
    url: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    allow_private: tuple[str, ...] = ()
    ca_file: Path | None = None
    timeout_seconds: float = 10.0
    host: str = ""
    port: int = 0
    tls: str = "starttls"
    username: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()
    path: Path | None = None
    rules: tuple[str, ...] = ()

    @property
    def is_idempotent(self) -> bool:
        return self.kind not in ("slack", "teams", "stdout")

    @property
    def takes_groups(self) -> bool:
        """Whether several alerts may be one message: for people, not for machines that count incidents."""
        return self.kind in ("slack", "teams", "smtp", "stdout")

    @property
    def shown(self) -> str:
        """Where it is, without anything secret: a path may be one."""
        return urlsplit(self.url).netloc.rpartition("@")[2] if self.url else self.host or self.kind


def read_receivers(path: Path, environ: Mapping[str, str] | None = None) -> dict[str, Receiver]:
    """The receivers by id; none when there is no such file. Raises BatonError (exit 3) with what is wrong."""
    environ = os.environ if environ is None else environ
    if not path.exists():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        blocks = content["receiver"]
        if set(content) != {"receiver"} or not isinstance(blocks, list):
            raise ValueError("it holds [[receiver]] blocks and nothing else")
        found = [_receiver(block, path.parent, environ) for block in blocks]
        if len({receiver.id for receiver in found}) < len(found):
            raise ValueError("two receivers have one id")
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise _unusable(path, why) from None
    return {receiver.id: receiver for receiver in found}


def _receiver(block: Mapping[str, Any], folder: Path, environ: Mapping[str, str]) -> Receiver:
    own, kind = str(block["id"]), block["kind"]
    if kind not in KINDS:
        raise ValueError(f"receiver {own!r}: kind is one of {', '.join(KINDS)}")
    known = _OF_ALL | _KEYS[kind]
    known |= {f"{key}_{place}" for key in _FROM_ELSEWHERE if key in known for place in ("env", "file")}
    known.discard("secret")  # it would be in the file
    if unknown := sorted(set(block) - known):
        raise ValueError(f"receiver {own!r}: there is no {unknown[0]!r}; known: {', '.join(sorted(known))}")
    said = {key: block[key] for key in ("host", "port", "tls", "username", "timeout_seconds") if key in block}
    url = _from_elsewhere(own, "url", block, folder, environ)
    if kind == "pagerduty":
        url = url or PAGERDUTY_URL
    if kind in HTTP_KINDS:
        _check_url(own, url, tuple(block.get("allow_private", ())))
    secret = _from_elsewhere(own, "secret", block, folder, environ)
    if kind in _SECRET and not secret:
        raise ValueError(f"receiver {own!r}: secret_env or secret_file names its {_SECRET[kind]}")
    if kind == "webhook":
        Webhook(secret)  # raises ValueError when it is not base64
    if kind == "smtp":
        if not (block.get("host") and block.get("from") and block.get("to")):
            raise ValueError(f"receiver {own!r}: host, from and to are needed")
        if said.get("tls", "starttls") not in ("starttls", "tls", "none"):
            raise ValueError(f"receiver {own!r}: tls is starttls, tls or none")
        if said.get("tls") == "none" and secret:
            raise ValueError(f"receiver {own!r}: a password does not cross a network without TLS")
        said.setdefault("port", {"starttls": 587, "tls": 465, "none": 25}[said.get("tls", "starttls")])
    return Receiver(
        id=own,
        kind=kind,
        url=url,
        secret=secret,
        allow_private=tuple(map(str, block.get("allow_private", ()))),
        ca_file=folder / block["ca_file"] if "ca_file" in block else None,
        sender=str(block.get("from", "")),
        to=tuple(map(str, block.get("to", ()))),
        path=folder / block["path"] if "path" in block else None,
        rules=tuple(map(str, block.get("rules", ()))),
        **said,
    )


def _check_url(own: str, url: str, allowed: tuple[str, ...]) -> None:
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in ("https", "http"):
        raise ValueError(f"receiver {own!r}: url, url_env or url_file holds its address, https://...")
    if parts.scheme == "http" and not allowed:
        raise ValueError(f"receiver {own!r}: without TLS only where allow_private names the address")


def _from_elsewhere(
    own: str, key: str, block: Mapping[str, Any], folder: Path, environ: Mapping[str, str]
) -> str:
    """A value of the file, of the environment, or of another file."""
    if sum(name in block for name in (key, f"{key}_env", f"{key}_file")) > 1:
        raise ValueError(f"receiver {own!r}: {key} is given twice")
    if (name := block.get(f"{key}_env")) is not None:
        if not environ.get(name, "").strip():
            raise ValueError(f"receiver {own!r}: {name} is not set in the environment")
        return environ[name].strip()
    if (file := block.get(f"{key}_file")) is not None:
        return Path(folder, str(file)).expanduser().read_text(encoding="utf-8").strip()
    return str(block.get(key, ""))


def _unusable(path: Path, why: str) -> BatonError:
    return BatonError(
        "The file of receivers cannot be used",
        where=str(path),
        why=why,
        next_command="baton doctor   (once that is corrected)",
        exit_code=ExitCode.CONFIGURATION,
    )
