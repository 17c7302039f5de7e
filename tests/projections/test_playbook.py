"""The playbook's reader: a broken file is reported with line, reason, command; the version is its content."""

from __future__ import annotations

from pathlib import Path

import pytest

from projections.playbook import parse_playbook, read_playbook
from schemas.errors import BatonError, ExitCode

ROOT = Path(__file__).resolve().parents[2]
GOOD = """\
[playbook]
name = "Two teams"
window = "month"
zone = "UTC"
at_risk_share = 0.75

[[calendar]]
id = "office"
zone = "Europe/Berlin"
open = ["Mon-Fri 09:00-18:00"]
holidays = ["2026-01-01"]

[[team]]
id = "marketing"
side = "marketing"
calendar = "office"

[[team]]
id = "sales"
side = "sales"
calendar = "office"

[[member]]
team = "sales"
calendar = "office"
ids = ["anna", "boris"]

[[stage]]
id = "offered"
entered_by = "HandoffOffered"

[[stage]]
id = "accepted"
entered_by = "HandoffAccepted"

[[sla]]
id = "answer"
owed_by = "receiver"
from_team = "marketing"
to_team = "sales"
within = "2 hours"
clock = "business"

[[sla]]
id = "attempts"
owed_by = "receiver"
from_team = "marketing"
to_team = "sales"
attempts = 5
within = "14 days"
clock = "elapsed"

[[alert]]
id = "overdue"
kind = "overdue_in_window"
window = "60 minutes"
threshold = 5
minimum_n = 5
severity = "warning"
owner = "sales"

[icp]
employees_at_least = 50

[[criterion]]
id = "showed_intent"
kind = "intent"
activities = ["demo_requested"]
within = "30 days"

[money]
currency = "EUR"

[[goal]]
id = "year"
period = "2026"
metric = "revenue"
owner_team = "sales"
amount = "1000000.00"
currency = "EUR"

[[goal]]
id = "quarter"
parent = "year"
period = "2026-Q1"
metric = "revenue"
owner_team = "sales"
amount = "250000.00"
currency = "EUR"

[[example]]
id = "a demo alone"
says = "Without a known size nobody is qualified."
events = [{type = "LeadCaptured", occurred_at = 2026-03-02T09:00:00Z, lead_id = "lead-1", channel = "web"}]
verdict = "not_qualified"
failing = ["icp_employees", "showed_intent"]
"""
AT_THE_END = len(GOOD.splitlines())


def line_of(text: str) -> int:
    """The line of the good playbook on which this text first stands."""
    return GOOD[: GOOD.index(text)].count("\n") + 1


PLAYBOOK = 1
CALENDAR = line_of("[[calendar]]")
MARKETING = line_of("[[team]]")
SALES = line_of('[[team]]\nid = "sales"')
MEMBER = line_of("[[member]]")
STAGE = line_of("[[stage]]")
SECOND_STAGE = line_of('[[stage]]\nid = "accepted"')
SLA = line_of("[[sla]]")
ATTEMPTS = line_of('[[sla]]\nid = "attempts"')
ALERT = line_of("[[alert]]")
CRITERION = line_of("[[criterion]]")
HEAD = line_of("[playbook]")
GOAL = line_of("[[goal]]")
QUARTER = line_of('[[goal]]\nid = "quarter"')
EXAMPLE = line_of("[[example]]")
LEAD = ', lead_id = "lead-1"'
MEMBERS = 'ids = ["anna", "boris"]'
OPEN = 'open = ["Mon-Fri 09:00-18:00"]'
ANSWER = GOOD[GOOD.index('[[sla]]\nid = "answer"') : GOOD.index('[[sla]]\nid = "attempts"')]

# (what stood there, what stands there now, the line the error names, a part of its reason, id)
BROKEN = [
    ("window =", "window", 3, "not TOML: Expected '='", "a syntax error"),
    ('id = "office"', 'id = "office', 8, "not TOML", "a text without an end"),
    ('owner = "sales"\n', 'owner = """sales\n', AT_THE_END, "not TOML: Unterminated", "open until the end"),
    ('side = "sales"', 'side = "sales"\nside = "sales"', SALES + 3, "not TOML: Cannot", "a key said twice"),
    ("threshold = 5", f"threshold = {'5' * 5000}", 1, "not TOML: Exceeds the limit", "an endless number"),
    ("[[alert]]", "[[alarm]]", ALERT, "unknown block 'alarm'; known: alert,", "an unknown block"),
    ("[[alert]]", "[[ alarm ]]", ALERT, "unknown block 'alarm'", "an unknown block with blanks"),
    ("[[alert]]", "[alarm.loud]", ALERT, "unknown block 'alarm'", "an unknown dotted block"),
    ("[playbook]", "aim = 5\n[playbook]", 1, "unknown block 'aim'", "a value outside of blocks"),
    ("at_risk_share", "at_risk_shar", PLAYBOOK, "there is no 'at_risk_shar'", "a misspelt key at the top"),
    ("holidays", "holydays", CALENDAR, "there is no 'holydays'", "a misspelt key in a block"),
    ("[playbook]\n", "", 1, "unknown block 'name'", "no head"),
    ("[playbook]", "[[playbook]]", 1, "there is no [playbook] block", "two heads"),
    ('window = "month"', 'window = "decade"', PLAYBOOK, "it is one of day, week, month", "an unknown window"),
    ("share = 0.75", "share = 2", PLAYBOOK, "at_risk_share = 2; it is a share", "a share of 2"),
    ("share = 0.75", "share = 1.0", PLAYBOOK, "at_risk_share = 1.0", "a share of all"),
    ("share = 0.75", "share = nan", PLAYBOOK, "at_risk_share = nan", "a share that is no number"),
    ("share = 0.75", 'share = "75 %"', PLAYBOOK, "at_risk_share = '75 %'", "a share in words"),
    ('zone = "UTC"', 'zone = "Mars"', PLAYBOOK, '"Mars" is not a time zone', "a zone nobody knows"),
    ("Europe/Berlin", "Berlin", CALENDAR, "did you mean Europe/Berlin", "half a zone"),
    ("Europe/Berlin", "localtime", CALENDAR, "is not a time zone", "the zone of this machine"),
    ("Europe/Berlin", "right/Europe/Berlin", CALENDAR, "did you mean Europe/Berlin", "leap seconds"),
    ("Europe/Berlin", "europe/berlin", CALENDAR, "did you mean Europe/Berlin", "lower case"),
    ("Europe/Berlin", "Europe", CALENDAR, "is not a time zone", "a folder of zones"),
    ("Europe/Berlin", "../../etc/passwd", CALENDAR, "is not a time zone", "a zone that leaves its folder"),
    (OPEN, "", CALENDAR, "a calendar needs open", "a calendar without hours"),
    (OPEN, 'open = "Mon 09:00-18:00"', CALENDAR, "it is a list, in square brackets", "hours outside a list"),
    (OPEN, "open = [9]", CALENDAR, "open holds 9, which is not a text", "hours that are a number"),
    ("09:00-18:00", "09:00-09:00", CALENDAR, "closes when it opens", "no hours at all"),
    ("2026-01-01", "2026-02-30", CALENDAR, "'2026-02-30' is no day", "a day that never comes"),
    ('holidays = ["2026-01-01"]', "holidays = 2026", CALENDAR, "it is a list", "holidays outside a list"),
    ("[[team]]", '[[calendar]]\nid = "office"\nzone = "UTC"\nopen = ["Mon 09:00-10:00"]\n[[team]]',
     MARKETING, "'office' appears twice", "a calendar said twice"),
    ('id = "sales"', 'id = "marketing"', SALES, "'marketing' appears twice", "a team said twice"),
    ('side = "sales"', 'side = "finance"', SALES, "side = 'finance'; it is one of", "an unknown side"),
    ('side = "sales"\ncalendar = "office"', 'side = "sales"\ncalendar = "paris"', SALES,
     "no calendar 'paris'; known: office", "a team's unknown calendar"),
    ('team = "sales"\ncalendar = "office"', 'team = "sales"\ncalendar = "paris"', MEMBER,
     "no calendar 'paris'; known: office", "a member's unknown calendar"),
    ('team = "sales"\ncal', 'team = "legal"\ncal', MEMBER, "no team 'legal'; known: marketing, sales",
     "a member's unknown team"),
    (MEMBERS, 'ids = ["anna", "anna"]', MEMBER, "'anna' appears twice", "a member said twice"),
    (MEMBERS, MEMBERS + '\n[[member]]\nteam = "sales"\ncalendar = "office"\nids = ["boris"]', MEMBER + 4,
     "'boris' appears twice", "a member of two calendars"),
    (MEMBERS, "", MEMBER, "ids is missing", "members without names"),
    (MEMBERS, 'ids = "anna"', MEMBER, "it is a list", "a name outside a list"),
    (MEMBERS, "ids = [7]", MEMBER, "ids holds 7, which is not a text", "a name that is a number"),
    ('"HandoffAccepted"', '"HandoffEaten"', SECOND_STAGE, "there is no event 'HandoffEaten'",
     "an unknown event"),
    ('"HandoffAccepted"', '"PromiseMade"', SECOND_STAGE, "PromiseMade marks no stage", "no event of a stage"),
    ('"HandoffAccepted"', '"HandoffOffered"', SECOND_STAGE, "appears twice", "an event of two stages"),
    ('from_team = "marketing"', 'from_team = "legal"', SLA, "from_team = 'legal' is no team",
     "an SLA's unknown team"),
    ('within = "2 hours"', "", SLA, "within is missing", "an SLA without a time"),
    ("2 hours", "1 day 10 h", SLA, "'1 day 10 h'; say it in one unit", "mixed units"),
    ("2 hours", "2 h", SLA, "say it in one unit", "a unit of one letter"),
    ("2 hours", "0 hours", SLA, "say it in one unit", "no time at all"),
    ("2 hours", "-2 hours", SLA, "say it in one unit", "time backwards"),
    ("2 hours", "1 day", SLA, "a business day has no fixed length, say hours", "business time in days"),
    ("14 days", "99999999 days", ATTEMPTS, "the longest is 3650 days", "longer than anybody works"),
    ('clock = "elapsed"', 'clock = "wall"', ATTEMPTS, "clock = 'wall'; it is one of", "an unknown clock"),
    ('id = "attempts"', 'id = "tries"', ATTEMPTS, "id = 'tries'; it is one of answer", "an unknown SLA"),
    ("attempts = 5\n", "", ATTEMPTS, "attempts = N (at least 1)", "attempts without a count"),
    ("attempts = 5", "attempts = 0", ATTEMPTS, "attempts = N (at least 1)", "no attempts"),
    ("attempts = 5", "attempts = true", ATTEMPTS, "attempts = N (at least 1)", "attempts that are no count"),
    ('within = "2 hours"', 'within = "2 hours"\nattempts = 2', SLA, "and only to it",
     "attempts on the wrong SLA"),
    ("[[alert]]", f"{ANSWER}[[alert]]", ALERT, "answer from marketing to sales appears twice",
     "an SLA said twice"),
    ("threshold = 5", "threshold = 0", ALERT, "threshold must be a whole number", "a threshold of none"),
    ("threshold = 5", "threshold = true", ALERT, "threshold must be a whole number", "no threshold"),
    ('owner = "sales"', 'owner = "nobody"', ALERT, "owner = 'nobody' is no team", "an alert nobody owns"),
    ('severity = "warning"', 'severity = "loud"', ALERT, "severity = 'loud'", "an unknown severity"),
    ("threshold = 5", "threshold = 5000000000", ALERT, "at most 1,000,000,000", "more than a column holds"),
    ('threshold = 5', 'for = "5 minutes"', ALERT, "'for' does not belong to kind = 'overdue_in_window'",
     "a key of another kind of alert"),
    ('severity = "warning"', 'severity = "warning"\nescalate_after = "1 hour"', ALERT,
     "escalate_after and escalate_to go together", "an escalation to nobody"),
    ('severity = "warning"', 'severity = "warning"\nquiet_hours = ["Mon-Sun 00:00-24:00"]', ALERT,
     "quiet_hours leave no time", "quiet hours without end"),
    ('severity = "warning"', 'severity = "warning"\nquiet_hours = ["nights"]', ALERT,
     "quiet_hours = 'nights'", "quiet hours that are none"),
    ('"HandoffAccepted"', '"HandoffAccepted"\nafter = "won"', SECOND_STAGE, "there is no such stage",
     "a stage after none there is"),
    ('"HandoffAccepted"', '"HandoffAccepted"\nafter = "accepted"', SECOND_STAGE,
     "in a circle: accepted > accepted", "a stage after itself"),
    ('"HandoffOffered"', '"HandoffOffered"\nafter = "accepted"\n\n[[stage]]\nid = "won"\n'
     'entered_by = "OpportunityWon"\nafter = "offered"\n\n[[stage]]\nid = "x"\nafter = "offered"\n'
     'entered_by = "BuyerReached"', STAGE + 10, "both come after 'offered': a funnel has one way", "a fork"),
    ('"HandoffAccepted"', '"HandoffAccepted"\nafter = "won"\n\n[[stage]]\nid = "won"\n'
     'entered_by = "OpportunityWon"\nafter = "accepted"', SECOND_STAGE,
     "in a circle: accepted > won > accepted", "stages in a circle"),
    ('id = "accepted"\nentered_by = "HandoffAccepted"', 'id = "accepted"', SECOND_STAGE,
     "entered_by is missing", "a stage that nothing enters"),
    ('kind = "intent"', 'kind = "hope"', CRITERION, "kind = 'hope'; it is one of", "an unknown kind"),
    ('kind = "intent"', 'kind = "fit"', CRITERION, "is not for kind 'fit'", "a fit that counts signals"),
    ('activities = ["demo_requested"]\n', "", CRITERION, "activities is missing", "intent without a signal"),
    ("30 days", "1 month", CRITERION, "say it in one unit", "a month, which has no length"),
    ('amount = "1000000.00"', "amount = 1000000.00", GOAL, "amount is missing or not a text", "binary money"),
    ('amount = "250000.00"', 'amount = "250,000.00"', QUARTER, "is no decimal such as", "money with commas"),
    ('amount = "250000.00"\ncurrency = "EUR"', 'amount = "250000.00"\ncurrency = "USD"', QUARTER,
     "there is no rate for USD", "a goal without a rate"),
    ('period = "2026-Q1"', 'period = "Q1"', QUARTER, "is no period; write 2026", "a yearless quarter"),
    ('amount = "250000.00"', 'amount = "250000.00"\nscope = "world"', QUARTER, "scope = 'world'; it is one",
     "a goal of an unknown scope"),
    ('metric = "revenue"\nowner_team = "sales"\namount = "250000.00"', 'metric = "retained_revenue"\n'
     'scope = "team"\nowner_team = "sales"\namount = "250000.00"', QUARTER, "no deal says which team",
     "retained revenue of a team"),
    ('[[goal]]\nid = "year"', '[[rate]]\ncurrency = "USD"\nrate = "0.9"\nfrom = 2026-01-01\n\n[[rate]]\n'
     'currency = "USD"\nrate = "0.8"\nfrom = 2026-01-01\n\n[[goal]]\nid = "year"', GOAL + 5,
     "USD has a rate from 2026-01-01 already", "two rates from one day"),
    ('[[goal]]\nid = "year"', '[[rate]]\ncurrency = "USD"\nrate = "0.9"\nfrom = "spring"\n\n'
     '[[goal]]\nid = "year"', GOAL, "from = 'spring' is no day such as", "a rate from no day"),
    ('zone = "UTC"\n', 'zone = "UTC"\nfiscal_year_begins = 13\n', HEAD, "at least 1 and at most 12",
     "a thirteenth month"),
    ('zone = "UTC"\n', 'zone = "UTC"\nweek_begins = "first"\n', HEAD, "week_begins = 'first'; it is one of",
     "a week that begins on no day"),
    ('parent = "year"', 'parent = "decade"', QUARTER, "there is no such goal", "a goal that serves none"),
    ('id = "year"\n', 'id = "year"\nparent = "quarter"\n', GOAL, "in a circle: year > quarter > year",
     "goals in a circle"),
    ('"LeadCaptured"', '"LeadCapture"', EXAMPLE, "event 1, type: ", "an example of no event"),
    (LEAD, "", EXAMPLE, "event 1, lead_id: is missing", "an example that lacks a field"),
    ("2026-03-02T09:00:00Z", "2026-03-02T09:00:00", EXAMPLE, "has no zone", "an example without a zone"),
    ('verdict = "not_qualified"', 'verdict = "perhaps"', EXAMPLE, "it is one of qualified", "no verdict"),
    ('verdict = "not_qualified"', 'verdict = "qualified"', EXAMPLE, "does not go with", "fails though good"),
    ('verdict = "not', 'as_of = "today"\nverdict = "not', EXAMPLE, "as_of = 'today'", "an example of today"),
    ('verdict = "not', 'lead_id = "lead-2"\nverdict = "not', EXAMPLE, "no event is about this lead",
     "an example of another lead"),
    ('lead_id = "lead-1"', 'lead_id = ""', EXAMPLE, "event 1, lead_id: is empty", "an example of nobody"),
    ('says = "Without a known size nobody is qualified."\n', "", EXAMPLE, "says is missing", "no words"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("stood", "stands", "line", "reason"), [pytest.param(*case[:4], id=case[4]) for case in BROKEN]
)
def test_a_broken_playbook_is_told_by_line_reason_and_next_step(
    tmp_path: Path, stood: str, stands: str, line: int, reason: str
) -> None:
    assert stood in GOOD
    file = tmp_path / "playbook.toml"
    file.write_text(GOOD.replace(stood, stands, 1))

    with pytest.raises(BatonError) as raised:
        read_playbook(file)

    assert raised.value.where == f"{file}:{line}"
    assert reason in raised.value.why
    assert raised.value.next_command
    assert raised.value.exit_code is ExitCode.CONFIGURATION


def test_a_funnel_without_stages_is_none() -> None:
    without = GOOD[: GOOD.index("[[stage]]")] + GOOD[GOOD.index("[[sla]]") :]

    with pytest.raises(BatonError) as raised:
        parse_playbook(without, "p.toml")

    assert (raised.value.where, raised.value.why) == ("p.toml:1", "[stage] a funnel has at least two stages")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BatonError) as raised:
        read_playbook(tmp_path / "nowhere.toml")

    assert raised.value.where == str(tmp_path / "nowhere.toml")
    assert raised.value.why == "No such file or directory"
    assert raised.value.next_command.startswith("baton playbook check ")
    assert raised.value.exit_code is ExitCode.CONFIGURATION


def test_a_file_that_is_not_utf_8_is_told_by_line(tmp_path: Path) -> None:
    file = tmp_path / "playbook.toml"
    file.write_bytes(GOOD.replace("Two teams", "Zwei Ümter").encode("latin-1"))

    with pytest.raises(BatonError) as raised:
        read_playbook(file)

    assert raised.value.where == f"{file}:2"
    assert raised.value.why.startswith("not UTF-8")
    assert raised.value.next_command.startswith(f"baton playbook check {file}")


def test_the_packaged_playbook_reads() -> None:
    found = read_playbook()

    assert len(found.version) == 64 and found.version.startswith(found.short_version)
    assert {sla.id for sla in found.slas} == {"answer", "first_attempt", "attempts", "acknowledge_return"}
    assert found.stages[0][0] == "captured"


OTHER_LAYOUTS = {
    "comments and blank lines": "# a note\n" + GOOD.replace("\n\n", "\n\n\n# another\n\n"),
    "no blanks": GOOD.replace(" = ", "="),
    "keys in another order": GOOD.replace(
        'name = "Two teams"\nwindow = "month"', "window = 'month'\nname = 'Two teams'"
    ),
    "a list on lines": GOOD.replace('["anna", "boris"]', '[\n  "anna",\n  "boris",\n]'),
}


@pytest.mark.parametrize("written", OTHER_LAYOUTS.values(), ids=OTHER_LAYOUTS)
def test_comments_and_layout_do_not_change_the_version(written: str) -> None:
    assert written != GOOD
    assert parse_playbook(written).version == parse_playbook(GOOD).version


@pytest.mark.parametrize("encoded", [b"\xef\xbb\xbf" + GOOD.encode(), GOOD.replace("\n", "\r\n").encode()],
                         ids=["a byte order mark", "lines of Windows"])  # fmt: skip
def test_what_windows_editors_write_is_the_same_playbook(tmp_path: Path, encoded: bytes) -> None:
    file = tmp_path / "playbook.toml"
    file.write_bytes(encoded)

    assert read_playbook(file) == parse_playbook(GOOD)


@pytest.mark.parametrize(
    ("stood", "stands"),
    [
        ("Two teams", "Two crews"),
        ("0.75", "0.8"),
        ("09:00", "08:00"),
        ("2026-01-01", "2026-01-02"),
        ('"boris"', '"clara"'),
        ("2 hours", "120 minutes"),
        ("attempts = 5", "attempts = 6"),
        ("threshold = 5", "threshold = 6"),
    ],
)
def test_a_changed_value_changes_the_version(stood: str, stands: str) -> None:
    assert parse_playbook(GOOD.replace(stood, stands, 1)).version != parse_playbook(GOOD).version
