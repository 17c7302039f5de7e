"""Rules follow the playbook that both sides signed, in every worker, without a restart."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from projections.agreement import InForce
from projections.playbook import parse_playbook, read_playbook
from projections.signing_keys import key_block
from streams.reactions.rule_board import RuleBoard
from tests.signed import KEYS, as_events, proposal, signature
from tests.streams.reactions.alert_site import ANSWER_WITHIN, PAST_DUE, offered, publish, set_up
from tests.streams.reactions.receiving import receiving
from tests.streams.reactions.test_reaction import Site, until


@pytest.fixture
def site(tmp_path: Path, clean_kafka: str) -> Site:
    return Site(tmp_path, clean_kafka)


def test_a_moment_is_judged_by_the_rules_of_its_time_on_every_board() -> None:
    first = read_playbook()
    second = parse_playbook(
        first.text.replace('id = "answer_past_due"', 'id = "too_late"').replace(
            'rule = "answer_past_due"', 'rule = "too_late"'
        )
    )
    noon = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    board, other = RuleBoard(first), RuleBoard(first)
    changes: list[int] = []
    other.on_change(lambda: changes.append(other.revision))

    assert board.put([InForce(first, None, noon), InForce(second, noon, None, True)])
    value = board.message().value
    assert value is not None
    other.take(value)
    other.take(value)

    for each in (board, other):
        assert each.rule("answer_past_due", noon - timedelta(seconds=1)) and not each.rule(
            "answer_past_due", noon
        )
        assert each.rule("too_late", noon)
    assert changes == [1]


@pytest.mark.kafka
def test_a_rule_that_is_signed_applies_to_what_comes_after_without_a_restart(site: Site) -> None:
    """A worker that raises alerts only does the work; it knows what was signed from the one with a
    warehouse."""
    with receiving() as receiver:
        set_up(site, receiver, rules="")
        (site.folder / "keys.toml").write_text("\n".join(key_block(key) for key in KEYS))
        base = read_playbook(site.folder / "playbook.toml")
        signed = parse_playbook(base.text + PAST_DUE)
        with site.worker(), site.worker("agents"):
            until(lambda: site.file("reactions-ready.json").exists(), site)
            until(lambda: site.file("agents-ready.json").exists(), site, 120)
            at = datetime.now(UTC)
            publish(site, [offered("before", at - ANSWER_WITHIN - timedelta(minutes=1))])
            publish(
                site,
                as_events(
                    proposal(signed, at),
                    signature(signed, "marketing", at),
                    signature(signed, "sales", at + timedelta(milliseconds=1)),
                ),
            )
            due = at + timedelta(seconds=8)
            publish(site, [offered(f"after{n}", due - ANSWER_WITHIN) for n in range(6)])
            until(lambda: len(receiver.steps()) == 6, site, 120)

    subjects = {got.body["data"]["subject"] for got in receiver.got}
    assert subjects == {f"handoff after{n}" for n in range(6)}, json.dumps(sorted(subjects))
