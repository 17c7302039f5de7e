"""The published contract is kept, and each way to break it is reported with file, field and remedy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from schemas.avro_types import ATTRIBUTES, INSTANT, MONEY
from schemas.compatibility import EVENTS_FOLDER, PUBLISHED, Problem, check_contract
from schemas.errors import BatonError, ExitCode
from streams.cli.contract import contract

OFFER = "funnel.marketing/HandoffOffered.v1.avsc"
WIN = "funnel.sales/OpportunityWon.v1.avsc"
Schema = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The real contract as it began: the first version of each event, published."""
    copy = tmp_path / "events"
    shutil.copytree(EVENTS_FOLDER, copy)
    for path in copy.glob("*/*.avsc"):
        if ".v1." not in path.name:
            path.unlink()
    published = json.loads((copy / PUBLISHED).read_text())
    first = {name: {"1": versions["1"]} for name, versions in published.items()}
    (copy / PUBLISHED).write_text(json.dumps(first))
    return copy


def _change(folder: Path, file: str, change: Callable[[Schema], object], to: str | None = None) -> None:
    schema = json.loads((folder / file).read_text())
    change(schema)
    (folder / (to or file)).write_text(json.dumps(schema, indent=2))


def _field(schema: Schema, name: str) -> Schema:
    return next(field for field in schema["fields"] if field["name"] == name)


def _problems(folder: Path, file: str = "") -> list[Problem]:
    """Problems of one file, without those that any edit of a published file causes."""
    return [
        problem
        for problem in check_contract(folder).problems
        if file in problem.file and "is published" not in problem.why and "not published" not in problem.why
    ]


def test_the_contract_is_kept_and_published() -> None:
    found = check_contract()
    assert found.files
    assert not found.problems


def _add(**field: Any) -> Callable[[Schema], object]:
    return lambda schema: schema["fields"].append({"name": "extra", "doc": "More.", **field})


def _set(name: str, **attributes: Any) -> Callable[[Schema], object]:
    return lambda schema: _field(schema, name).update(attributes)


def _drop(name: str) -> Callable[[Schema], object]:
    return lambda schema: schema["fields"].remove(_field(schema, name))


def _optional(branch: Any) -> Schema:
    return {"type": ["null", branch], "default": None}


ENUM = {"type": "enum", "name": "Enum", "symbols": ["a"]}
RECORD = {"type": "record", "name": "Record", "fields": []}

RULES: list[tuple[str, Callable[[Schema], object], str, str]] = [
    ("no doc of the record", lambda s: s.pop("doc"), "", "no doc"),
    ("no doc of a field", lambda s: _field(s, "lead_id").update(doc=" "), "lead_id", "no doc"),
    ("other namespace", lambda s: s.update(namespace="other"), "", "namespace"),
    ("other topic", lambda s: s.update(topic="funnel.sales"), "", "topic is 'funnel.sales'"),
    ("unknown attribute of the record", lambda s: s.update(topics="x"), "", "no attribute of an event"),
    ("unknown attribute of a field", _set("lead_id", pia=True), "lead_id", "no attribute of a field"),
    ("key that is no field", lambda s: s.update(key="nobody_id"), "", "not a field"),
    ("key that may be null", lambda s: s.update(key="account_id"), "account_id", "required string"),
    ("key of the envelope", lambda s: s.update(key="event_id"), "event_id", "required string"),
    ("key that identifies a person", _set("handoff_id", pii=True), "handoff_id", "identify a person"),
    ("pii that is no boolean", _set("lead_id", pii="yes"), "lead_id", "pii is 'yes'"),
    ("a map", _add(**_optional({"type": "map", "values": "string"})), "extra", "not one of"),
    ("an array", _add(**_optional({"type": "array", "items": "string"})), "extra", "not one of"),
    ("a nullable enum", _add(**_optional(ENUM)), "extra", "not one of"),
    ("a record inside", _add(**_optional(RECORD)), "extra", "not one of"),
    ("two non-null types", _add(type=["null", "string", "int"], default=None), "extra", "a union may only"),
    ("a union without null", _add(type=["string", "int"]), "extra", "a union may only say"),
    ("null not first", _add(type=["string", "null"], default="x"), "extra", "a union may only say"),
    ("nullable without default", _add(type=["null", "string"]), "extra", "null is not its default"),
    ("required with default", _add(type="string", default="web"), "extra", "hide that a source"),
    ("a number with default", _add(type="int", default=0), "extra", "hide that a source"),
    (
        "attributes with default",
        _add(type=ATTRIBUTES, default=[{"name": "a"}]),
        "extra",
        "hide that a source",
    ),
    ("key with default", _set("handoff_id", default=""), "handoff_id", "every event has a subject"),
    ("a maximum of text", _set("lead_id", maximum=1), "lead_id", "maximum"),
    ("milliseconds", _add(type={"type": "long", "logicalType": "timestamp-millis"}), "extra", "not one of"),
    ("another decimal", _add(type={**MONEY, "scale": 2}), "extra", "not one of"),
    ("bare bytes", _add(type="bytes"), "extra", "not one of"),
    ("an instant not so named", _add(**_optional(INSTANT)), "extra", "says an instant"),
    ("a name like an instant", _add(type="string", name="offered_at"), "offered_at", "says an instant"),
    ("a flag not so named", _add(type="boolean"), "extra", "says a flag"),
    ("money without currency", _add(**_optional(MONEY)), "extra", "an amount and a currency"),
    ("a minimum of text", _set("lead_id", minimum=0), "lead_id", "minimum"),
    ("a minimum that is text", _set("data_completeness", minimum="0"), "data_completeness", "minimum"),
    ("upper case", _add(type="string", name="Extra"), "Extra", "lower_case"),
    ("a field named type", _add(type="string", name="type"), "type", "type names the event"),
    ("twice the same field", _add(type="string", name="lead_id"), "", "Avro refuses it"),
    ("envelope not first", lambda s: s["fields"].insert(0, s["fields"].pop()), "", "envelope"),
    ("envelope without a field", _drop("recorded_at"), "", "envelope"),
    ("envelope in other words", _set("source", doc="Who."), "", "envelope"),
]


@pytest.mark.parametrize(("change", "field", "why"), [r[1:] for r in RULES], ids=[r[0] for r in RULES])
def test_a_broken_rule_is_told(
    folder: Path, change: Callable[[Schema], object], field: str, why: str
) -> None:
    _change(folder, OFFER, change)

    found = [p for p in _problems(folder) if p.file == OFFER and p.field == field and why in p.why]

    assert found and found[0].next
    assert {problem.file for problem in _problems(folder)} == {OFFER}


FILES = [
    ("not JSON", "{", "cannot be read as JSON"),
    ("not a record", '{"type": "enum"}', "not an Avro record"),
    ("another name", '{"type": "record", "name": "Other", "fields": []}', "not the record's"),
    ("no fields", '{"type": "record", "name": "HandoffOffered"}', "not a list of named fields"),
    ("fields of 7", '{"type": "record", "name": "HandoffOffered", "fields": [7]}', "not a list of named"),
]


@pytest.mark.parametrize(("text", "why"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_a_file_that_cannot_be_read_is_told(folder: Path, text: str, why: str) -> None:
    (folder / OFFER).write_text(text)
    assert any(problem.file == OFFER and why in problem.why for problem in _problems(folder))


# --- versions -------------------------------------------------------------------------------------


def _version(number: int) -> str:
    return OFFER.replace(".v1.", f".v{number}.")


def test_an_optional_field_may_come_and_go(folder: Path) -> None:
    _change(folder, OFFER, _add(**_optional("string")), to=_version(2))
    _change(folder, OFFER, _drop("reason"), to=_version(3))
    assert not _problems(folder)
    assert check_contract(folder, publish=True).newly_published == ("HandoffOffered v2", "HandoffOffered v3")
    assert not check_contract(folder).problems


def test_a_required_field_may_get_a_default_that_says_nothing(folder: Path) -> None:
    """It cannot become nullable: older readers would not take it."""
    _change(folder, OFFER, _set("from_team", default=""), to=_version(2))
    _change(folder, OFFER, _add(type="boolean", default=True, name="is_extra"), to=_version(3))
    _change(folder, OFFER, _add(type=ATTRIBUTES, default=[]), to=_version(4))
    assert not _problems(folder)


def _make_owner_required(schema: Schema) -> None:
    owner = _field(schema, "owner")
    del owner["default"]
    owner["type"] = "string"


EVOLUTIONS: list[tuple[str, Callable[[Schema], object], str, str]] = [
    ("a required field more", _add(type="string"), "extra", "v2 cannot read what v1 wrote"),
    ("a required field less", _drop("from_team"), "from_team", "v1 cannot read what v2 wrote"),
    ("required becomes optional", _set("lead_id", **_optional("string")), "lead_id", "v1 cannot read what"),
    ("optional becomes required", _make_owner_required, "owner", "v2 cannot read what v1 wrote"),
    ("another type", _set("data_completeness", type=["null", "int"]), "data_completeness", "its type was"),
    ("another key", lambda s: s.update(key="lead_id"), "", "key was 'handoff_id'"),
]


@pytest.mark.parametrize(
    ("change", "field", "why"), [r[1:] for r in EVOLUTIONS], ids=[r[0] for r in EVOLUTIONS]
)
def test_a_version_that_is_not_fully_compatible_is_told(
    folder: Path, change: Callable[[Schema], object], field: str, why: str
) -> None:
    _change(folder, OFFER, change, to=_version(2))
    found = _problems(folder)
    assert any(p.file == _version(2) and p.field == field and why in p.why for p in found), found


def test_every_pair_of_versions_is_checked(folder: Path) -> None:
    """given v3 that agrees with v2, which lacks the field, and not with v1."""
    _change(folder, OFFER, _drop("data_completeness"), to=_version(2))
    _change(folder, OFFER, _set("data_completeness", type=["null", "string"]), to=_version(3))
    found = _problems(folder)
    assert {problem.file for problem in found} == {_version(3)}
    assert any("v3 cannot read what v1 wrote" in problem.why for problem in found)


def test_another_logical_type_is_another_meaning(folder: Path) -> None:
    """Avro itself sees two longs; every reader would be off by a factor of a thousand."""
    booked = "funnel.marketing/CampaignCostBooked.v1.avsc"
    change = _set("booked_on", type="int")
    _change(folder, booked, change, to=booked.replace(".v1.", ".v2."))
    assert any("its type was" in p.why and p.field == "booked_on" for p in _problems(folder))


def test_personal_data_stays_marked(folder: Path) -> None:
    returned = "funnel.sales/HandoffReturned.v1.avsc"
    _change(folder, returned, lambda s: _field(s, "note").pop("pii"), to=returned.replace(".v1.", ".v2."))
    assert any("personal data" in p.why and p.field == "note" for p in _problems(folder))


def test_versions_have_no_gaps(folder: Path) -> None:
    _change(folder, OFFER, lambda s: None, to=_version(3))
    assert any("v2 is missing" in problem.why for problem in _problems(folder, _version(3)))


# --- published ------------------------------------------------------------------------------------


def test_a_published_file_is_never_edited(folder: Path) -> None:
    _change(folder, OFFER, _set("lead_id", doc="Another meaning."))

    (problem,) = check_contract(folder).problems

    assert (problem.file, problem.field) == (OFFER, "")
    assert "never edited" in problem.why
    assert "HandoffOffered.v2.avsc" in problem.next
    assert check_contract(folder, publish=True).problems, "publishing does not bless an edit"


def test_another_layout_is_no_edit(folder: Path) -> None:
    text = (folder / OFFER).read_text()
    (folder / OFFER).write_text(json.dumps(json.loads(text), indent=8, sort_keys=True))
    assert not check_contract(folder).problems


def test_a_published_file_stays(folder: Path) -> None:
    (folder / WIN).unlink()
    (problem,) = check_contract(folder).problems
    assert "its file is gone" in problem.why and "restore" in problem.next


def test_a_new_version_must_be_published(folder: Path) -> None:
    _change(folder, OFFER, _add(**_optional("string")), to=_version(2))

    (problem,) = check_contract(folder).problems
    assert problem.next == "baton contract check --publish"

    assert check_contract(folder, publish=True).newly_published == ("HandoffOffered v2",)
    assert check_contract(folder, publish=True).newly_published == ()
    _change(folder, _version(2), _set("extra", doc="Changed."))
    assert "HandoffOffered.v3.avsc" in check_contract(folder).problems[0].next


def test_a_broken_version_is_not_published(folder: Path) -> None:
    before = (folder / PUBLISHED).read_text()
    _change(folder, OFFER, _add(type="string"), to=_version(2))
    assert check_contract(folder, publish=True).problems
    assert (folder / PUBLISHED).read_text() == before


@pytest.mark.parametrize("text", ["{", "[]", '{"HandoffOffered": 1}'])
def test_an_unreadable_list_of_published_is_an_error(folder: Path, text: str) -> None:
    (folder / PUBLISHED).write_text(text)
    with pytest.raises(BatonError) as caught:
        check_contract(folder)
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    assert str(folder / PUBLISHED) in caught.value.where


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    (problem,) = check_contract(tmp_path).problems
    assert "no .avsc files" in problem.why


# --- the command ----------------------------------------------------------------------------------


def test_the_command_is_content_with_the_contract() -> None:
    run = CliRunner().invoke(contract, ["check"])
    assert run.exit_code == 0
    assert run.stdout.rstrip().endswith("versions, no problems")


def test_the_command_tells_each_problem_with_file_field_why_and_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _change(folder, OFFER, _set("lead_id", doc=""))
    monkeypatch.setattr("streams.cli.contract.check_contract", partial(check_contract, folder))

    run = CliRunner().invoke(contract, ["check", "--json"])
    assert run.exit_code == ExitCode.DATA_PROBLEMS
    found = json.loads(run.stdout)["problems"]
    assert [(problem["file"], problem["field"]) for problem in found] == [(OFFER, ""), (OFFER, "lead_id")]
    assert all(problem["why"] and problem["next"] for problem in found)

    run = CliRunner().invoke(contract, ["check"])
    assert run.exit_code == ExitCode.DATA_PROBLEMS
    assert f"{OFFER}, field lead_id\n  why:   it has no doc\n  next:  say what" in run.stdout
    assert run.stdout.rstrip().endswith("2 problems")


def test_a_broken_file_does_not_stop_the_check_itself(folder: Path, tmp_path: Path) -> None:
    """given a source tree whose catalogue cannot even be imported."""
    for package in ("schemas", "streams"):
        shutil.copytree(EVENTS_FOLDER.parents[1] / package, tmp_path / "tree" / package)
    (tmp_path / "tree" / "schemas" / "events" / OFFER).write_text("{")
    command = [sys.executable, "-m", "streams.cli.main", "contract", "check"]
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "tree")}
    run = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert run.returncode == ExitCode.DATA_PROBLEMS, run.stderr
    assert f"{OFFER}\n  why:   it cannot be read as JSON" in run.stdout
