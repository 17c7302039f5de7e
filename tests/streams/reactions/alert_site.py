"""A project whose playbook has rules about one handoff, with a receiver on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from projections.playbook import DEFAULT_PLAYBOOK
from streams.kafka.publisher import Publisher
from tests.streams.reactions.receiving import SECRET, Receiving
from tests.streams.reactions.test_reaction import Site

PAST_DUE = """
[[alert]]
id = "answer_past_due"
kind = "handoff_past_due"
sla = "answer"
severity = "critical"
owner = "sales_development"
receivers = ["hook"]
"""
AT_RISK = """
[[alert]]
id = "answer_at_risk"
kind = "handoff_at_risk"
severity = "warning"
owner = "sales_development"
receivers = ["hook"]
"""


def always_open(playbook: str) -> str:
    """The playbook with calendars that are open all week: business time is the wall clock's."""
    lines = []
    for line in playbook.splitlines():
        if line.startswith("open = "):
            line = 'open = ["Mon-Sun 00:00-24:00"]'
        lines.append("holidays = []" if line.startswith("holidays = ") else line)
    return "\n".join(lines) + "\n"


def set_up(site: Site, receiver: Receiving | None, rules: str = PAST_DUE, more: str = "") -> None:
    """Write the playbook and the file of receivers."""
    playbook = re.sub(
        r"\[\[alert(_example)?\]\]\n(?!id = \"handoffs_overdue).*?\n\n", "", _packaged(), flags=re.DOTALL
    )
    site.folder.joinpath("playbook.toml").write_text(playbook + rules)
    if receiver is not None:
        hook = f'[[receiver]]\nid = "hook"\nkind = "webhook"\nurl = "{receiver.url}"\n'
        hook += 'secret_env = "HOOK_SECRET"\nallow_private = ["127.0.0.1"]\ntimeout_seconds = 2\n'
        site.folder.joinpath("receivers.toml").write_text(hook + more)
        site.env["HOOK_SECRET"] = SECRET


def _packaged() -> str:
    return always_open(DEFAULT_PLAYBOOK.read_text())


def offered(handoff: str, at: datetime, **said: Any) -> dict[str, Any]:
    return {
        "type": "HandoffOffered",
        "occurred_at": at.isoformat(),
        "source": "test",
        "handoff_id": handoff,
        "lead_id": f"lead-{handoff}",
        "from_team": "marketing",
        "to_team": "sales_development",
        "reason": "qualified",
        **said,
    }


def accepted(handoff: str, at: datetime, owner: str = "sdr-anna") -> dict[str, Any]:
    return {
        "type": "HandoffAccepted",
        "occurred_at": at.isoformat(),
        "source": "test",
        "handoff_id": handoff,
        "lead_id": f"lead-{handoff}",
        "owner": owner,
    }


def paused(handoff: str, at: datetime) -> dict[str, Any]:
    return {
        "type": "HandoffPaused",
        "occurred_at": at.isoformat(),
        "source": "test",
        "handoff_id": handoff,
        "lead_id": f"lead-{handoff}",
        "reason_code": "waiting_for_buyer",
    }


def publish(site: Site, events: Iterable[dict[str, Any]]) -> None:
    with Publisher(site.kafka) as publisher:
        publisher.publish_many(list(events))


ANSWER_WITHIN = timedelta(hours=2)  # marketing to sales_development, in the packaged playbook
