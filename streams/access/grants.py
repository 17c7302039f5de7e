"""Grants: one token per person, of which the project keeps the hash only.

A token is 32 random bytes, so its plain SHA-256 gives nothing away: there is no dictionary to try. Whoever
checks tokens reads the file again when it has changed; a grant, a rotation and a revocation count at once.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from fcntl import LOCK_EX, flock
from hashlib import sha256
from pathlib import Path

from schemas.errors import BatonError, ExitCode, quoted
from warehouse.role_statement import Reader

TOKEN = re.compile(r"baton_[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[\w.@+-]{1,80}")


@dataclass(frozen=True)
class Grant:
    """A token's hash, whose it is, and what for. A revoked one means nothing, and is kept to be seen."""

    name: str
    role: str
    token_hash: str
    granted_at: datetime
    until: datetime | None = None
    revoked_at: datetime | None = None

    def state(self, now: datetime) -> str:
        """active, revoked or expired."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.until is not None and now >= self.until else "active"


class Grants:
    """The grants of a project, in a file that only its owner reads."""

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.path, self._now = path, now
        self._seen: tuple[int, int, int] | None = None
        self._known: Mapping[str, Grant] = {}
        self._reading = threading.Lock()

    def enter(self, token: str) -> Reader | None:
        """Whose token this is; None when nobody's that is active. An unreadable file lets nobody in."""
        try:
            grants = self._current()
        except BatonError:
            return None
        wanted = _hash(token)
        # Every grant is compared, so that the time taken says nothing.
        found = [g for g in grants.values() if hmac.compare_digest(g.token_hash, wanted)]
        if not found or found[0].state(self._now()) != "active":
            return None
        return Reader(found[0].name, found[0].role)

    def all(self) -> list[Grant]:
        """By name, those that mean nothing any more too. Raises BatonError when the file cannot be used."""
        return sorted(self._current().values(), key=lambda grant: grant.name)

    def grant(self, name: str, role: str, until: datetime | None = None) -> str:
        """The new token, which is kept nowhere. Raises BatonError when this person has an active one."""
        if not _NAME.fullmatch(name):
            raise _usage(f"{name!r} is not a name", "letters, digits, . @ + - and _, at most 80")
        if until is not None and until <= self._now():
            raise _usage("The token would have expired already", f"--until is {until.isoformat()}")
        with self._changing() as grants:
            if name in grants and grants[name].state(self._now()) == "active":
                raise BatonError(
                    f"{name} has a token already",
                    where=str(self.path),
                    why=f"granted on {grants[name].granted_at:%Y-%m-%d}, for role {grants[name].role}",
                    next_command=f"baton access rotate {name}   (or revoke it first, to change the role)",
                    exit_code=ExitCode.USAGE,
                )
            token = _new_token()
            grants[name] = Grant(name, role, _hash(token), self._now(), until)
        return token

    def rotate(self, name: str) -> str:
        """A new token with the same role and end; the old one means nothing from now on."""
        with self._changing() as grants:
            found = self._active(grants, name)
            token = _new_token()
            grants[name] = replace(found, token_hash=_hash(token), granted_at=self._now())
        return token

    def revoke(self, name: str) -> None:
        """From now on the token means nothing."""
        with self._changing() as grants:
            grants[name] = replace(self._active(grants, name), revoked_at=self._now())

    def _active(self, grants: Mapping[str, Grant], name: str) -> Grant:
        if name not in grants or grants[name].state(self._now()) != "active":
            is_known = f"the token of {name} is {grants[name].state(self._now())}" if name in grants else ""
            raise BatonError(
                f"{name} has no token",
                where=str(self.path),
                why=is_known or f"those who have: {', '.join(sorted(grants)) or 'nobody'}",
                next_command="baton access ls",
                exit_code=ExitCode.USAGE,
            )
        return grants[name]

    def _current(self) -> Mapping[str, Grant]:
        """The grants as the file has them now."""
        with self._reading:
            try:
                stat = self.path.stat()
            except FileNotFoundError:
                self._seen, self._known = None, {}
                return self._known
            except OSError as error:
                raise _unusable(self.path, error.strerror or str(error)) from error
            if stat.st_mode & 0o077:
                why = f"its mode is {stat.st_mode & 0o777:o}: others could read or replace it"
                raise _unusable(self.path, why, f"chmod 600 {self.path}")
            seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if seen != self._seen:
                self._known = _read(self.path)
                self._seen = seen
            return self._known

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Grant]]:
        """The grants to change; written at the end, whole or not at all, by one process at a time."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            flock(descriptor, LOCK_EX)
            grants = dict(self._current())
            yield grants
            _write(self.path, grants)
        finally:
            os.close(descriptor)


def _new_token() -> str:
    return f"baton_{secrets.token_urlsafe(32)}"


def _hash(token: str) -> str:
    return sha256(token.encode(errors="surrogatepass")).hexdigest()


def _read(path: Path) -> Mapping[str, Grant]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {name: _grant(name, fields) for name, fields in content["grants"].items()}
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unusable(path, f"it is not a file of grants: {error!r}") from error


def _grant(name: str, fields: Mapping[str, str | None]) -> Grant:
    granted_at, until, revoked_at = (
        datetime.fromisoformat(value) if (value := fields[key]) else None
        for key in ("granted_at", "until", "revoked_at")
    )
    if granted_at is None or any(instant and not instant.tzinfo for instant in (granted_at, until)):
        raise ValueError(f"{name} lacks an instant with a zone")
    return Grant(name, str(fields["role"]), str(fields["token_hash"]), granted_at, until, revoked_at)


def _write(path: Path, grants: Mapping[str, Grant]) -> None:
    """Mode 0600 from the first byte, and in place at once."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    content = {
        name: {
            key: value.isoformat() if isinstance(value, datetime) else value
            for key, value in asdict(grant).items()
            if key != "name"
        }
        for name, grant in sorted(grants.items())
    }
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        if os.geteuid() == 0:  # the worker that reads it is whoever owns the project
            owner = path.parent.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        json.dump({"grants": content}, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _usage(what: str, why: str) -> BatonError:
    return BatonError(what, why=why, next_command="baton access grant --help", exit_code=ExitCode.USAGE)


def _unusable(path: Path, why: str, next_command: str = "") -> BatonError:
    return BatonError(
        "The grants cannot be used, and nobody gets in",
        where=str(path),
        why=why,
        next_command=next_command
        or f"mv {quoted(path)} {quoted(path)}.broken   (then baton access grant, for each person)",
        exit_code=ExitCode.CONFIGURATION,
    )
