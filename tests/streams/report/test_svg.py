"""Charts add up, are well-formed whatever a label says, and are the same bytes for the same values."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.report import svg

HOSTILE = "</text><script>alert(1)</script>&\"'"
SVG = "{http://www.w3.org/2000/svg}"
amounts = st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=8)


def bars_of(chart: str) -> list[tuple[float, float]]:
    """(from, to) of each bar that is drawn."""
    found = ElementTree.fromstring(chart).iter(f"{SVG}rect")
    spans = [(float(r.attrib["x"]), float(r.attrib["width"])) for r in found if r.attrib["height"] != "10"]
    return [(x, x + width) for x, width in spans]


@settings(max_examples=60, deadline=None)
@given(amounts)
def test_each_step_of_a_waterfall_begins_where_the_one_before_ended(values: list[int]) -> None:
    rows = [("step", float(value), str(value)) for value in values if value]
    chart = svg.waterfall("gap", rows, ("together", float(sum(values)), str(sum(values))))
    *steps, _ = [*bars_of(chart), (0.0, 0.0)] if not sum(values) else bars_of(chart)
    steps = steps[: len(rows)]
    for (one, after), (value, following) in zip(pairwise(steps), pairwise([r[1] for r in rows]), strict=True):
        end = one[1] if value > 0 else one[0]
        start = after[0] if following > 0 else after[1]
        assert abs(end - start) <= 0.7  # half a unit is the least that a bar is wide


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=8).filter(any))
def test_the_parts_of_a_stacked_bar_fill_it(values: list[int]) -> None:
    spans = bars_of(svg.stacked("bands", ["part"] * len(values), [("pair", values)]))
    assert len(spans) == sum(value > 0 for value in values)
    assert abs(max(end for _, end in spans) - (svg.WIDTH - svg.TEXT)) <= 0.7


def test_what_a_label_says_is_text() -> None:
    for chart in (
        svg.bars(HOSTILE, [(HOSTILE, 1.0, HOSTILE)]),
        svg.waterfall(HOSTILE, [(HOSTILE, 1.0, HOSTILE)], (HOSTILE, 1.0, HOSTILE)),
        svg.stacked(HOSTILE, [HOSTILE], [(HOSTILE, [1])]),
    ):
        tags = {element.tag.removeprefix(SVG) for element in ElementTree.fromstring(chart).iter()}
        assert tags <= {"svg", "title", "rect", "text", "line"}
