"""Which playbook is in force when: worked out from proposals and signatures alone, in any order of them.

A version comes into force with the later of the two teams' first valid signatures, unless another one
came into force after it was proposed. Until the first does, the project's own file governs.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from projections.playbook import Playbook, canonical, parse_playbook
from projections.signing_keys import SIDES, SigningKey, find_key
from schemas.errors import BatonError


@dataclass(frozen=True)
class InForce:
    """A playbook and the time it governs: [since, until); None is open at that end."""

    playbook: Playbook
    since: datetime | None = None
    until: datetime | None = None
    is_signed: bool = False

    def governs(self, instant: datetime) -> bool:
        """Whether the instant lies in its time."""
        return (self.since is None or self.since <= instant) and (self.until is None or instant < self.until)


@dataclass(frozen=True)
class Proposal:
    """PlaybookProposed, as far as it matters here."""

    event_id: str
    proposed_at: datetime
    playbook_version: str
    text: str
    proposed_by: str = ""


@dataclass(frozen=True)
class Signature:
    """PlaybookSigned, as far as it matters here."""

    event_id: str
    signed_at: datetime
    playbook_version: str
    team: str
    key_id: str
    signature: str


@dataclass(frozen=True)
class Proposed:
    """A proposal and what became of it. `fault` says why it never counts, empty when nothing is wrong.

    complete_at: when the second of the two teams had signed; None while one is missing.
    """

    proposal: Proposal
    playbook: Playbook | None
    fault: str = ""
    complete_at: datetime | None = None


@dataclass(frozen=True)
class Signed:
    """A signature and why it never counts; an empty fault means that it is valid."""

    signature: Signature
    fault: str = ""


@dataclass(frozen=True)
class Agreement:
    """Everything that was proposed and signed, judged; `periods` is what governed when, oldest first."""

    periods: tuple[InForce, ...]
    proposed: tuple[Proposed, ...]
    signed: tuple[Signed, ...]

    def at(self, instant: datetime) -> InForce:
        """What governs at an instant."""
        return next(period for period in reversed(self.periods) if period.governs(instant))

    def of_version(self, version: str) -> Proposed | None:
        """The proposal that counts for a version: its first usable one."""
        usable = (p for p in self.proposed if p.playbook and p.proposal.playbook_version == version)
        return next(usable, None)


def evaluate_agreement(
    base: Playbook,
    proposals: Iterable[Proposal] = (),
    signatures: Iterable[Signature] = (),
    keys: Sequence[SigningKey] = (),
) -> Agreement:
    """Judge every proposal and signature. The order they come in does not matter, nor do duplicates.

    A version counts once, from its first proposal: its signatures can be published again by anybody,
    and must not bring back what another version has replaced.
    """
    read = [(p, *_read(p.text, p.playbook_version)) for p in sorted(set(proposals), key=_proposal_order)]
    first: dict[str, tuple[Proposal, Playbook]] = {}
    for proposal, playbook, _ in read:
        if playbook is not None:
            first.setdefault(proposal.playbook_version, (proposal, playbook))
    signed = tuple(
        Signed(signature, _fault(signature, first, keys))
        for signature in sorted(set(signatures), key=lambda s: (s.signed_at, s.event_id, s.playbook_version))
    )
    complete = {
        version: at
        for version, (proposal, _) in first.items()
        if (at := _complete_at(proposal, signed)) is not None
    }
    periods = [InForce(base)]
    stale: set[str] = set()
    for version, since in sorted(complete.items(), key=lambda item: (item[1], item[0])):
        proposal, playbook = first[version]
        current = periods[-1]
        if current.since is not None and proposal.proposed_at <= current.since:
            stale.add(version)
            continue
        periods[-1] = InForce(current.playbook, current.since, since, current.is_signed)
        periods.append(InForce(playbook, since, None, True))
    judged = []
    for proposal, known, fault in read:
        version = proposal.playbook_version
        why = fault or _staleness(proposal, periods, complete.get(version) if version in stale else None)
        judged.append(Proposed(proposal, known, why, complete.get(version)))
    return Agreement(tuple(periods), tuple(judged), signed)


def _proposal_order(proposal: Proposal) -> tuple[object, ...]:
    return (proposal.proposed_at, proposal.event_id, proposal.text)


@lru_cache(maxsize=256)
def _read(text: str, version: str) -> tuple[Playbook | None, str]:
    """(the playbook, "") of a proposed text, or (None, why it never counts)."""
    try:
        playbook = parse_playbook(text, f"proposal {version[:12]}")
    except BatonError as error:
        return None, f"it is not a playbook: {error.where}: {error.why}"
    except Exception as error:  # a stranger's text must not be able to stop whoever reads the log
        return None, f"it is not a playbook: {type(error).__name__}: {error}"
    if playbook.version != version:
        return None, f"its text has the SHA-256 {playbook.short_version}..., not the one it is proposed under"
    return playbook, ""


def signed_content(playbook: Playbook) -> bytes:
    """The bytes that a signature covers: the canonical text, whose SHA-256 is the version."""
    return _canonical(playbook.text)


@lru_cache(maxsize=256)
def _canonical(text: str) -> bytes:
    return canonical(tomllib.loads(text))


def _fault(
    signature: Signature, first: dict[str, tuple[Proposal, Playbook]], keys: Sequence[SigningKey]
) -> str:
    if signature.team not in SIDES:
        return f"team {signature.team!r} is none of {', '.join(SIDES)}"
    key = find_key(keys, signature.team, signature.key_id)
    if key is None:
        return f"{signature.team} has no key {signature.key_id!r}"
    if refusal := key.refusal_at(signature.signed_at):
        return refusal
    if signature.playbook_version not in first:
        return "this version was never proposed in a form that can be used"
    if not key.has_signed(signed_content(first[signature.playbook_version][1]), signature.signature):
        return f"forged or damaged: key {key.id!r} did not make this signature"
    return ""


def _complete_at(proposal: Proposal, signed: Iterable[Signed]) -> datetime | None:
    """When the second team had signed, by the first valid signature of each."""
    moments: dict[str, datetime] = {}
    for judged in signed:
        if not judged.fault and judged.signature.playbook_version == proposal.playbook_version:
            moments.setdefault(judged.signature.team, judged.signature.signed_at)
    if len(moments) < len(SIDES):
        return None
    # Clocks differ: nothing is in force before it was proposed.
    return max(proposal.proposed_at, *moments.values())


def _staleness(proposal: Proposal, periods: Sequence[InForce], complete_at: datetime | None) -> str:
    """Why a readable proposal never counts, or can no longer: another version overtook it.

    complete_at: when both had signed it, too late; None while a signature is missing.
    """
    if any(p.is_signed and p.playbook.version == proposal.playbook_version for p in periods):
        return ""
    overtaking = [
        (p.playbook.short_version, p.since)
        for p in periods
        if p.since and p.since >= proposal.proposed_at and (complete_at is None or p.since <= complete_at)
    ]
    if not overtaking:
        return ""
    version, since = overtaking[-1]
    return f"stale: {version} came into force at {since.isoformat(timespec='seconds')}, after it was proposed"
