"""Alerts about one handoff, from the log to a receiver, on a real Kafka with the real worker."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from streams.queries.status import read_status
from tests.streams.reactions.alert_site import (
    ANSWER_WITHIN,
    AT_RISK,
    PAST_DUE,
    accepted,
    offered,
    paused,
    publish,
    set_up,
)
from tests.streams.reactions.receiving import SECRET, receiving
from tests.streams.reactions.test_reaction import ALERTS, LATENCY, Site, decoded, read, until

pytestmark = pytest.mark.kafka


@pytest.fixture
def site(tmp_path: Path, clean_kafka: str) -> Site:
    return Site(tmp_path, clean_kafka)


def test_an_unanswered_handoff_reaches_the_receiver_at_its_deadline_and_its_answer_resolves_it(
    site: Site,
) -> None:
    """Deadlines come one after the other, in business time."""
    with receiving() as receiver:
        set_up(site, receiver)
        with site.worker():
            until(lambda: site.file("reactions-ready.json").exists(), site)
            due = [datetime.now(UTC) + timedelta(seconds=3 + n / 10) for n in range(20)]
            publish(site, [offered(f"h{n}", at - ANSWER_WITHIN) for n, at in enumerate(due)])
            until(lambda: len(receiver.steps()) == 20, site)
            publish(site, [accepted(f"h{n}", datetime.now(UTC)) for n in range(20)])
            until(lambda: len(receiver.steps()) == 40, site)

    for n, at in enumerate(due):
        of_it = [got for got in receiver.got if got.body["data"]["subject"] == f"handoff h{n}"]
        assert [got.body["type"] for got in of_it] == ["alert.opened", "alert.resolved"]
        assert 0 <= of_it[0].at - at.timestamp() < 10  # never before; the bound is for a busy machine
        assert Webhook(SECRET).verify(of_it[0].raw, of_it[0].headers)
        facts = of_it[1].body["data"]["facts"]
        assert facts["SLA"] == "an answer within 2 hours (business time)"
        assert (facts["whose part"], facts["how"]) == ("Sales Development", "done")


def test_a_late_event_retracts_an_alert_and_says_why(site: Site) -> None:
    """Three were past due: of one it is reported late that it was answered in time, of one that its clock was
    paused; one was answered too late."""
    now = datetime.now(UTC)
    offered_at = now - ANSWER_WITHIN - timedelta(minutes=10)
    with receiving() as receiver:
        set_up(site, receiver)
        with site.worker(), site.worker("numbers"):
            publish(site, [offered(f"h{n}", offered_at) for n in range(3)])
            until(lambda: len(receiver.steps()) == 3, site, 120)
            publish(
                site,
                [
                    accepted("h0", offered_at + timedelta(minutes=30)),
                    paused("h1", offered_at + timedelta(minutes=60)),
                    accepted("h2", now),
                ],
            )
            until(lambda: len(receiver.steps()) == 6, site)
            until(lambda: site.file("numbers-ready.json").exists(), site)
            shown = "select subject, state, retraction_reason from funnel.alert order by subject"
            until(lambda: "opened" not in {row["state"] for row in site.rows(shown)}, site)
            rows = site.rows(shown)

    assert [(row["subject"], row["state"]) for row in rows] == [
        ("h0", "retracted"),
        ("h1", "retracted"),
        ("h2", "resolved"),
    ]
    assert rows[0]["retraction_reason"].startswith("it was done in time, at ")
    assert rows[1]["retraction_reason"] == "its clock is paused: the event came late"
    ended = {
        got.body["data"]["subject"]: got.body for got in receiver.got if got.body["type"] != "alert.opened"
    }
    assert ended["handoff h0"]["type"] == "alert.retracted"
    assert ended["handoff h0"]["data"]["facts"]["retracted"] == rows[0]["retraction_reason"]
    assert ended["handoff h2"]["data"]["facts"]["late in the end by"] == "10 minutes"


def test_a_rule_of_another_file_applies_after_a_restart_and_an_old_alert_is_not_news(site: Site) -> None:
    """Handoffs of days ago are alerts of the log, and disturb nobody. What is recorded stays as it is."""
    now = datetime.now(UTC)
    with receiving() as receiver:
        set_up(site, receiver, rules="")
        publish(site, [offered("old", now - timedelta(days=3)), offered("late", now - timedelta(hours=3))])
        with site.worker():
            until(lambda: len(obligations(site)) == 2, site, 120)
        assert read(site.kafka, ALERTS) == []
        set_up(site, receiver, rules=PAST_DUE)
        with site.worker():
            until(lambda: len(read(site.kafka, ALERTS)) >= 3, site, 120)
            until(lambda: len(receiver.steps()) == 1, site)

    assert {event["subject_id"] for event in decoded(read(site.kafka, ALERTS)) if "subject_id" in event} == {
        "old",
        "late",
    }
    assert [got.body["data"]["subject"] for got in receiver.got] == ["handoff late"]


def test_people_take_alerts_on_and_see_what_a_receiver_did_not_get(site: Site) -> None:
    """The receiver refuses everything at first. What was given up is shown, and sent when somebody asks."""
    now = datetime.now(UTC)
    with receiving() as receiver:
        receiver.answer = lambda got: (410, {})
        set_up(site, receiver, rules=PAST_DUE + AT_RISK.replace('["hook"]', "[]"))
        publish(site, [offered(f"h{n}", now - ANSWER_WITHIN - timedelta(minutes=1)) for n in range(2)])
        with site.worker(), site.worker("numbers"):
            until(lambda: site.file("numbers-ready.json").exists(), site)
            until(lambda: len(undelivered(site)) == 2, site, 120)
            notices = json.loads(site.baton("alerts", "ls", "--undelivered", "--json"))
            found = json.loads(site.baton("alerts", "ls", "--open", "--json"))
            past_due = [alert["alert_id"] for alert in found if alert["rule"] == "answer_past_due"]
            one, other = sorted(past_due)
            site.baton("alerts", "ack", one[:8], "--by", "sdr-anna", "--note", "calling now")
            site.baton(
                "alerts", "snooze", other, "--until", "4h", "--by", "sdr-boris", "--reason", "on a plane"
            )
            until(lambda: states(site) == {one: "acknowledged", other: "snoozed"}, site)
            shown = json.loads(site.baton("alerts", "show", one, "--json"))
            status, _ = read_status(site.project)  # what else it says depends on how busy the machine is
            receiver.answer = lambda got: (200, {})
            site.baton("alerts", "redrive", "--receiver", "hook")
            until(lambda: undelivered(site) == [other], site)  # a snooze is quiet until it is over
            trial = json.loads(site.baton("alerts", "test", "--since", "2026-01-01", "--json"))

    assert {(n["receiver"], n["step"], n["outcome"], n["why"]) for n in notices} == {
        ("hook", "opened", "given_up", "it answered 410")
    }
    assert status["undelivered_notices"] == 2
    steps = [(step["step"], step["by_whom"], step["note"]) for step in shown["history"]]
    assert steps[0] == ("opened", None, None) and ("acknowledged", "sdr-anna", "calling now") in steps
    of_rule = next(each for each in trial if each["rule"] == "answer_past_due")
    assert (of_rule["opened"], of_rule["open"], of_rule["retracted"]) == (2, 2, 0)
    assert next(e for e in trial if e["rule"] == "answer_at_risk")["median_early_minutes"] == 30.0


def undelivered(site: Site) -> list[str]:
    notices = json.loads(site.baton("alerts", "ls", "--undelivered", "--json"))
    return [notice["alert_id"] for notice in notices]


def states(site: Site) -> dict[str, str]:
    alerts = json.loads(site.baton("alerts", "ls", "--open", "--json"))
    return {a["alert_id"]: a["state"] for a in alerts if a["rule"] == "answer_past_due"}


def obligations(site: Site) -> set[str]:
    return {event["handoff_id"] for event in decoded(read(site.kafka, LATENCY)) if event.get("reached") == 2}
