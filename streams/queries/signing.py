"""Proposing and signing a playbook: the events published, and every reason to refuse."""

from __future__ import annotations

import base64
import getpass
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from projections.agreement import (
    Agreement,
    InForce,
    Proposal,
    Proposed,
    Signature,
    evaluate_agreement,
    signed_content,
)
from projections.playbook import DEFAULT_PLAYBOOK, Playbook, read_playbook
from projections.signing_keys import SIDES, SigningKey
from schemas.errors import BatonError, ExitCode, quoted
from streams.kafka.publisher import Publisher
from streams.project import Project
from streams.queries.warehouse_access import ask_warehouse, authority_of, keys_of
from warehouse.authority import PROPOSALS, SIGNATURES

SOURCE = "baton"
_SHORTEST_VERSION = 6


def agreed(project: Project) -> Agreement:
    """All proposals and signatures that the warehouse has read, checked against this project's keys."""
    authority = authority_of(project)
    if not project.numbers.warehouse.exists():
        return evaluate_agreement(authority.base)
    proposals = [Proposal(*row) for row in ask_warehouse(project, PROPOSALS)[1]]
    signatures = [Signature(*row) for row in ask_warehouse(project, SIGNATURES)[1]]
    return evaluate_agreement(authority.base, proposals, signatures, authority.keys)


@dataclass(frozen=True)
class UnsignedChange:
    """The project's file differs from the signed playbook. is_newer: it was changed since that came into
    force, so somebody may believe that the change counts."""

    says: str
    is_newer: bool


def playbook_in_force(project: Project, as_of: datetime) -> Playbook:
    """The playbook that governs then: signed by both teams, else the project's file."""
    return agreed(project).at(as_of).playbook


def unsigned_change(project: Project, own: Playbook) -> UnsignedChange | None:
    """How the project's file differs from the signed playbook; None when it does not.

    Also None when no playbook is signed or the warehouse cannot be queried.
    """
    try:
        found = agreed(project)
    except BatonError:
        return None
    governing = found.at(datetime.now(UTC))
    if not governing.is_signed or governing.playbook.version == own.version:
        return None
    first = next(period.since for period in found.periods if period.since)
    says = (
        f"version {governing.playbook.short_version}, signed by both teams, is in force; the file's version"
        f" {own.short_version} applies only to events before {first:%Y-%m-%d %H:%M} UTC"
    )
    assert governing.since is not None  # as it is signed
    is_own = project.playbook_file != DEFAULT_PLAYBOOK
    return UnsignedChange(
        says, is_own and project.playbook_file.stat().st_mtime > governing.since.timestamp()
    )


def proposal_state(found: Agreement, proposed: Proposed) -> str:
    """The state of a proposal, as text."""
    if proposed.fault:
        return proposed.fault
    if proposed.complete_at is not None:
        return f"signed by both at {proposed.complete_at.isoformat(sep=' ', timespec='seconds')}"
    signed = {
        judged.signature.team
        for judged in found.signed
        if not judged.fault and judged.signature.playbook_version == proposed.proposal.playbook_version
    }
    return f"waits for {' and '.join(side for side in SIDES if side not in signed)}"


def agreement_as_dict(found: Agreement) -> dict[str, Any]:
    """Versions in force, proposals and signatures, for `--json`."""

    def period(p: InForce) -> dict[str, Any]:
        return {"version": p.playbook.version, "since": p.since, "until": p.until, "is_signed": p.is_signed}

    return {
        "in_force": [period(p) for p in found.periods],
        "proposals": [
            {
                "version": p.proposal.playbook_version,
                "proposed_at": p.proposal.proposed_at,
                "proposed_by": p.proposal.proposed_by,
                "state": proposal_state(found, p),
            }
            for p in found.proposed
        ],
        "signatures": [
            {
                "version": s.signature.playbook_version,
                "team": s.signature.team,
                "key_id": s.signature.key_id,
                "signed_at": s.signature.signed_at,
                "is_valid": not s.fault,
                "why": s.fault,
            }
            for s in found.signed
        ],
    }


def propose(project: Project, file: Path, proposed_by: str | None) -> Playbook:
    """Publish PlaybookProposed with the content of the file. Raises BatonError when both teams have signed
    just that, or are asked to already."""
    playbook = read_playbook(file)
    _refuse_unchanged(agreed(project), playbook, file)
    event = {
        "type": "PlaybookProposed",
        "occurred_at": _now().isoformat(),
        "source": SOURCE,
        "playbook_version": playbook.version,
        "text": playbook.text,
        "proposed_by": proposed_by or getpass.getuser(),
    }
    _publish(project, event)
    return playbook


def _refuse_unchanged(found: Agreement, playbook: Playbook, file: Path) -> None:
    governing = found.at(_now())
    if governing.is_signed and governing.playbook.version == playbook.version:
        raise _refused(
            "The file changes nothing: both teams have signed it",
            where=str(file),
            why=f"its version {playbook.short_version} is in force; comments and layout are no part of it",
            next_command=f"baton playbook diff {quoted(file)} NEW_FILE   (what another file would change)",
        )
    for known in found.proposed:
        is_pending = not known.fault and known.complete_at is None
        if is_pending and known.proposal.playbook_version == playbook.version:
            raise _refused(
                f"Version {playbook.short_version} is proposed already",
                where=str(file),
                why=f"it {proposal_state(found, known)}",
                next_command=f"baton playbook sign {playbook.short_version} --as TEAM --key FILE",
            )


@dataclass(frozen=True)
class Signing:
    """A signature that would count, not published yet, and the playbook that is in force now."""

    project: Project
    playbook: Playbook
    in_force: Playbook
    event: Mapping[str, Any]

    def publish(self) -> None:
        """Publish PlaybookSigned."""
        _publish(self.project, self.event)


def prepare(project: Project, version_or_file: str, team: str, key_file: Path) -> Signing:
    """Sign a proposal for a team. Raises BatonError when it may not be signed, or when the signature would
    not count."""
    private = read_private_key(key_file)
    found = agreed(project)
    proposed = _find(found, version_or_file)
    assert proposed.playbook is not None
    if proposed.fault:
        raise _refused(
            f"Playbook {proposed.playbook.short_version} can no longer be signed",
            where=f"proposed at {proposed.proposal.proposed_at.isoformat(timespec='seconds')}",
            why=proposed.fault,
            next_command="baton playbook propose FILE   (with the changes in force since merged in)",
        )
    governing = found.at(_now()).playbook
    if proposed.complete_at is not None:
        since = f"both teams signed it at {proposed.complete_at.isoformat(sep=' ', timespec='seconds')}"
        is_in_force = governing.version == proposed.playbook.version
        raise _refused(
            f"Playbook {proposed.playbook.short_version} "
            + ("is in force already" if is_in_force else "was replaced and cannot be signed again"),
            where=version_or_file,
            why=since + ("" if is_in_force else f", and {governing.short_version} replaced it since"),
            next_command="baton playbook log",
        )
    now = _now()
    key = _own_key(project, private.public_key().public_bytes_raw(), team, key_file, now)
    event = {
        "type": "PlaybookSigned",
        "occurred_at": now.isoformat(),
        "source": SOURCE,
        "playbook_version": proposed.playbook.version,
        "team": team,
        "key_id": key.id,
        "signature": base64.b64encode(private.sign(signed_content(proposed.playbook))).decode(),
    }
    return Signing(project, proposed.playbook, governing, event)


def make_key(file: Path, team: str, key_id: str) -> SigningKey:
    """Generate a key and write its private half with mode 0600; never overwrites a file."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    content = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(content)
        except OSError:
            file.unlink()
            raise
    except OSError as error:
        raise _refused(
            "The key cannot be written",
            where=str(file),
            why=error.strerror or str(error),
            next_command=f"baton playbook keygen --as {team} --id {key_id} --out NEW_FILE",
        ) from error
    return SigningKey(key_id, team, private.public_key().public_bytes_raw())


def read_private_key(file: Path) -> Any:
    """The Ed25519 key in a file that only its owner can read."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        with file.open("rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            if mode not in (0o600, 0o400):
                raise _refused(
                    "The key may be read by others",
                    where=str(file),
                    why=f"its mode is {mode:04o}; only its owner may read it: 0600 or 0400",
                    next_command=f"chmod 600 {quoted(file)}   (and make a new key if others may know it)",
                )
            content = opened.read(64 * 1024)
    except OSError as error:
        raise _refused(
            "The key cannot be read",
            where=str(file),
            why=error.strerror or str(error),
            next_command="baton playbook keygen --as TEAM --id NAME --out FILE",
        ) from error
    try:
        private = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None  # the library's message may contain parts of the key
    if not isinstance(private, Ed25519PrivateKey):
        raise _refused(
            "The key cannot be used",
            where=str(file),
            why="it is not an Ed25519 private key in PEM without a password",
            next_command="baton playbook keygen --as TEAM --id NAME --out FILE",
        )
    return private


def _find(found: Agreement, version_or_file: str) -> Proposed:
    """The proposal of a version (a prefix is enough), or of the content of a file."""
    is_file = Path(version_or_file).is_file()
    version = read_playbook(Path(version_or_file)).version if is_file else version_or_file.lower()
    beginning = [p for p in found.proposed if p.proposal.playbook_version.startswith(version)]
    usable = {p.proposal.playbook_version for p in beginning if p.playbook}
    if len(version) >= _SHORTEST_VERSION and len(usable) == 1:
        proposed = found.of_version(usable.pop())
        assert proposed is not None
        return proposed
    why = "the warehouse has read no such proposal (is a worker running?)"
    if usable:
        why = f"{len(usable)} proposed versions match; give more digits, at least {_SHORTEST_VERSION}"
    elif beginning:
        why = beginning[0].fault
    raise _refused(
        "This playbook was not proposed",
        where=version_or_file,
        why=why,
        next_command="baton playbook propose FILE   (with `baton up` running; then: baton playbook log)",
    )


def _own_key(project: Project, public: bytes, team: str, file: Path, now: datetime) -> SigningKey:
    """The configured key of this private key, if it may sign for the team now."""
    key = next((key for key in keys_of(project) if key.public == public), None)
    if key is None:
        why = f"its public key is not in {project.keys_file}"
    elif key.team != team:
        why = f"key {key.id!r} belongs to {key.team}, not to {team}"
    else:
        why = key.refusal_at(now)
    if key is None or why:
        raise _refused(
            f"This key may not sign for {team}",
            where=str(file),
            why=why,
            next_command=f"baton doctor   (a [[key]] of {team!r} goes into {quoted(project.keys_file)})",
        )
    return key


def _publish(project: Project, event: Mapping[str, Any]) -> None:
    with Publisher(project) as publisher:
        publisher.publish(event)
        publisher.flush()


def _now() -> datetime:
    return datetime.now(UTC)


def _refused(what: str, *, where: str, why: str, next_command: str) -> BatonError:
    return BatonError(what, where=where, why=why, next_command=next_command, exit_code=ExitCode.CONFIGURATION)
