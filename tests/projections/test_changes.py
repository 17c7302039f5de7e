"""The changes of a new playbook are listed as sentences, by affected team."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from projections.changes import changes
from projections.playbook import DEFAULT_PLAYBOOK, KEYS, parse_playbook
from streams.cli.playbook import playbook as playbook_command

OLD = DEFAULT_PLAYBOOK.read_text()
BEFORE = parse_playbook(OLD)
GOAL = """[[goal]]
id = "2026-Q3-revenue"
period = "2026-Q3"
metric = "revenue"
owner_team = "sales"
amount = "6500000.00"
currency = "EUR"

"""
PRODUCT = '[[attribute]]\nname = "product"\nof = "deal"\nvalues = ["basic", "plus"]\n\n'
FIRST_STAGES = OLD[OLD.index('[[stage]]\nid = "captured"') : OLD.index('[[stage]]\nid = "offered"')]
SWAPPED = "[[stage]]".join(["", *reversed(FIRST_STAGES.split("[[stage]]")[1:])])
SALES = 'id = "sales"\nside = "sales"\ncalendar = "new_york"'
FIT = 'attribute = "fit_score"\nat_least = 20'
GOAL_OF_SALES = 'owner_team = "sales"\namount = "6000000.00"'
USD = '[[rate]]\ncurrency = "USD"\nrate = "0.92"                       # one USD in EUR\n\n'

ENTERPRISE = '[[segment]]\nid = "enterprise"\nconditions = [{attribute = "employees", at_least = 250}]\n'
USD_FROM_APRIL = OLD[OLD.index(USD) + len(USD) : OLD.index('[[rate]]\ncurrency = "GBP"')]
GOAL_OF_MARKETING = 'owner_team = "marketing"\namount = "18000000.00"\ncurrency = "EUR"\n'

# (block, what stood there, what stands there now, team, the sentence)
PAST_DUE = 'id = "answer_past_due"\nkind = "handoff_past_due"'
CHANGED = [
    ("playbook", "at_risk_share = 0.75", "at_risk_share = 0.8", "everybody",
     "A deadline is at risk when this much of its time is gone: 80 %; before 75 %."),
    ("playbook", 'zone = "UTC"', 'zone = "Europe/Berlin"', "everybody",
     "Days are those of the zone Europe/Berlin; before UTC."),
    ("calendar", "Mon-Fri 09:00-17:30", "Mon-Thu 08:00-17:30", "sales",
     "The calendar new_york is open Mon-Thu 08:00-17:30; before Mon-Fri 09:00-17:30."),
    ("calendar", '"2026-10-02"]', '"2026-10-02", "2026-11-08"]', "sales_development",
     "The calendar kolkata is closed on 2026-11-08 too."),
    ("calendar", '"2026-08-15", ', "", "sales_development",
     "The calendar kolkata is no longer closed on 2026-08-15."),
    ("team", SALES, SALES.replace("new_york", "berlin"), "sales",
     "Sales works by the calendar berlin; before new_york."),
    ("member", '"sdr-clara"]', '"sdr-carl"]', "sales_development",
     "sdr-carl is listed and works by the calendar berlin."),
    ("stage", FIRST_STAGES, SWAPPED, "everybody",
     "The stages come in the order engaged > captured > offered > accepted > reached > opportunity > won."),
    ("stage", 'buyer = "aware"', 'buyer = "curious"', "everybody",
     "At stage captured the buyer is: curious; before aware."),
    ("deal_stage", '[[deal_stage]]\nid = "negotiation"\n', "", "everybody",
     "A deal goes through prospecting > discovery > qualification > evaluation > proposal; before"
     " prospecting > discovery > qualification > evaluation > proposal > negotiation."),
    ("sla", 'within = "2 hours"', 'within = "1 hour"', "sales_development",
     "Sales Development answers Marketing's leads within 1 hour instead of 2 hours (business time)."),
    ("sla", "attempts = 5", "attempts = 7", "sales_development",
     "Sales Development keeps trying to reach the buyers of Marketing's leads within 14 days (elapsed time)"
     " and at least 7 times instead of 5."),
    ("sla", 'within = "8 hours"', 'within = "48 hours"', "marketing",
     "Marketing acknowledges what Sales Development returns within 48 hours instead of 8 hours"
     " (business time)."),
    ("alert", "threshold = 5", "threshold = 9", "sales_development",
     "The alert handoffs_overdue: warning to Sales Development at 9 overdue of at least 5 in 1 hour;"
     " before warning to Sales Development at 5 overdue of at least 5 in 1 hour."),
    ("alert", PAST_DUE, f'{PAST_DUE}\nfor = "30 minutes"\nreceivers = ["chat"]', "sales_development",
     "The alert answer_past_due: warning to Sales Development when answer from any team to any team is past"
     " due for 30 minutes, sent to chat; before warning to Sales Development when answer from any team to any"
     " team is past due."),
    ("alert_example", 'id = "nobody answers"', 'id = "silence"', "everybody",
     "The example 'silence' is new."),
    ("icp", "employees_at_least = 20", "employees_at_least = 50", "everybody",
     "A qualified lead now needs at least 50 employees; before 20."),
    ("icp", "employees_at_least = 20\n", "", "everybody",
     "A qualified lead no longer needs at least 20 employees."),
    ("criterion", FIT, FIT.replace("20", "40"), "everybody",
     "A qualified lead now needs a fit score of at least 40; before 20."),
    ("criterion", "is_required = false\n\n# Ex", "\n# Ex", "everybody",
     "A qualified lead now needs 1 person known as champion or economic buyer; before 1 person known as"
     " champion or economic buyer (shown, not required)."),
    ("buying_group", 'engaged_within = "90 days"', 'engaged_within = "60 days"', "everybody",
     "A buyer counts as engaged for 60 days; before 90 days."),
    ("role", "wanted = 3", "wanted = 2", "everybody",
     "A buying group wants 2 user (required); before 3 user (required)."),
    ("money", 'gross_margin = "0.78"', 'gross_margin = "0.8"', "everybody",
     "The gross margin is reckoned at 80 %; before 78 %."),
    ("playbook", "fiscal_year_begins = 2 ", "fiscal_year_begins = 4 ", "everybody",
     "Fiscal years begin in April; before February."),
    ("playbook", 'week_begins = "monday"', 'week_begins = "sunday"', "everybody",
     "Weeks begin on Sunday; before Monday."),
    ("rate", "from = 2026-04-01", "from = 2026-05-01", "everybody",
     "From 2026-05-01 on one USD is 0.85 EUR; before there was none."),
    ("rate", 'rate = "0.85"', 'rate = "0.8"', "everybody",
     "From 2026-04-01 on one USD is 0.8 EUR; before 0.85."),
    ("rate", USD_FROM_APRIL, "", "everybody",
     "There is no rate for USD from 2026-04-01 on any more; before 0.85."),
    ("goal", GOAL_OF_MARKETING, GOAL_OF_MARKETING + 'scope = "team"\n', "marketing",
     "The goal for 2026-Q1 pipeline, owned by marketing, counts what the team itself brings instead of all"
     " that is sold."),
    ("rate", 'rate = "0.92"', 'rate = "0.95"', "everybody", "One USD is 0.95 EUR; before 0.92."),
    ("rate", USD, "", "everybody", "There is no rate for USD any more; before 0.92."),
    ("goal", GOAL_OF_SALES, GOAL_OF_SALES.replace("6", "7"), "sales",
     "The goal for 2026-Q1 revenue, owned by sales, rises from EUR 6,000,000.00 to 7,000,000.00."),
    ("goal", "[[cost]]", f"{GOAL}[[cost]]", "sales",
     "The goal for 2026-Q3 revenue, owned by sales, is new: EUR 6,500,000.00."),
    ("cost", 'amount = "310000.00"', 'amount = "290000.00"', "sales_development",
     "The cost of Sales Development in 2026-Q1 is EUR 290,000.00; before EUR 310,000.00."),
    ("cascade", "minimum_n = 30", "minimum_n = 50", "everybody",
     "A rate needs at least 50 cases; before 30."),
    ("cascade", 'accepted = "sales_development"', 'accepted = "sales"', "sales",
     "Sales owns the step accepted of the goal cascade; before Sales Development."),
    ("attribution", 'session = "30 minutes"', 'session = "1 hour"', "everybody",
     "Touches of one account within 1 hour are one visit; before 30 minutes."),
    ("attribute", "[[cost]]", f"{PRODUCT}[[cost]]", "everybody",
     "The attribute product of a deal is basic or plus, and is new."),
    ("size_band", "at_most = 249", "at_most = 199", "everybody",
     "Companies are grouped by employees as 0-49 (at most 49), 50-249 (at most 199), 250-999 (at most 999),"
     " 1000+ (the others); before 0-49 (at most 49), 50-249 (at most 249), 250-999 (at most 999), 1000+ (the"
     " others)."),
    ("segment", "at_least = 250}]", "at_least = 500}]", "everybody",
     "The segment enterprise has at least 500 employees; before at least 250 employees."),
    ("segment", 'id = "mid-market dach"', 'id = "dach"', "everybody",
     "The segment dach has the country DE, AT or CH and at least 50 employees, and is new."),
    ("segment", ENTERPRISE, "", "everybody", "The segment enterprise is gone."),
    ("example", 'id = "a webinar of six weeks ago"', 'id = "an old webinar"', "everybody",
     "The example 'an old webinar' is new."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("block", "stood", "stands", "team", "says"), CHANGED, ids=[f"{c[0]}: {c[4][:40]}" for c in CHANGED]
)
def test_a_change_is_a_sentence_for_whom_it_concerns(
    block: str, stood: str, stands: str, team: str, says: str
) -> None:
    assert stood in OLD
    found = changes(BEFORE, parse_playbook(OLD.replace(stood, stands, 1)))

    assert (team, block, says) in [(change.team, change.block, change.says) for change in found]


def test_no_block_of_a_playbook_changes_in_silence() -> None:
    assert {case[0] for case in CHANGED} == KEYS.keys()


def test_an_attribute_that_takes_other_values_or_goes_is_a_sentence() -> None:
    listed = parse_playbook(f"{OLD}\n{PRODUCT}")
    any_value = parse_playbook(f"{OLD}\n{PRODUCT}".replace('values = ["basic", "plus"]\n', ""))

    assert [change.says for change in changes(listed, any_value)] == [
        "The attribute product of a deal is any text; before basic or plus."
    ]
    assert [change.says for change in changes(any_value, BEFORE)] == [
        "The attribute product of a deal is no longer declared."
    ]


def test_segments_in_another_order_are_a_sentence() -> None:
    swapped = OLD.replace(ENTERPRISE, "").replace("# --- who decides", f"{ENTERPRISE}\n# --- who decides")

    assert [change.says for change in changes(BEFORE, parse_playbook(swapped))] == [
        "Segments are tried in the order mid-market dach > enterprise."
    ]


def test_the_same_playbook_changes_nothing() -> None:
    assert changes(BEFORE, parse_playbook("# a note\n" + OLD)) == ()


def test_other_words_for_the_same_are_told_apart_from_nothing() -> None:
    (only,) = changes(BEFORE, parse_playbook(OLD.replace('within = "2 hours"', 'within = "120 minutes"', 1)))
    assert only.says == "It is worded differently and says the same."


def test_diff_groups_the_sentences_by_team(tmp_path: Path) -> None:
    old, new = tmp_path / "old.toml", tmp_path / "new.toml"
    old.write_text(OLD)
    new.write_text(OLD.replace("at_least = 20", "at_least = 50").replace('"2 hours"', '"1 hour"'))

    shown = CliRunner().invoke(playbook_command, ["diff", str(old), str(new)])
    as_json = CliRunner().invoke(playbook_command, ["diff", "--json", str(old), str(new)])
    same = CliRunner().invoke(playbook_command, ["diff", str(old), str(old)])

    assert shown.output.splitlines()[:2] == [
        "Everybody",
        "  A qualified lead now needs at least 50 employees; before 20.",
    ]
    assert "\nSales Development\n  Sales Development answers" in shown.output
    assert {change["team"] for change in json.loads(as_json.stdout)["changes"]} == {
        "everybody",
        "sales_development",
    }
    assert same.output == "Nothing changes.\n"
