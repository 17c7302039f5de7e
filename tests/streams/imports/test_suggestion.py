"""Drafts: what is certain stands in them, what is not is a question, and once answered they import."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas.errors import BatonError
from streams.imports.profile import profile
from streams.imports.suggestion import suggest
from streams.mapping.reader import parse_mapping
from tests.streams.imports import exports
from tests.streams.imports.log_in_memory import trial

# By what a question says, what a person answers.
ANSWERS = (
    (r'"\? a short name.*?"', '"crm"'),
    (r'"\? the zone of the times.*?"', '"Europe/Berlin"'),
    (r'"\? refuse or stand_in.*?"', '"stand_in"'),
    (r'"\? refuse or skip.*?"', '"skip"'),
    (r'"\? the currency.*?"', '"EUR"'),
    (r'"\? its stage.*?"', '"discovery"'),
)


def _answered(draft: str) -> str:
    for question, answer in ANSWERS:
        draft = re.sub(question, answer, draft)
    return draft


@pytest.mark.parametrize(
    ("make", "events"),
    [
        (exports.qualified_leads, {"LeadCaptured", "OpportunityWon"}),
        (exports.leads_deals_spend, {"LeadCaptured", "OpportunityOpened", "OpportunityStageEntered",
                                     "OpportunityWon", "OpportunityLost", "CampaignCostBooked"}),
        (exports.opportunities, {"OpportunityOpened", "OpportunityStageEntered",
                                 "OpportunityWon", "OpportunityLost"}),
    ],
    ids=["qualified leads", "spend", "opportunities"],
)  # fmt: skip
def test_a_draft_is_refused_until_it_is_answered_and_then_imports(
    tmp_path: Path,
    make,  # type: ignore[no-untyped-def]
    events: set[str],
) -> None:
    files = make(tmp_path, 1)
    draft = suggest(files)
    with pytest.raises(BatonError, match="questions that nobody has answered"):
        parse_mapping(draft)

    out = trial(_answered(draft), files)

    assert {name for name, count in out.events.items() if count} == events
    # What fails are the rows that are wrong, and nothing else.
    assert out.failed.total() <= 0.06 * out.rows


def _profiled(folder: Path, column: str, *texts: str):  # type: ignore[no-untyped-def]
    rows = [["id", column], *([str(number), text] for number, text in enumerate(texts))]
    return profile(exports.written(folder / "leads.csv", rows, delimiter=";")).columns[1]


@pytest.mark.parametrize(
    ("texts", "formats"),
    [
        (["2026-01-31", "2026-02-01"], (("iso",),)),
        (["31/01/2026", "01/02/2026"], (("%d/%m/%Y",),)),
        (["03/04/2026", "05/06/2026"], (("%d/%m/%Y",), ("%m/%d/%Y",))),
        (["31.01.2026", "2026-02-03", "2026-02-03", "30.01.2026"], (("iso", "%d.%m.%Y"),)),
        (["31.01.2026 10:30", "01.02.2026 11:45"], (("%d.%m.%Y %H:%M",),)),
        (["yes", "no"], ()),
    ],
)
def test_days_are_recognised_and_ambiguous_ones_are_a_question(
    tmp_path: Path, texts: list[str], formats: tuple[tuple[str, ...], ...]
) -> None:
    assert _profiled(tmp_path, "created", *texts).formats == formats


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["12.50", "7.25"], ((".", ""),)),
        (["12,50", "1.007,25"], ((",", "."),)),
        (["1,234.50", "7.25"], ((".", ","),)),
        (["1,234", "7,250"], ((".", ","), (",", ""))),
        (["1.234,50", "99,10", "12.345,00", "1,00", "8,00", "9,00", "7.5"], ((",", "."),)),
        (["$1,234.50", "$7.25"], ((".", ","),)),
        (["12", "7"], ((".", ""),)),
        (["L-12", "L-7"], ()),
    ],
)
def test_numbers_are_recognised_and_ambiguous_ones_are_a_question(
    tmp_path: Path, texts: list[str], numbers: tuple[tuple[str, str], ...]
) -> None:
    assert sorted(_profiled(tmp_path, "amount", *texts).numbers) == sorted(numbers)


def test_encoding_and_delimiter_are_found(tmp_path: Path) -> None:
    (tmp_path / "kontakte.csv").write_bytes("id;ort\n1;Köln\n2;Zürich, Nord\n".encode("windows-1252"))
    found = profile(tmp_path / "kontakte.csv").file
    assert (found.delimiter, found.encoding) == (";", "windows-1252")


def test_a_draft_of_a_wide_file_looks_at_its_first_columns_and_says_so(tmp_path: Path) -> None:
    names = [f"c{place}" for place in range(1_200)]
    draft = suggest([exports.written(tmp_path / "leads.csv", [names, ["2026-01-01"] * 600 + ["x"] * 600])])
    assert "# 200 more columns, which this draft does not look at" in draft
    assert "c999" in draft and "c1000" not in draft


def test_names_that_would_break_a_draft_do_not(tmp_path: Path) -> None:
    file = exports.written(
        tmp_path / "leads.csv", [['lead "id"', "day\\x"], ["1", "2026-01-01"], ["2", "2026-01-02"]]
    )
    draft = suggest([file])
    assert trial(_answered(draft), [file]).events["LeadCaptured"] == 2
