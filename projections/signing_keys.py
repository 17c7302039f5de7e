"""Keys that sign a playbook: which public keys speak for which team, and whether a signature is theirs.

Public keys stand in a file of their own (keys.toml), never in the playbook: whoever proposes a playbook
writes it, and could add a key of their own.
"""

from __future__ import annotations

import base64
import binascii
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from schemas.errors import BatonError, ExitCode

SIDES = ("marketing", "sales")
_KEYS = {"id", "team", "public", "valid_from", "valid_until"}


@dataclass(frozen=True)
class SigningKey:
    """A public Ed25519 key that speaks for a team during [valid_from, valid_until); None is open."""

    id: str
    team: str
    public: bytes
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def refusal_at(self, instant: datetime) -> str:
        """Why the key may not sign at this instant; empty when it may."""
        if self.valid_from is not None and instant < self.valid_from:
            return f"key {self.id!r} is valid from {self.valid_from.isoformat()} only"
        if self.valid_until is not None and instant >= self.valid_until:
            return f"key {self.id!r} has been invalid since {self.valid_until.isoformat()}"
        return ""

    def has_signed(self, content: bytes, signature: str) -> bool:
        """Whether this base64 text is this key's signature over the content."""
        from cryptography.exceptions import InvalidSignature  # OpenSSL takes a moment to load
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(
                base64.b64decode(signature, validate=True), content
            )
        except (InvalidSignature, ValueError):  # not base64, or not a point of the curve
            return False
        return True


def read_keys(path: Path) -> tuple[SigningKey, ...]:
    """The keys of a file. Faults are BatonErrors with file, line, reason and remedy (exit 3)."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = tomllib.loads(text)
    except OSError as error:
        raise _unusable(path, 0, error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:  # what is not UTF-8 is a ValueError too
        found = re.search(r"at line (\d+)", str(error))
        raise _unusable(path, int(found[1]) if found else 1, f"not TOML: {error}") from error
    blocks = content.get("key", [])
    if content.keys() - {"key"} or not isinstance(blocks, list):
        raise _unusable(path, 1, "a file of keys holds [[key]] blocks and nothing else")
    heads = [n for n, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*[\"']?key\b", line)]
    keys: list[SigningKey] = []
    for index, block in enumerate(blocks):
        line = heads[index] if index < len(heads) else 1
        key = _key(path, line, block)
        if any(other.id == key.id for other in keys):
            raise _unusable(path, line, f"key {key.id!r} appears twice")
        if any(other.public == key.public for other in keys):
            raise _unusable(path, line, f"{key.id!r} has the public key of another: one key, one team")
        keys.append(key)
    return tuple(keys)


def key_block(key: SigningKey) -> str:
    """The key as a block of the file of keys."""
    public = base64.b64encode(key.public).decode()
    return f'[[key]]\nid = "{key.id}"\nteam = "{key.team}"\npublic = "{public}"\n'


def find_key(keys: Sequence[SigningKey], team: str, key_id: str) -> SigningKey | None:
    """The key of that name, if it is the team's."""
    return next((key for key in keys if (key.team, key.id) == (team, key_id)), None)


def _key(path: Path, line: int, block: Mapping[str, Any]) -> SigningKey:
    if not isinstance(block, dict) or (stray := sorted(block.keys() - _KEYS)):
        what = f"there is no {stray[0]!r} in this block" if isinstance(block, dict) else "write it as [[key]]"
        raise _unusable(path, line, f"{what}; known: {', '.join(sorted(_KEYS))}")
    own, team = block.get("id"), block.get("team")
    if not isinstance(own, str) or not own.strip():
        raise _unusable(path, line, "id is missing or not a text")
    if team not in SIDES:
        raise _unusable(path, line, f"team = {team!r}; it is one of {', '.join(SIDES)}")
    try:
        public = base64.b64decode(block.get("public", ""), validate=True)
    except (TypeError, ValueError, binascii.Error):
        public = b""
    if len(public) != 32:
        raise _unusable(path, line, "public is not an Ed25519 public key: 32 bytes in base64")
    since, until = _instant(path, line, block, "valid_from"), _instant(path, line, block, "valid_until")
    return SigningKey(own, team, public, since, until)


def _instant(path: Path, line: int, block: Mapping[str, Any], name: str) -> datetime | None:
    value = block.get(name)
    if value is None:
        return None
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        instant = None
    if instant is None or instant.utcoffset() is None:
        raise _unusable(path, line, f"{name} = {value!r}; it is an instant such as 2026-12-31T00:00:00Z")
    return instant.astimezone(UTC)


def _unusable(path: Path, line: int, why: str) -> BatonError:
    return BatonError(
        "The keys that sign playbooks cannot be used",
        where=f"{path}:{line}" if line else str(path),
        why=why,
        next_command="baton playbook keygen --help   (it prints a block as it should be)",
        exit_code=ExitCode.CONFIGURATION,
    )
