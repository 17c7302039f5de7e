"""A mapping is checked as a whole: every mistake at once, each with its place."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from schemas.errors import BatonError, ExitCode
from streams.mapping.reader import parse_mapping, read_mapping

ROOT = Path(__file__).resolve().parents[3]
GOOD = """
[mapping]
source = "crm"
[file.leads]
key = "id"
[[event]]
type = "LeadCaptured"
from = "leads"
[event.set]
lead_id = "{id}"
occurred_on = "{day}"
"""
STAGES = """
[[event]]
type = "OpportunityStageEntered"
from = "leads"
when = { value = "{stage}", is = "a" }
[event.set]
opportunity_id = "{id}"
stage = "a"
occurred_on = "{day}"
"""


def _faults(text: str) -> str:
    with pytest.raises(BatonError) as caught:
        parse_mapping(text)
    assert caught.value.exit_code == ExitCode.CONFIGURATION
    return caught.value.why


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (('source = "crm"', 'sorce = "crm"'), 'mapping: "sorce" is not a key here; did you mean source?'),
        (('source = "crm"', ""), "mapping: source is missing"),
        (('source = "crm"', 'source = "crm"\nzone = "Berlin"'), "mapping.zone: 'Berlin' is not a zone"),
        (('key = "id"', ""), "file.leads: key is missing"),
        (('key = "id"', 'key = "id"\ndelimiter = ";;"'), "file.leads.delimiter: expected one character"),
        (('key = "id"', 'key = "id"\nencoding = "utf-9"'), "file.leads.encoding: 'utf-9' is not an encoding"),
        (("LeadCaptured", "LeadCapured"), "did you mean LeadCaptured?"),
        (("LeadCaptured", "AlertOpened"), "is not an event that can be imported"),
        (('from = "leads"', 'from = "lead"'), 'event[1] LeadCaptured.from: "lead" is not a file'),
        (('lead_id = "{id}"', ""), "lead_id is missing, and LeadCaptured requires it"),
        (('"{id}"', '"{id"'), "has a { without its other half"),
        (('occurred_on = "{day}"', ""), "occurred_at is missing, or occurred_on where only the day is known"),
        (("occurred_on", "ocurred_on"), '"ocurred_on" is not a field of LeadCaptured'),
        (('lead_id = "{id}"', 'lead_id = "{id}"\nevent_id = "x"'), "is filled in by the import"),
        (('lead_id = "{id}"', 'lead_id = "{id}"\noccurred_at = "{t}"'), "stands beside occurred_at"),
        (
            ('lead_id = "{id}"', 'lead_id = "{id}"\nchannel = { value = "{c}", lookup = "x" }'),
            "is not a lookup",
        ),
        (
            ('lead_id = "{id}"', 'lead_id = "{id}"\nchannel = { value = "{o.c}", x = 1 }'),
            '"x" is not a key here',
        ),
        (('lead_id = "{id}"', 'lead_id = "{id}"\nattributes.Landing = "x"'), "is no name: lower_case"),
        (('"{day}"', '{ value = "{day}", missing = "leave_out" }'), "occurred_on cannot be left out"),
        (('"{day}"', '{ value = "{day}", missing = "stand_in" }'), "a stand_in is for ids"),
        (('"{day}"', '{ value = "{day}", formats = ["%d/%m/%Y", "%m/%d/%Y"] }'), "as different days"),
        (('"{day}"', '{ value = "{day}", formats = ["dd/mm/yyyy"] }'), "'dd/mm/yyyy' is no format"),
        (('"{day}"', '{ value = "{day}", formats = ["%d %B"] }'), "has no year"),
        (
            ('occurred_on = "{day}"', 'occurred_at = { value = "{day}", formats = ["%d.%m.%Y"] }'),
            "'%d.%m.%Y' has no time of day; give `time`, or set occurred_on",
        ),
        (
            ('occurred_on = "{day}"', 'occurred_at = { value = "{day}", formats = ["%d.%m.%Y %H:%M"] }'),
            "'%d.%m.%Y %H:%M' has no zone; give `zone` here or in [mapping]",
        ),
        (('from = "leads"', 'from = "leads"\nwhen = { value = "{a}" }'), "says nothing about its value"),
        (
            ('from = "leads"', 'from = "leads"\nwhen = { value = "{a}", matches = "(" }'),
            "no regular expression",
        ),
        (
            ('from = "leads"', 'from = "leads"\njoin = { deals = "{a}" }'),
            '"deals" is not a file of this mapping',
        ),
        (("[[event]]", STAGES.replace('"a" }', '"a" }\nx = 1') + "[[event]]"), '"x" is not a key here'),
        (("[[event]]", STAGES + STAGES + "[[event]]"), "under the ids of event[1]; give one of them an `id`"),
        (("[mapping]", "[maping]"), '"maping" is not a part of a mapping; did you mean mapping?'),
        (("[mapping]", "[mapping"), "it is not TOML"),
    ],
)
def test_a_mistake_is_told_with_its_place(change: tuple[str, str], fault: str) -> None:
    assert change[0] in GOOD
    assert fault in _faults(GOOD.replace(*change, 1))


def test_all_mistakes_are_told_at_once() -> None:
    broken = GOOD.replace('key = "id"', "").replace('"{day}"', '"{day"').replace("crm", "")
    assert len(_faults(broken).splitlines()) == 3


def test_one_type_twice_of_a_row_is_fine_where_no_row_meets_both() -> None:
    other = STAGES.replace('is = "a"', 'in = ["b"]')
    assert len(parse_mapping(GOOD + STAGES + other).events) == 3


def test_open_questions_are_listed_with_their_places() -> None:
    draft = GOOD.replace('"crm"', '"? which system"').replace(
        '"{day}"', '{ value = "{day}", formats = ["? which"] }'
    )
    why = _faults(draft)
    assert why.splitlines()[0].startswith("2 questions")
    assert "mapping.source: which system" in why and "event[1].set.occurred_on.formats[1]: which" in why


def test_a_mapping_that_is_not_there_says_how_to_draft_one(tmp_path: Path) -> None:
    with pytest.raises(BatonError) as caught:
        read_mapping(tmp_path / "map.toml")
    assert "--suggest" in caught.value.next_command


def test_the_example_of_the_reference_is_a_mapping() -> None:
    [example] = re.findall(
        r"^```toml\n(.*?)^```", (ROOT / "docs/reference/mapping.md").read_text(), re.M | re.S
    )
    assert [rule.event.name for rule in parse_mapping(example).events] == [
        "LeadCaptured",
        "OpportunityStageEntered",
        "OpportunityWon",
    ]


@pytest.mark.parametrize(
    ("data", "why", "command"),
    [
        ("[mapping]".encode("utf-16"), "it is written in UTF-16, and a mapping is text in UTF-8", "iconv"),
        (b"[mapping]\xff", "it is not text in UTF-8: byte 9 cannot be read", "baton"),
    ],
)
def test_a_mapping_that_is_no_text_says_what_it_is(
    tmp_path: Path, data: bytes, why: str, command: str
) -> None:
    (tmp_path / "my map.toml").write_bytes(data)
    with pytest.raises(BatonError) as caught:
        read_mapping(tmp_path / "my map.toml")
    assert (caught.value.where, caught.value.why) == ("my map.toml", why)
    words = shlex.split(caught.value.next_command.partition("   ")[0])
    assert words[0] == command
    assert command != "iconv" or str(tmp_path / "my map.toml") in words
