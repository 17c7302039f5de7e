"""What a seed decides of a mix of faults: the records, and what is done to the worker between them.

Nothing here touches a process or a file. A story of the simulator is made worse: clocks jump, instants become
days, events come twice, late and out of order, schemas are odd, and some records nobody can read.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from kafka.partitioner import murmur2

from projections.playbook import DEFAULT_PLAYBOOK, parse_playbook
from schemas.catalogue import CATALOGUE
from schemas.codec import encode
from schemas.json_form import json_form
from schemas.validation import read_event
from streams.simulator import stories
from tests.faults.running import UNREADABLE, Record
from tests.schemas.test_codec import HEADER, sized
from tests.schemas.test_hostile_schemas import framed
from tests.signed import as_events, proposal, signature

LEADS = 25
ENDS_AT = datetime(2026, 5, 5, 16, tzinfo=UTC)
# The agreement of an edited playbook is of this day, before every event, and arrives at any time.
SIGNED_AT = datetime(2020, 1, 1, tzinfo=UTC)
SHIFTS = [timedelta(hours=-2), timedelta(hours=2), timedelta(days=-90), timedelta(days=400)]
PLAYBOOK = DEFAULT_PLAYBOOK.read_text()
EDITS = (
    ("at_risk_share = 0.75", "at_risk_share = 0.5"),
    ('window = "month"', 'window = "week"'),
    ('zone = "UTC"', 'zone = "Europe/Berlin"'),
    ('within = "2 hours"', 'within = "1 hour"'),
    ('within = "60 minutes"', 'within = "30 minutes"'),
)
# Writers' schemas with a field that the contract does not have, by their ids in the registry.
ODD_SCHEMAS = {
    number: {**event.schema, "fields": [*event.schema["fields"], {"name": "_row", "type": "string"}]}
    for number, event in enumerate(CATALOGUE.event_types.values(), 100)
}
ODD_IDS = dict(zip(CATALOGUE.event_types, ODD_SCHEMAS, strict=True))
UNKNOWN_ID = 99


class Item(NamedTuple):
    """A record before it has a partition. event: as the oracle reads it; None of what nobody can read."""

    topic: str
    key: bytes | None
    value: bytes | None
    event: Mapping[str, Any] | None

    def record(self, partitions: Mapping[str, int]) -> Record:
        """In the partition of its key, as a topic of so many has it."""
        partition = (murmur2(self.key or b"") & 0x7FFFFFFF) % partitions[self.topic]
        return Record(self.topic, partition, self.key, self.value)


class Step(NamedTuple):
    """Records, how they are written, and what happens to the worker while it reads them. after: so many
    commits, and a share of a moment."""

    items: Sequence[Item]
    how: str
    action: str
    after: tuple[int, float]


@dataclass(frozen=True)
class Mixture:
    """All that a seed decides. is_measuring: whether the worker also keeps up read models and measures."""

    seed: int
    steps: Sequence[Step]
    edits: Sequence[str]
    signed: str | None
    batch_records: int
    is_measuring: bool

    @property
    def committed(self) -> list[Item]:
        """What the log holds in the end."""
        return [item for step in self.steps if step.how != "aborted" for item in step.items]


def draw(seed: int, actions: Sequence[str], ways: Sequence[str], steps: int) -> Mixture:
    """A mixture of these actions and ways to write."""
    chance = random.Random(seed)
    edits = [_edited(PLAYBOOK, pair) for pair in chance.sample(EDITS, 2)]
    signed = _edited(PLAYBOOK, chance.choice(EDITS)) if chance.random() < 0.5 else None
    items = _items(seed, chance, signed)
    cuts = sorted(chance.randrange(len(items)) for _ in range(steps - 1))
    edges = [0, *cuts, len(items)]
    drawn = []
    for start, stop in zip(edges, edges[1:], strict=False):
        part, how = items[start:stop], chance.choice(ways)
        if how == "aborted":  # a producer that fails and tries again
            drawn.append(Step(part, how, "nothing", (1, 0.0)))
            how = "committed"
        after = (chance.randrange(3), chance.random())
        drawn.append(Step(part, how, chance.choice(actions), after))
    return Mixture(seed, drawn, edits, signed, chance.choice((20, 60, 300)), chance.random() < 0.2)


def _edited(text: str, pair: tuple[str, str]) -> str:
    assert pair[0] in text, pair
    return text.replace(*pair, 1)


def _items(seed: int, chance: random.Random, signed: str | None) -> list[Item]:
    items = [_item(_worse(event, chance), chance) for event in stories(seed, LEADS, duplicates=0)]
    if signed is not None:
        playbook = parse_playbook(signed)
        said = [proposal(playbook, SIGNED_AT)]
        said += [signature(playbook, team, SIGNED_AT) for team in ("marketing", "sales")]
        for event in as_events(*said):
            items.insert(chance.randrange(len(items)), _item(event, chance))
    for _ in range(len(items) // 20):
        items.insert(chance.randrange(len(items)), chance.choice(items))
    for _ in range(len(items) // 10):  # late, or early
        item = items.pop(chance.randrange(len(items)))
        items.insert(chance.randrange(len(items)), item)
    whole = list(items)
    for _ in range(len(items) // 20):
        items.insert(chance.randrange(len(items)), _poison(chance.choice(whole), chance))
    return items


def _worse(event: Mapping[str, Any], chance: random.Random) -> dict[str, Any]:
    """The event, perhaps with a wrong clock, or known by its day."""
    event = dict(event)
    if chance.random() < 0.06:
        field = chance.choice(("recorded_at", "occurred_at"))
        event[field] = (datetime.fromisoformat(event[field]) + chance.choice(SHIFTS)).isoformat()
    fields = {field["name"] for field in CATALOGUE.event_types[event["type"]].fields}
    if "is_day_only" in fields and chance.random() < 0.1:
        event["occurred_on"] = date.fromisoformat(event.pop("occurred_at")[:10]).isoformat()
    return event


def _item(event: Mapping[str, Any], chance: random.Random) -> Item:
    event_type, record = read_event(event)
    value = encode(event_type, record)
    if chance.random() < 0.05:
        value = framed(ODD_IDS[event_type.name], value[len(HEADER) :] + sized(b"x"))
    key = record[event_type.key].encode()
    return Item(event_type.topic, key, value, json_form(event_type, record))


def _poison(neighbour: Item, chance: random.Random) -> Item:
    """A record that becomes a failed event: broken, of an unknown schema, or on another topic."""
    value = neighbour.value
    if value is None or chance.random() < 0.3:
        return Item("funnel.sales", b"k", chance.choice(UNREADABLE), None)
    if chance.random() < 0.5:
        return Item(neighbour.topic, b"k", chance.choice((value[:-1], framed(UNKNOWN_ID))), None)
    topics = ("funnel.marketing", "funnel.success")
    other = topics[neighbour.topic == topics[0]]
    return Item(other, neighbour.key, value, None)


def registry_answers() -> dict[str, tuple[int, bytes]]:
    """The odd schemas as a registry hands them out."""
    return {
        f"/schemas/ids/{number}": (200, json.dumps({"schema": json.dumps(schema)}).encode())
        for number, schema in ODD_SCHEMAS.items()
    }
