"""Proposing and signing a playbook as two people do it, and every reason to refuse."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from projections.playbook import parse_playbook
from projections.signing_keys import SIDES, SigningKey, key_block
from schemas.catalogue import CATALOGUE
from schemas.errors import BatonError, ExitCode
from streams.cli.main import baton
from streams.kafka.topics import log_extent
from streams.project import Project
from streams.queries import signing
from streams.queries.health_checks import CHECKS
from streams.queries.signing import playbook_in_force, unsigned_change
from streams.queries.verification import verify
from streams.queries.warehouse_access import open_warehouse
from streams.worker.sink import Sink
from tests.given import as_bytes, given
from tests.projections.test_playbook import GOOD
from tests.signed import KEYS, as_events, private_key, proposal, public_key, signature
from warehouse.writer import WarehouseWriter

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
NEW = parse_playbook(GOOD.replace("2 hours", "1 hour"))
OTHER = parse_playbook(GOOD.replace("2 hours", "3 hours"))


# Answered after an hour and a half: in time by the file, late by the playbook that was signed.
OFFERED_AND_LATE = [
    {"type": kind, "source": "crm", "handoff_id": "h", "lead_id": "l", "occurred_at": at, **more}
    for kind, at, more in (
        ("HandoffOffered", "2026-03-02T10:00:00Z", {"from_team": "marketing", "to_team": "sales"}),
        ("HandoffAccepted", "2026-03-02T11:30:00Z", {"owner": "ida"}),
    )
]


def write_key(file: Path, name: str, mode: int = 0o600) -> Path:
    """The private key of that name in a file."""
    file.write_bytes(
        private_key(name).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    file.chmod(mode)
    return file


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose playbook is the good one, with a key for each side and no Kafka."""
    (tmp_path / "playbook.toml").write_text(GOOD)
    (tmp_path / "keys.toml").write_text("\n".join(map(key_block, KEYS)))
    return Project(home=tmp_path / ".baton", cwd=tmp_path)


def told(project: Project, *said: object) -> None:
    """The project's warehouse has read these proposals and signatures."""
    with open_warehouse(project) as warehouse:
        given(warehouse, as_bytes(as_events(*said)))  # type: ignore[arg-type]


def refusal(project: Project, version: str, team: str, key: Path) -> BatonError:
    with pytest.raises(BatonError) as raised:
        signing.prepare(project, version, team, key)
    assert raised.value.exit_code is ExitCode.CONFIGURATION
    assert raised.value.where and raised.value.why and raised.value.next_command
    return raised.value


def test_what_was_not_proposed_is_not_signed(project: Project, tmp_path: Path) -> None:
    key = write_key(tmp_path / "key", "sales")
    told(project, proposal(NEW, NOW - DAY))

    assert "has read no such proposal" in refusal(project, OTHER.version, "sales", key).why
    assert "more digits" in refusal(project, NEW.version[:3], "sales", key).why
    (tmp_path / "other.toml").write_text(OTHER.text)
    assert "has read no such proposal" in refusal(project, str(tmp_path / "other.toml"), "sales", key).why


def test_what_is_proposed_or_signed_already_is_not_proposed_again(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "new.toml"
    file.write_text("# only a comment is new\n" + NEW.text)
    told(project, proposal(NEW, NOW - DAY))
    with pytest.raises(BatonError, match="is proposed already") as pending:
        signing.propose(project, file, "ana")
    assert "waits for marketing and sales" in pending.value.why

    told(project, *(signature(NEW, team, NOW - DAY / 2) for team in ("marketing", "sales")))
    with pytest.raises(BatonError, match="changes nothing"):
        signing.propose(project, file, "ana")


def test_a_tampered_proposal_is_not_signed(project: Project, tmp_path: Path) -> None:
    key = write_key(tmp_path / "key", "sales")
    told(project, proposal(NEW, NOW - DAY, text=OTHER.text))

    assert "not the one it is proposed under" in refusal(project, NEW.version, "sales", key).why


def test_what_was_replaced_or_is_in_force_is_not_signed_again(project: Project, tmp_path: Path) -> None:
    key = write_key(tmp_path / "key", "sales")
    for number, version in enumerate((NEW, OTHER)):
        at = NOW - (4 - number) * DAY
        both = [signature(version, team, at + timedelta(hours=1)) for team in ("marketing", "sales")]
        told(project, proposal(version, at), *both)

    assert "replaced it since" in refusal(project, NEW.version, "sales", key).why
    assert refusal(project, OTHER.version, "sales", key).what.endswith("is in force already")


def test_a_signer_sees_the_difference_and_is_asked_before_anything_is_published(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_key(tmp_path / "key", "sales")
    told(project, proposal(NEW, NOW - DAY), signature(NEW, "marketing", NOW - DAY / 2))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BATON_HOME", raising=False)
    words = ["playbook", "sign", NEW.short_version, "--as", "sales", "--key", "key"]

    asked = CliRunner().invoke(baton, words, input="n\n")  # without a Kafka, publishing would fail
    assert "1 hour" in asked.stderr and "Sign it for sales?" in asked.stderr
    assert asked.exit_code == 1 and isinstance(asked.exception, SystemExit)
    nobody = CliRunner().invoke(baton, words, input="")
    assert isinstance(nobody.exception, BatonError) and "--yes" in nobody.exception.next_command


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o700, 0o604], ids=oct)
def test_a_key_others_may_read_signs_nothing(project: Project, tmp_path: Path, mode: int) -> None:
    key = write_key(tmp_path / "key", "sales", mode)
    refused = refusal(project, NEW.version, "sales", key)

    assert f"its mode is {mode:04o}" in refused.why and refused.next_command.startswith(f"chmod 600 {key}")


def test_what_is_no_key_signs_nothing_and_is_not_shown(project: Project, tmp_path: Path) -> None:
    other_kind = generate_private_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for content in (b"very secret", other_kind, b""):
        file = tmp_path / "key"
        file.write_bytes(content)
        file.chmod(0o600)
        refused = refusal(project, NEW.version, "sales", file)
        assert "not an Ed25519 private key" in refused.why and "secret" not in str(refused)
    assert refusal(project, NEW.version, "sales", tmp_path / "nowhere").why == "No such file or directory"


UNFIT = {
    "a key nobody configured": (KEYS, "stranger", "is not in"),
    "the other side's key": (KEYS, "marketing", "belongs to marketing, not to sales"),
    "a key that has ended": (
        (KEYS[0], public_key("sales", valid_until=NOW - DAY)), "sales", "has been invalid since"),
    "a key of next year": (
        (KEYS[0], public_key("sales", valid_from=NOW + 365 * DAY)), "sales", "is valid from"),
}  # fmt: skip


@pytest.mark.parametrize(("keys", "name", "why"), UNFIT.values(), ids=UNFIT)
def test_a_key_that_may_not_sign_for_the_side_is_refused(
    project: Project, tmp_path: Path, keys: tuple[SigningKey, ...], name: str, why: str
) -> None:
    told(project, proposal(NEW, NOW - DAY))
    blocks = [key_block(key) for key in keys]
    blocks[1] += "".join(
        f"{field} = {instant.isoformat()}\n"
        for field in ("valid_from", "valid_until")
        if (instant := getattr(keys[1], field))
    )
    project.keys_file.write_text("\n".join(blocks))

    refused = refusal(project, NEW.version, "sales", write_key(tmp_path / "key", name))

    assert why in refused.why and str(project.keys_file) in refused.next_command


def test_what_was_overtaken_is_not_signed(project: Project, tmp_path: Path) -> None:
    told(
        project,
        proposal(NEW, NOW - 3 * DAY),
        proposal(OTHER, NOW - 2 * DAY),
        signature(OTHER, "marketing", NOW - DAY),
        signature(OTHER, "sales", NOW - DAY),
    )
    refused = refusal(project, NEW.short_version, "sales", write_key(tmp_path / "key", "sales"))

    assert refused.why.startswith(f"stale: {OTHER.short_version} came into force")


def test_a_file_that_changes_under_a_signed_playbook_is_told(project: Project) -> None:
    signed = [
        proposal(NEW, NOW - 3 * DAY),
        *(signature(NEW, side, NOW - DAY) for side in ("marketing", "sales")),
    ]
    told(project, *signed)

    unsigned = unsigned_change(project, parse_playbook(GOOD))

    assert unsigned and f"version {NEW.short_version}, signed by both teams, is in force" in unsigned.says
    assert unsigned_change(project, NEW) is None
    assert playbook_in_force(project, datetime.now(UTC)) == NEW, "which whatif compares with"


def test_whatif_tries_the_signed_playbook_against_itself_and_changes_nothing(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it was signed after everything that happened."""
    told(project, proposal(NEW, NOW - 3 * DAY), *(signature(NEW, side, NOW - DAY) for side in SIDES))
    with open_warehouse(project) as warehouse:
        given(warehouse, as_bytes(OFFERED_AND_LATE))
    (tmp_path / "new.toml").write_text(NEW.text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BATON_HOME", raising=False)

    run = CliRunner().invoke(baton, ["whatif", "--playbook", "new.toml", "--json"])

    said = json.loads(run.stdout)
    assert said["in_force"] == NEW.version and any(m["n_in_force"] for m in said["measures"])
    assert not any(float(m["change"] or 0) for m in said["measures"]), said["measures"]


@pytest.mark.parametrize(("changed_at", "level"), [(NOW - 2 * DAY, "ok"), (NOW, "warn")])
def test_doctor_warns_of_a_file_that_was_changed_after_another_was_signed(
    project: Project, changed_at: datetime, level: str
) -> None:
    told(project, proposal(NEW, NOW - 3 * DAY), *(signature(NEW, side, NOW - DAY) for side in SIDES))
    os.utime(project.playbook_file, (changed_at.timestamp(), changed_at.timestamp()))
    checks = list(dict(CHECKS)["playbook"](project))

    assert checks[-1].level == level and NEW.short_version in f"{checks[-1].what} {checks[-1].why}"


def test_keys_that_were_named_must_be_there(project: Project, tmp_path: Path) -> None:
    named = Project.here({"BATON_KEYS": "elsewhere.toml"}, tmp_path)
    assert named.environ()["BATON_KEYS"] == str(tmp_path / "elsewhere.toml")

    with pytest.raises(BatonError, match="keys"):
        open_warehouse(named)


def test_a_key_is_never_written_over_another(tmp_path: Path) -> None:
    file = tmp_path / "key"
    made = signing.make_key(file, "sales", "sales-1")

    assert file.stat().st_mode & 0o777 == 0o600
    assert signing.read_private_key(file).public_key().public_bytes_raw() == made.public
    with pytest.raises(BatonError, match="cannot be written"):
        signing.make_key(file, "sales", "sales-2")


@pytest.mark.kafka
def test_two_sides_sign_and_it_is_in_force(
    clean_kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("BATON_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BATON_KAFKA", clean_kafka)
    (tmp_path / "playbook.toml").write_text(GOOD)
    (tmp_path / "new.toml").write_text("# proposed in spring\n" + NEW.text)
    project = Project.here()

    def run(*words: str) -> Result:
        done = CliRunner().invoke(baton, ["playbook", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done

    def follow() -> None:
        """What a worker does, up to the end of the log."""
        extent = log_extent(project, CATALOGUE.fact_topics)
        with open_warehouse(project) as warehouse:
            sink = Sink(WarehouseWriter(warehouse), project.client_settings(), extent)
            asyncio.run(sink.run(asyncio.Event(), until={place: end for place, (_, end) in extent.items()}))

    blocks = [
        run("keygen", "--as", side, "--id", f"{side}-1", "--out", f"{side}.pem").stdout
        for side in ("marketing", "sales")
    ]
    (tmp_path / "keys.toml").write_text("\n".join(blocks))
    assert run("propose", "new.toml", "--by", "ana").stdout.strip() == NEW.version
    follow()
    run("sign", "new.toml", "--as", "marketing", "--key", "marketing.pem", "--yes")
    follow()
    half = json.loads(run("log", "--json").stdout)
    second = run("sign", NEW.short_version, "--as", "sales", "--key", "sales.pem", "--yes")
    assert "1 hour" in second.stderr and "Nothing changes" not in second.stderr
    follow()
    whole = json.loads(run("log", "--json").stdout)

    assert [p["state"] for p in half["proposals"]] == ["waits for sales"]
    assert [p["version"] for p in half["in_force"]] == [parse_playbook(GOOD).version]
    assert [(s["team"], s["is_valid"]) for s in whole["signatures"]] == [("marketing", True), ("sales", True)]
    assert [(p["version"], p["since"]) for p in whole["in_force"]] == [
        (parse_playbook(GOOD).version, None),
        (NEW.version, whole["signatures"][1]["signed_at"]),
    ]
    assert "1 hour" in NEW.text and "signed by both" in run("log").stdout
    assert NEW.short_version in run("check").output
    with open_warehouse(project) as warehouse:
        assert warehouse.playbook_in_force() == NEW
    assert verify(project).is_equal
