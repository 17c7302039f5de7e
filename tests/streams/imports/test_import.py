"""What an import does about rows that fail, copies, contradictions, corrections and the next export."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from xml.sax.saxutils import escape

import polars as pl
import pytest

from schemas.errors import BatonError
from schemas.refused import read_refused
from streams.imports.comparison import compare
from streams.imports.reading import assigned
from streams.mapping.reader import parse_mapping
from tests.streams.imports.log_in_memory import LogInMemory, trial

DEALS = """
[mapping]
source = "crm"
zone = "Europe/Berlin"
[file.deals]
key = "id"
[[event]]
type = "OpportunityOpened"
from = "deals"
[event.set]
opportunity_id = "{id}"
occurred_on = "{opened}"
amount = "{amount}"
currency = "EUR"
[[event]]
type = "OpportunityWon"
from = "deals"
when = { value = "{won}", is_blank = false }
[event.set]
opportunity_id = "{id}"
occurred_on = "{won}"
amount = "{amount}"
currency = "EUR"
[[event]]
type = "CampaignCostBooked"
from = "deals"
when = { value = "{cost}", is_blank = false }
[event.set]
campaign_id = "{id}"
occurred_on = "{opened}"
booked_on = "{opened}"
amount = "{cost}"
currency = "EUR"
[[event]]
type = "CallHeld"
from = "deals"
when = { value = "{call}", is_blank = false }
[event.set]
call_id = "{id}"
is_marketing_present = { value = "{call}", yes = ["both"], no = ["sales"] }
occurred_at = { value = "{opened}", time = "12:00" }
"""
HEAD = "id,opened,won,amount,cost,call\n"


def _deals(folder: Path, rows: str, name: str = "deals.csv") -> Path:
    (folder / name).write_text(HEAD + rows)
    return folder / name


def _at(day: int) -> datetime:
    return datetime(2026, 6, day, tzinfo=UTC)


def test_the_next_export_adds_what_is_new_and_revises_what_changed(tmp_path: Path) -> None:
    log = LogInMemory()
    june = _deals(tmp_path, "d1,2026-01-05,2026-03-01,100.00,10,\nd2,2026-01-06,,70,,\n")
    log.take(DEALS, june, recorded_at=_at(1))
    july = _deals(
        tmp_path,
        "d1,2026-01-05,2026-03-01,120.00,4,\nd2,2026-01-06,2026-04-01,70,,\nd3,2026-04-02,,5,1.5,\n",
        "deals-july.csv",
    )

    out = log.take(DEALS, july, recorded_at=_at(2))

    assert out.new == {"OpportunityOpened": 1, "OpportunityWon": 1, "CampaignCostBooked": 1, "CallHeld": 0}
    assert out.revised == {
        "OpportunityOpened": 1,
        "OpportunityWon": 1,
        "CampaignCostBooked": 1,
        "CallHeld": 0,
    }
    won = "select opportunity_id, amount, period from funnel.win order by 1"
    assert log.ask(won) == [("d1", Decimal("120"), "2026-Q1"), ("d2", Decimal("70"), "2026-Q2")]
    assert log.ask("select count(*) from funnel.deal") == [(3,)]
    cost = "select campaign_id, booked_cost from funnel.campaign_cost order by 1"
    assert log.ask(cost) == [("d1", Decimal("4")), ("d3", Decimal("1.5"))]
    before = log.facts()
    again = log.take(DEALS, july, recorded_at=_at(3))
    assert log.facts() == before and not again.new.total() and not again.revised.total()
    log.take(DEALS, june, recorded_at=_at(4))
    assert log.ask(won)[0] == ("d1", Decimal("100"), "2026-Q1"), "what was corrected can be corrected back"
    assert log.ask(cost)[0] == ("d1", Decimal("10"))


def test_what_the_contract_cannot_revise_fails_and_says_what_was_imported(tmp_path: Path) -> None:
    log = LogInMemory()
    log.take(DEALS, _deals(tmp_path, "d1,2026-01-05,2026-03-01,100,,both\n"), recorded_at=_at(1))

    out = log.take(DEALS, _deals(tmp_path, "d1,2026-01-05,2026-03-09,100,,sales\n"), recorded_at=_at(2))

    assert sorted((row.event_type, row.column) for row in out.failed_rows) == [
        ("CallHeld", "is_marketing_present"),
        ("OpportunityWon", "occurred_at"),
    ]
    assert "was 2026-03-01" in next(r.reason for r in out.failed_rows if r.event_type == "OpportunityWon")
    assert log.ask("select period from funnel.win") == [("2026-Q1",)]


def test_two_rows_that_contradict_each_other_are_both_refused_and_copies_count_once(tmp_path: Path) -> None:
    file = _deals(
        tmp_path,
        "d1,2026-01-05,,100,,\nd1,2026-01-05,,101,,\nd2,2026-01-05,,1,,\nd2,2026-01-05,,1.00,,\n",
    )
    out = trial(DEALS, [file])
    assert [(row.line, row.event_type) for row in out.failed_rows] == [
        (2, "OpportunityOpened"),
        (3, "OpportunityOpened"),
    ]
    assert (out.events["OpportunityOpened"], out.copies["OpportunityOpened"]) == (1, 1)


def test_a_failed_row_is_kept_with_its_place_and_settled_once_the_file_is_mended(tmp_path: Path) -> None:
    log = LogInMemory()
    file = _deals(
        tmp_path, "d1,2026-01-05,,100,,\nd2,2026-02-30,,7,,\nd3,2026-01-05,,x,,\n,2026-01-05,,1,,\n"
    )

    first = log.take(DEALS, file)

    kept = [
        read_refused(bytes(value))
        for (value,) in log.ask("select value from funnel.failed_events order by kafka_offset")
    ]
    assert [(said["file"], said["line"], said["column"], said["value"]) for said in kept if said] == [
        ("deals.csv", 3, "opened", "2026-02-30"),
        ("deals.csv", 4, "amount", "x"),
        ("deals.csv", 5, "id", None),
    ]
    assert [said["row"] for said in kept if said] == [
        "d2,2026-02-30,,7,,",
        "d3,2026-01-05,,x,,",
        ",2026-01-05,,1,,",
    ]
    reasons = log.ask("select stage, event_type, reason from funnel.failed_events order by kafka_offset")
    assert reasons[0] == (
        "import",
        "OpportunityOpened",
        'deals.csv:3: opened "2026-02-30" is not a day that exists, written as iso (OpportunityOpened)',
    )
    again = log.take(DEALS, file)
    assert (again.kept, again.settled, first.kept) == (0, [], 3), "what fails again is kept once"

    mended = _deals(
        tmp_path, "d1,2026-01-05,,100,,\nd2,2026-02-28,,7,,\nd3,2026-01-05,,x,,\nd4,2026-01-05,,1,,\n"
    )
    settling = log.take(DEALS, mended)

    assert settling.settled == ["given/0/1", "given/0/3"]
    assert settling.failed.total() == 1 and settling.kept == 0
    assert log.ask("select count(*) from funnel.deal") == [(3,)]


def test_a_failure_is_settled_by_its_id_wherever_its_row_moved(tmp_path: Path) -> None:
    log = LogInMemory()
    log.take(DEALS, _deals(tmp_path, "d1,2026-02-30,,100,,\n"))
    moved = _deals(
        tmp_path, "d0,2026-01-05,,1,,\nd9,2026-01-05,,1,,\nd1,2026-02-28,,100,,\n", "deals-july.csv"
    )
    assert log.take(DEALS, moved).settled == ["given/0/0"]


def test_another_row_on_that_line_settles_nothing(tmp_path: Path) -> None:
    log = LogInMemory()
    log.take(DEALS, _deals(tmp_path, ",2026-02-28,2026-03-01,100.25,,both\n"))
    assert log.take(DEALS, _deals(tmp_path, "z77,2025-11-30,,9,3,\n")).settled == []


def test_rows_without_an_id_stay_as_many_as_they_are(tmp_path: Path) -> None:
    mapping = """
    [mapping]
    source = "crm"
    [file.leads]
    key = "id"
    missing_key = "stand_in"
    [[event]]
    type = "LeadCaptured"
    from = "leads"
    [event.set]
    lead_id = { value = "{id}", missing = "stand_in" }
    account_id = { value = "{company}", missing = "stand_in" }
    occurred_on = "{day}"
    """
    (tmp_path / "leads.csv").write_text(
        "id,company,day\n,,2026-01-01\n,,2026-01-01\n,acme,2026-01-01\n1,,2026-01-01\n"
    )
    log = LogInMemory()
    out = log.take(mapping, tmp_path / "leads.csv")
    found = log.ask("select lead_id, account_id from funnel.lead order by 1")
    assert len({lead for lead, _ in found}) == 4 and len({account for _, account in found}) == 4
    assert sum(lead.startswith("without-lead_id-") for lead, _ in found) == 3
    assert out.stand_ins == {
        "LeadCaptured: stand-in for lead_id": 3,
        "LeadCaptured: stand-in for account_id": 3,
    }


def test_what_one_side_alone_has_is_named_by_stage_and_day(tmp_path: Path) -> None:
    log = LogInMemory()
    log.take(
        DEALS, _deals(tmp_path, "d1,2026-01-05,,1,,\nd2,2026-01-06,,1,,\nd3,2026-01-07,2026-01-08,1,,\n")
    )
    other = parse_mapping(DEALS.replace('"crm"', '"erp"'))
    export = _deals(
        tmp_path, "d1,2026-01-05,2026-01-09,1,,\nd3,2026-01-07,2026-01-08,1,,\nd4,2026-01-06,,1,,\n"
    )

    found = compare(other, assigned([export], other), log.answer, lambda share, what: None)

    assert found.missing.rows() == [
        ("only_log", "OpportunityOpened", "", datetime(2026, 1, 6).date(), "d2"),
        ("only_export", "OpportunityOpened", "", datetime(2026, 1, 6).date(), "d4"),
        ("only_export", "OpportunityWon", "", datetime(2026, 1, 9).date(), "d1"),
    ]
    assert found.days.filter(event="OpportunityOpened").select("both", "only_export", "only_log").rows() == [
        (1, 0, 0), (0, 1, 1), (1, 0, 0),
    ]  # fmt: skip


def test_a_joined_file_is_filtered_and_its_wrong_rows_are_named(tmp_path: Path) -> None:
    mapping = (
        DEALS.partition("[[event]]")[0]
        + """
    [file.owners]
    key = "owner"
    only = { value = "{active}", is = "yes" }
    [[event]]
    type = "OpportunityOpened"
    from = "deals"
    join = { owners = "{call}" }
    [event.set]
    opportunity_id = "{id}"
    occurred_on = "{opened}"
    owner = "{owners.name}"
    """
    )
    deals = _deals(
        tmp_path, "d1,2026-01-05,,,,o1\nd2,2026-01-05,,,,o2\nd3,2026-01-05,,,,o3\nd4,2026-01-05,,,,o4\n"
    )
    owners = tmp_path / "owners.csv"
    owners.write_text(
        "owner,name,active\no1,Ana,yes\no2,Ben,no\no3,Cem,yes\no3,Cleo,yes\no4,Dora\n,Eva,yes\n"
    )
    log = LogInMemory()

    out = log.take(mapping, deals, owners)

    opened = "select opportunity_id, owner from facts.opportunity_opened order by 1"
    assert log.ask(opened) == [("d1", "Ana"), ("d2", None), ("d4", None)]
    assert [(row.file, row.line, row.reason) for row in out.failed_rows] == [
        ("deals.csv", 4, "owners has several rows with this key, and they differ"),
        ("owners.csv", 6, "has 2 values, and the header names 3"),
        ("owners.csv", 7, "is missing, and it is the key of the row"),
    ]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "xlsx"])
def test_every_kind_of_file_says_the_same(tmp_path: Path, kind: str) -> None:
    rows = {
        "id": ["d1", "d2", "d3"],
        "opened": ["2026-01-05", "2026-01-06", "soon"],
        "won": ["", "2026-02-01", ""],
        "amount": ["10.5", "7", "1"],
        **dict.fromkeys(("cost", "call"), ["", "", ""]),
    }
    frame = pl.DataFrame(rows)
    file = tmp_path / f"deals.{kind}"
    if kind == "csv":
        frame.write_csv(file)
    elif kind == "jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in frame.to_dicts()))
    elif kind == "parquet":
        frame.write_parquet(file)
    else:
        _workbook(file, [list(rows), *map(list, frame.rows())])
    log = LogInMemory()
    out = log.take(DEALS, file)
    assert log.ask("select opportunity_id, status from funnel.deal order by 1") == [
        ("d1", "open"),
        ("d2", "won"),
    ]
    [failed] = out.failed_rows
    assert (failed.column, failed.value) == ("opened", "soon")
    assert failed.line == {"csv": 4, "jsonl": 3, "parquet": 3, "xlsx": 4}[kind]


def _workbook(path: Path, rows: list[list[str]]) -> None:
    """The smallest workbook that Excel would open: one sheet of texts."""
    cells = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{escape(text)}</t></is></c>' for text in row) + "</row>"
        for row in rows
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels"'
        " ContentType="
        '"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml"'
        f' ContentType="{kind}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml"'
        f' ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/'
        'officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="Deals" sheetId="1"'
        ' r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1"'
        f' Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as book:
        for name, text in parts.items():
            book.writestr(name, text)


def test_hostile_rows_are_kept_in_bounds_and_their_neighbours_come_in(tmp_path: Path) -> None:
    csv = _deals(tmp_path, "d1," + "9" * 3_000_000 + ",,1,,\nd2,2026-01-01,,1\0,,\n=1+1,2026-01-01,,1,,\n")
    lines = tmp_path / "deals.jsonl"
    fine = {"id": "d9", "opened": "2026-01-01", "won": None, "amount": 5, "cost": None, "call": None}
    lines.write_text('{"id":' + "[" * 50_000 + "\n[1]\n\ufeff{}\n" + json.dumps(fine) + "\n")
    log = LogInMemory()

    out = log.take(DEALS, csv, lines)

    assert log.ask("select opportunity_id from funnel.deal order by 1") == [("=1+1",), ("d9",)]
    assert sorted(row.line for row in out.failed_rows if row.file == "deals.jsonl") == [1, 2, 3]
    [(largest,)] = log.ask("select max(bytes) from funnel.failed_events")
    assert largest < 1_000_000, "what Kafka takes in a record"


def test_a_file_that_is_none_of_the_mapping_is_refused(tmp_path: Path) -> None:
    two = DEALS + '\n[file.leads]\nkey = "id"\n'
    (tmp_path / "other.csv").write_text("id\n")
    with pytest.raises(BatonError, match="not those of the mapping"):
        trial(two, [tmp_path / "other.csv"])
    (tmp_path / "deals.csv").write_text("id;opened\n")
    with pytest.raises(BatonError, match="does not have a column") as caught:
        trial(DEALS, [tmp_path / "deals.csv"])
    assert "delimiter" in caught.value.why
