"""The view lead_dimension: by what each lead can be grouped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from tests.oracle.handoff_events import Handoff, handoffs
from tests.oracle.log import Fact, Log, Row
from tests.oracle.playbook import Playbook
from tests.oracle.qualification import MAKES_A_LEAD

KEY = ("lead_id",)
DIMENSIONS = (
    "first_channel",
    "first_campaign",
    "region",
    "country",
    "industry",
    "size_band",
    "named_segment",
    "source_system",
    "owner",
    "owner_team",
)
UNKNOWN = "unknown"


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per lead that was seen."""
    for lead_id, values in dimensions(log, playbook).items():
        yield {"lead_id": lead_id, **values}


@lru_cache(maxsize=4)
def dimensions(log: Log, playbook: Playbook) -> dict[str, dict[str, str]]:
    """Of each lead that was seen the value of each dimension."""
    of_lead: dict[str, list[Handoff]] = defaultdict(list)
    for handoff in handoffs(log).values():
        of_lead[handoff.lead_id].append(handoff)
    teams = {person: row["team"] for row in playbook.text.get("member", []) for person in row["ids"]}
    found = {}
    for lead_id, facts in log.by_lead.items():
        reports = [fact for fact in facts if fact.type in MAKES_A_LEAD]
        if not reports:
            continue
        captures = [fact for fact in facts if fact.type == "LeadCaptured"]
        profile = {
            name: _first(name, reversed([fact for fact in facts if fact.type == "LeadProfiled"]))
            for name in ("job_role", "country", "industry", "employees", "fit_score")
        }
        latest = max(of_lead[lead_id], key=lambda h: (h.offered_at, h.handoff_id), default=None)
        owner = latest.owner if latest else None
        found[lead_id] = {
            "first_channel": _first("channel", captures) or UNKNOWN,
            "first_campaign": _first("campaign_id", captures) or UNKNOWN,
            "region": _first("region", captures) or UNKNOWN,
            "country": profile["country"] or UNKNOWN,
            "industry": profile["industry"] or UNKNOWN,
            "size_band": _size_band(playbook, profile["employees"]),
            "named_segment": _segment(playbook, profile),
            "source_system": reports[0].fields["source"],
            "owner": owner or UNKNOWN,
            "owner_team": (latest and teams.get(owner or "", latest.to_team)) or UNKNOWN,
        }
    return found


def _first(name: str, facts: Iterable[Fact]) -> Any:
    return next((fact.fields[name] for fact in facts if fact.fields[name] not in (None, "")), None)


def _size_band(playbook: Playbook, employees: int | None) -> str:
    default: list[dict[str, Any]] = [
        {"id": "0-49", "at_most": 49},
        {"id": "50-249", "at_most": 249},
        {"id": "250-999", "at_most": 999},
        {"id": "1000+"},
    ]
    if employees is None:
        return UNKNOWN
    bands = playbook.text.get("size_band", default)
    return next(str(band["id"]) for band in bands if employees <= band.get("at_most", employees))


def _segment(playbook: Playbook, profile: Mapping[str, Any]) -> str:
    for segment in playbook.text.get("segment", []):
        if all(_holds(condition, profile[condition["attribute"]]) for condition in segment["conditions"]):
            return str(segment["id"])
    return "other"


def _holds(condition: Mapping[str, Any], value: Any) -> bool:
    if value is None:
        return False
    if "one_of" in condition:
        return value in condition["one_of"]
    return bool(condition.get("at_least", value) <= value <= condition.get("at_most", value))
