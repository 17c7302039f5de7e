"""The examples in a playbook are run through the view that everybody reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from projections.playbook import DEFAULT_PLAYBOOK, parse_playbook, read_playbook
from schemas.errors import BatonError, ExitCode
from tests.projections.test_playbook import EXAMPLE, GOOD
from warehouse.examples import check_examples

NUMBERS = Path(__file__).parents[2] / "docs" / "numbers" / "playbook.toml"
UNKNOWN = 'failing = ["icp_employees", "showed_intent"]'
LEAD = '{type = "LeadCaptured", occurred_at = 2026-03-02T09:00:00Z, lead_id = "lead-1", channel = "web"}'
SIZE = '{type = "LeadProfiled", occurred_at = 2026-03-02T09:01:00Z, lead_id = "lead-1", employees = %d}'
DEMO = (
    '{type = "TouchRecorded", occurred_at = 2026-03-02T09:02:00Z, lead_id = "lead-1", team = "marketing",'
    ' channel = "web", activity = "demo_requested", is_inbound = true, is_automated = false}'
)


def with_events(*events: str, failing: str = UNKNOWN, verdict: str = "not_qualified") -> str:
    """The good playbook with another example."""
    return GOOD.replace(LEAD, ", ".join(events)).replace(UNKNOWN, failing).replace("not_qualified", verdict)


@pytest.mark.parametrize("file", [DEFAULT_PLAYBOOK, NUMBERS], ids=["the packaged one", "the worked examples"])
def test_the_examples_of_our_playbooks_hold(file: Path) -> None:
    playbook = read_playbook(file)
    examples = (*playbook.examples, *playbook.alert_examples)
    assert check_examples(playbook, str(file)) == len(examples) > 0


RIGHT = {
    "as it stands": GOOD,
    "nothing said of what fails": GOOD.replace(UNKNOWN, ""),
    "all holds": with_events(LEAD, SIZE % 80, DEMO, failing="", verdict="qualified"),
    "asked before the demo": with_events(
        LEAD, SIZE % 80, DEMO, failing='failing = ["showed_intent"]\nas_of = 2026-03-02T09:01:30Z'
    ),
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_a_right_example_passes(text: str) -> None:
    assert check_examples(parse_playbook(text), "p.toml") == 1


WRONG = {
    "another verdict": (
        with_events(LEAD, SIZE % 80, DEMO, failing=""),
        "expected: not qualified; came: qualified",
    ),
    "another criterion": (
        with_events(LEAD, SIZE % 12, failing='failing = ["showed_intent"]'),
        "expected: not qualified, failing: showed_intent;"
        " came: not qualified, failing: icp_employees (found 12), showed_intent (found 0)",
    ),
    "not qualified after all": (
        with_events(LEAD, SIZE % 80, failing="", verdict="qualified"),
        "expected: qualified; came: not qualified, failing: showed_intent (found 0)",
    ),
}


@pytest.mark.parametrize(("text", "why"), WRONG.values(), ids=WRONG)
def test_a_wrong_example_is_told_by_line_and_by_what_came(text: str, why: str) -> None:
    with pytest.raises(BatonError) as raised:
        check_examples(parse_playbook(text), "p.toml")

    assert raised.value.where == f"p.toml:{EXAMPLE}"
    assert raised.value.why == why
    assert "baton playbook check p.toml" in raised.value.next_command
    assert raised.value.exit_code is ExitCode.CONFIGURATION


def test_examples_do_not_see_each_other() -> None:
    first = with_events(LEAD, SIZE % 80, DEMO, failing="", verdict="qualified")
    second = GOOD[GOOD.index("[[example]]") :].replace("a demo alone", "another")
    assert check_examples(parse_playbook(first + second), "p.toml") == 2
