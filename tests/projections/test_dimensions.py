"""Size bands and segments of a playbook: what cannot be used is named by line and reason."""

from __future__ import annotations

import pytest

from projections.dimensions import DEFAULT_BANDS, Dimensions, Segment, SizeBand
from projections.playbook import parse_playbook
from schemas.errors import BatonError
from tests.projections.test_playbook import GOOD

BANDS = '[[size_band]]\nid = "small"\nat_most = 9\n[[size_band]]\nid = "large"\n'
SEGMENT = '[[segment]]\nid = "dach"\nconditions = [{attribute = "country", one_of = ["DE", "AT"]}]\n'
LINES = len(GOOD.splitlines())


def dimensions_of(text: str) -> Dimensions:
    return parse_playbook(GOOD + text, "p.toml").dimensions


def test_a_playbook_without_them_has_the_default_bands_and_no_segment() -> None:
    assert dimensions_of("") == Dimensions(DEFAULT_BANDS, ())


def test_bands_and_segments_are_read_in_their_order() -> None:
    found = dimensions_of(BANDS + SEGMENT + SEGMENT.replace("dach", "other dach"))

    assert found.size_bands == (SizeBand("small", 9), SizeBand("large", None))
    assert [segment.id for segment in found.segments] == ["dach", "other dach"]
    assert isinstance(found.segments[0], Segment) and found.segments[0].conditions[0].one_of == ("DE", "AT")


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        pytest.param(BANDS.replace("at_most = 9\n", ""), 1, "at_most is missing: only", id="no limit"),
        pytest.param(BANDS + "at_most = 20\n", 4, "leave its at_most out", id="a limit of the last"),
        pytest.param(f"{BANDS.split('[[size_band]]')[0]}[[size_band]]\nid='b'\nat_most=9\n{BANDS}", 4,
                     "is not above 9", id="not above the one before"),
        pytest.param(BANDS.replace("large", "small"), 4, "'small' appears twice", id="a band twice"),
        pytest.param(BANDS.replace("large", "unknown"), 4, "has a meaning already", id="a reserved band"),
        pytest.param(SEGMENT.replace("dach", "other"), 1, "has a meaning already", id="a reserved segment"),
        pytest.param(SEGMENT + SEGMENT, 4, "'dach' appears twice", id="a segment twice"),
        pytest.param('[[segment]]\nid = "dach"\n', 1, "conditions is missing", id="no conditions"),
        pytest.param('[[segment]]\nid = "dach"\nconditions = ["DE"]\n', 1, "holds tables such as",
                     id="a text for a condition"),
        pytest.param(SEGMENT.replace("one_of", "is"), 1, "there is no 'is' in a condition", id="another key"),
        pytest.param(SEGMENT.replace("country", "colour"), 1, "one of job_role, industry, country",
                     id="no such attribute"),
        pytest.param(SEGMENT.replace('one_of = ["DE", "AT"]', "at_least = 3"), 1, "country is a text",
                     id="a bound of a text"),
        pytest.param(SEGMENT.replace("country", "employees"), 1, "employees is a number",
                     id="values of a number"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_says_why(text: str, line: int, why: str) -> None:
    with pytest.raises(BatonError) as raised:
        dimensions_of(text)

    assert raised.value.where == f"p.toml:{LINES + line}"
    assert why in raised.value.why and raised.value.next_command.startswith("baton playbook check")
