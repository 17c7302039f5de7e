"""The catalogue finds every published version, by name and by what is on the wire."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from avro.schema import parse

from schemas.catalogue import (
    CATALOGUE,
    DEAD_LETTER_TOPIC,
    DERIVED_TOPIC,
    ENVELOPE,
    EVENTS_FOLDER,
    read_catalogue,
)
from schemas.errors import BatonError, ExitCode

FILES = sorted(EVENTS_FOLDER.glob("*/*.avsc"))


def test_every_file_is_an_event() -> None:
    versions = [version.path for event in CATALOGUE.event_types.values() for version in event.versions]
    assert sorted(versions) == FILES and FILES


@pytest.mark.parametrize("name", list(CATALOGUE.event_types))
def test_an_event_says_where_it_travels_and_by_which_key(name: str) -> None:
    event = CATALOGUE.event_types[name]
    fields = {field["name"] for field in event.fields}

    assert event.newest.path.parent.name == event.topic
    assert event.key in fields and fields.issuperset(ENVELOPE)
    assert event.table == "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def crc_64_avro(text: str) -> int:
    """The fingerprint as the Avro 1.12 specification writes it down, bit by bit."""
    empty = 0xC15D213AA4D7A795
    found = empty
    for byte in text.encode():
        found ^= byte
        for _ in range(8):
            found = (found >> 1) ^ (empty if found & 1 else 0)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_fingerprint_is_the_specification_s_over_another_library_s_canonical_form(path: Path) -> None:
    schema = json.loads(path.read_text())
    event = CATALOGUE.event_types[schema["name"]]
    mine = next(version for version in event.versions if version.path == path)
    # avro leaves a primitive type that lost its logical type in braces; the specification takes them off.
    canonical = re.sub(r'\{"type":("\w+")\}', r"\1", parse(json.dumps(schema)).canonical_form)

    assert mine.fingerprint == crc_64_avro(canonical).to_bytes(8, "little")
    alike = [v for v in event.versions if v.fingerprint == mine.fingerprint]
    assert CATALOGUE.by_fingerprint[mine.fingerprint] == (event, alike[-1])


def test_the_specification_s_fingerprint_of_null() -> None:
    assert crc_64_avro('"null"') == 0x63DD24E7CC258F8A


def test_a_fingerprint_is_that_of_one_event() -> None:
    """Versions may share one, when they differ in nothing that is on the wire."""
    found = {(v.fingerprint, event.name) for event in CATALOGUE.event_types.values() for v in event.versions}
    assert len(CATALOGUE.by_fingerprint) == len(found)


def test_facts_are_all_events_but_the_derived_ones() -> None:
    derived = {name for name, event in CATALOGUE.event_types.items() if event.topic == DERIVED_TOPIC}

    assert {event.name for event in CATALOGUE.facts} == CATALOGUE.event_types.keys() - derived
    assert DERIVED_TOPIC not in CATALOGUE.fact_topics and DEAD_LETTER_TOPIC not in CATALOGUE.topics
    assert set(CATALOGUE.fact_topics) == set(CATALOGUE.topics) - {DERIVED_TOPIC}


@pytest.mark.parametrize(
    ("file", "content", "why"),
    [
        pytest.param("LeadCaptured.v1.avsc", "{", "it is not JSON", id="not JSON"),
        pytest.param("LeadCaptured.avsc", '{"name": "LeadCaptured"}', "its name must be", id="no version"),
        pytest.param("LeadTaken.v1.avsc", '{"name": "LeadCaptured"}', "its name must be", id="another name"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, file: str, content: str, why: str) -> None:
    folder = tmp_path / "funnel.marketing"
    folder.mkdir()
    (folder / file).write_text(content)

    with pytest.raises(BatonError) as raised:
        read_catalogue(tmp_path)

    assert raised.value.where.endswith(file) and why in raised.value.why
    assert raised.value.next_command and raised.value.exit_code == ExitCode.CONFIGURATION
