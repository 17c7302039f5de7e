"""No role reads what the contract marks as personal, unless the file names the column.

Each such field of the contract says a word of its own in every event of a simulated story; the word is then
looked for in every column of every view.
"""

from __future__ import annotations

import json

import pytest

from projections.playbook import DEFAULT_PLAYBOOK, read_playbook
from projections.projection import views
from schemas.catalogue import CATALOGUE
from streams.simulator import simulate
from tests.given import as_bytes, given, in_memory
from warehouse.roles import DEFAULT_ROLES, read_roles

WORD = "PERSONAL-"
DECLARED = """
[[attribute]]
name = "hobby"
of = "lead"

[[attribute]]
name = "hobby"
of = "touch"

[[attribute]]
name = "hobby"
of = "deal"
"""
# What Kafka's reactions write, which a story is without.
ALERTS = (
    {"type": "AlertOpened", "alert_id": "a1", "rule": "slow", "severity": "warning",
     "subject_kind": "handoff", "subject_id": "h1", "observed": 1, "threshold": 1,
     "sample_size": 1, "summary": "s"},
    {"type": "AlertAcknowledged", "alert_id": "a1", "acknowledged_by": "somebody"},
)  # fmt: skip


def personal_fields() -> dict[str, dict[str, str]]:
    """By event type, each field that the contract marks as personal, and the kind of its value."""
    return {
        event.name: {
            field["name"]: "attributes" if isinstance(field["type"], dict) else "text"
            for field in event.fields
            if field.get("pii")
        }
        for event in CATALOGUE.event_types.values()
        if any(field.get("pii") for field in event.fields)
    }


@pytest.fixture(scope="module")
def columns_with_words(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], set[str]]:
    """Of every column of a view in which a personal word is found, the fields whose words they are."""
    folder = tmp_path_factory.mktemp("story")
    as_of = simulate(7, 400, folder).as_of
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    last = max(event["occurred_at"] for event in events)
    events += [{"source": "t", "occurred_at": last, "recorded_at": last, **alert} for alert in ALERTS]
    personal = personal_fields()
    for event in events:
        for name, kind in personal.get(event["type"], {}).items():
            word = f"{WORD}{event['type']}.{name}"
            event[name] = {"hobby": word} if kind == "attributes" else word
    assert personal.keys() <= {event["type"] for event in events}, (
        "a story without one of them proves nothing"
    )
    playbook = folder / "playbook.toml"
    playbook.write_text(DEFAULT_PLAYBOOK.read_text() + DECLARED)
    found: dict[tuple[str, str], set[str]] = {}
    with in_memory(read_playbook(playbook)) as warehouse:
        given(warehouse, as_bytes(events))
        warehouse.pin_as_of(as_of)
        for view in views():
            texts = ", ".join(
                f"list(distinct regexp_extract_all(\"{c.name}\"::varchar, '{WORD}\\w+\\.\\w+'))"
                for c in view.columns
            )
            [row] = warehouse.connection.execute(f"select {texts} from {view.relation}").fetchall()
            for column, lists in zip(view.columns, row, strict=True):
                if words := {word for words in lists or [] for word in words or []}:
                    found[view.name, column.name] = words
    return found


def test_the_words_are_found_where_views_show_them(
    columns_with_words: dict[tuple[str, str], set[str]],
) -> None:
    assert columns_with_words["dispute", "reason"] == {f"{WORD}DisputeOpened.reason"}
    assert ("lead_attribute", "last_value") in columns_with_words
    assert ("deal_attribute", "first_value") in columns_with_words


@pytest.mark.parametrize("role", read_roles(DEFAULT_ROLES))
def test_no_role_reads_one_of_them_but_by_name(
    role: str, columns_with_words: dict[tuple[str, str], set[str]]
) -> None:
    named = {("alert_history", "note"), ("dispute", "reason")} if role == "leadership" else set()
    columns = read_roles(DEFAULT_ROLES)[role].columns

    reached = {(view, column) for view, column in columns_with_words if column in columns.get(view, ())}
    assert reached == named


def test_the_file_withholds_each_of_them(columns_with_words: dict[tuple[str, str], set[str]]) -> None:
    text = DEFAULT_ROLES.read_text(encoding="utf-8")
    withheld = text[text.index("withheld") : text.index("]")]
    read_by_somebody = {view for role in read_roles().values() for view in role.columns}

    for view, column in columns_with_words:
        if view in read_by_somebody:
            assert f'"{view}.{column}"' in withheld
