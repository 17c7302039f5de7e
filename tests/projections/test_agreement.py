"""Which playbook is in force when: forged, half-signed and overtaken ones never count."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.agreement import Proposal, Signature, evaluate_agreement
from projections.playbook import Playbook, parse_playbook
from tests.projections.test_playbook import GOOD
from tests.signed import KEYS, proposal, public_key, signature

BASE = parse_playbook(GOOD)
DAY = timedelta(days=1)
START = datetime(2026, 3, 1, tzinfo=UTC)


def version(hours: int) -> Playbook:
    """The playbook with another time to answer."""
    return parse_playbook(GOOD.replace("2 hours", f"{hours} hours"))


FIRST, SECOND = version(3), version(4)


def both(playbook: Playbook, day: int) -> list[Signature]:
    """Marketing signs on that day, Sales one later."""
    return [
        signature(playbook, "marketing", START + day * DAY),
        signature(playbook, "sales", START + (day + 1) * DAY),
    ]


def governing(proposals: list[Proposal], signatures: list[Signature], keys: object = KEYS) -> list[object]:
    """(version, day it came into force) of every period."""
    periods = evaluate_agreement(BASE, proposals, signatures, keys).periods  # type: ignore[arg-type]
    return [(p.playbook.version, p.since and (p.since - START) / DAY) for p in periods]


ALONE = [(BASE.version, None)]


def test_the_base_governs_while_nothing_is_signed() -> None:
    assert governing([], []) == ALONE
    assert governing([proposal(FIRST, START)], []) == ALONE


def test_a_version_is_in_force_from_the_later_signature() -> None:
    periods = evaluate_agreement(BASE, [proposal(FIRST, START)], both(FIRST, 1), KEYS).periods

    assert [(p.playbook, p.since, p.until, p.is_signed) for p in periods] == [
        (BASE, None, START + 2 * DAY, False),
        (FIRST, START + 2 * DAY, None, True),
    ]


def test_a_second_signature_of_a_team_changes_nothing() -> None:
    again = signature(FIRST, "sales", START + 9 * DAY)
    assert governing([proposal(FIRST, START)], [*both(FIRST, 1), again]) == [*ALONE, (FIRST.version, 2.0)]


NOBODY = public_key("sales", "nobody")
ENDED = (KEYS[0], public_key("sales", valid_until=START + DAY))
NOT_YET = (KEYS[0], public_key("sales", valid_from=START + 5 * DAY))
ONE_KEY_FOR_BOTH = (KEYS[0], public_key("marketing", "sales"))
BY_MARKETING = signature(FIRST, "marketing", START + DAY)
LATER = START + 2 * DAY
INVALID = {
    "half-signed": ([BY_MARKETING], KEYS, ""),
    "no bytes of a signature": (
        [BY_MARKETING, signature(FIRST, "sales", LATER, signature="c2lnbmVk")], KEYS, "forged or damaged"),
    "no base64": ([BY_MARKETING, signature(FIRST, "sales", LATER, signature="§")], KEYS, "forged or damaged"),
    "a signature under another version": (
        [BY_MARKETING, signature(SECOND, "sales", LATER, playbook_version=FIRST.version)], KEYS,
        "forged or damaged"),
    "a stranger's key under the name of Sales": (
        [BY_MARKETING, signature(FIRST, "sales", LATER, "nobody", key_id="sales")], KEYS, "forged"),
    "a key nobody knows": (
        [BY_MARKETING, signature(FIRST, "sales", LATER, "nobody")], KEYS, "sales has no key 'nobody'"),
    "the other team's key": (
        [BY_MARKETING, signature(FIRST, "sales", LATER, "marketing")], KEYS, "sales has no key 'marketing'"),
    "one team twice": ([BY_MARKETING, signature(FIRST, "marketing", LATER)], KEYS, ""),
    "a key of the other team": (
        [BY_MARKETING, signature(FIRST, "sales", LATER)], ONE_KEY_FOR_BOTH, "sales has no key 'sales'"),
    "a key that has ended": (
        [BY_MARKETING, signature(FIRST, "sales", LATER)], ENDED, "has been invalid since 2026-03-02"),
    "a key that is not valid yet": (
        [BY_MARKETING, signature(FIRST, "sales", LATER)], NOT_YET, "is valid from 2026-03-06"),
    "a team there is not": (
        [BY_MARKETING, signature(FIRST, "finance", LATER, "sales")], KEYS, "team 'finance' is none of"),
    "no keys at all": ([BY_MARKETING, signature(FIRST, "sales", LATER)], (), "has no key"),
}  # fmt: skip


@pytest.mark.parametrize(("signatures", "keys", "fault"), INVALID.values(), ids=INVALID)
def test_what_is_not_signed_by_both_never_counts(
    signatures: list[Signature], keys: tuple[object, ...], fault: str
) -> None:
    assert governing([proposal(FIRST, START)], signatures, keys) == ALONE
    judged = evaluate_agreement(BASE, [proposal(FIRST, START)], signatures, keys).signed  # type: ignore[arg-type]
    assert fault in " ".join(signed.fault for signed in judged)


UNUSABLE = {
    "text that was tampered with": (
        FIRST.text.replace("3 hours", "9 hours"),
        "not the one it is proposed under",
    ),
    "no playbook": ("[playbook]", "there is no calendar"),
    "no TOML": ("playbook", "not TOML"),
    "a playbook this Baton refuses": (FIRST.text.replace("3 hours", "1 day 10 h"), "say it in one unit"),
}


@pytest.mark.parametrize(("text", "fault"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_text_that_is_not_the_version_never_counts_and_is_listed(text: str, fault: str) -> None:
    found = evaluate_agreement(BASE, [proposal(FIRST, START, text=text)], both(FIRST, 1), KEYS)

    assert [period.playbook for period in found.periods] == [BASE]
    assert fault in found.proposed[0].fault
    assert all("never proposed" in signed.fault for signed in found.signed)


def test_a_tampered_copy_does_not_hide_the_true_proposal() -> None:
    forged = proposal(FIRST, START - DAY, text=SECOND.text)
    assert governing([forged, proposal(FIRST, START)], both(FIRST, 1)) == [*ALONE, (FIRST.version, 2.0)]


def test_layout_and_comments_are_not_signed() -> None:
    commented = proposal(FIRST, START, text="# a note\n" + FIRST.text)
    assert governing([commented], both(FIRST, 1)) == [*ALONE, (FIRST.version, 2.0)]


def test_an_overtaken_proposal_is_stale_for_ever() -> None:
    proposals = [proposal(FIRST, START), proposal(SECOND, START)]
    signatures = [*both(SECOND, 1), *both(FIRST, 3)]

    assert governing(proposals, signatures) == [*ALONE, (SECOND.version, 2.0)]
    stale = evaluate_agreement(BASE, proposals, signatures, KEYS).of_version(FIRST.version)
    assert stale and stale.fault.startswith(f"stale: {SECOND.short_version} came into force at 2026-03-03")


def test_an_old_version_cannot_be_brought_back_with_its_old_signatures() -> None:
    proposals = [proposal(FIRST, START), proposal(SECOND, START + 3 * DAY), proposal(FIRST, START + 6 * DAY)]
    published_again = [
        signature(FIRST, team, START + 7 * DAY) for team in ("marketing", "sales")
    ]  # anybody can: the signature says nothing of when it was made

    found = governing(proposals, [*both(FIRST, 1), *both(SECOND, 4), *published_again])

    assert found == [*ALONE, (FIRST.version, 2.0), (SECOND.version, 5.0)]


def test_one_follows_the_other() -> None:
    proposals = [proposal(FIRST, START), proposal(SECOND, START + 3 * DAY)]
    periods = evaluate_agreement(BASE, proposals, [*both(FIRST, 1), *both(SECOND, 4)], KEYS).periods

    assert [(p.since, p.until) for p in periods] == [
        (None, START + 2 * DAY),
        (START + 2 * DAY, START + 5 * DAY),
        (START + 5 * DAY, None),
    ]


def test_nothing_is_in_force_before_it_was_proposed() -> None:
    assert governing([proposal(FIRST, START + 5 * DAY)], both(FIRST, 1)) == [*ALONE, (FIRST.version, 5.0)]


VERSIONS = [version(hours) for hours in (3, 4, 5)]
MOMENTS = st.integers(0, 6).map(lambda day: START + day * DAY)


@st.composite
def quarrels(draw: st.DrawFn) -> tuple[list[Proposal], list[Signature]]:
    """Proposals and signatures of three versions, true and false, in a few moments, so that they collide."""
    proposals = [
        proposal(
            playbook, draw(MOMENTS), event_id=f"p{n}", text=draw(st.sampled_from([playbook.text, BASE.text]))
        )
        for n, playbook in enumerate(draw(st.lists(st.sampled_from(VERSIONS), max_size=5)))
    ]
    signatures = [
        signature(playbook, team, draw(MOMENTS), draw(st.sampled_from(["", "marketing"])), event_id=f"s{n}")
        for n, (playbook, team) in enumerate(
            draw(
                st.lists(
                    st.tuples(st.sampled_from(VERSIONS), st.sampled_from(["marketing", "sales"])), max_size=9
                )
            )
        )
    ]
    return proposals, signatures


@settings(max_examples=150, deadline=None)
@given(quarrels(), st.integers(0, 2**16))
def test_the_order_and_copies_of_events_decide_nothing(
    quarrel: tuple[list[Proposal], list[Signature]], seed: int
) -> None:
    proposals, signatures = quarrel
    mixed = random.Random(seed)

    shuffled = evaluate_agreement(
        BASE,
        mixed.sample(proposals * 2, len(proposals) * 2),
        mixed.sample(signatures * 2, len(signatures) * 2),
        KEYS,
    )

    assert shuffled == evaluate_agreement(BASE, proposals, signatures, KEYS)


@settings(max_examples=150, deadline=None)
@given(quarrels())
def test_periods_meet_and_every_one_but_the_first_is_signed_by_both(
    quarrel: tuple[list[Proposal], list[Signature]],
) -> None:
    found = evaluate_agreement(BASE, *quarrel, KEYS)

    assert found.periods[0].since is None and found.periods[-1].until is None
    for before, after in zip(found.periods, found.periods[1:], strict=False):
        assert before.until == after.since
        assert before.since is None or (after.since is not None and before.since < after.since)
    for period in found.periods[1:]:
        valid = {
            s.signature.team
            for s in found.signed
            if not s.fault and s.signature.playbook_version == period.playbook.version
        }
        assert period.is_signed and valid == {"marketing", "sales"}
        assert (
            proposed := found.of_version(period.playbook.version)
        ) and proposed.complete_at == period.since
