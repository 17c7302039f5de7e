"""The file of keys: a fault is reported by line, reason and next step."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from projections.signing_keys import key_block, read_keys
from schemas.errors import BatonError, ExitCode
from tests.signed import KEYS

GOOD = "# who may sign\n" + "\n".join(map(key_block, KEYS)) + "valid_until = 2027-01-01T00:00:00Z\n"
MARKETING, SALES = 2, 7
BROKEN = [
    ("[[key]]", "[[keys]]", 1, "[[key]] blocks and nothing else", "another block"),
    ("[[key]]", "[key]", 7, "not TOML", "a block that is not a list"),
    ('team = "sales"', 'team = "finance"', SALES, "it is one of marketing, sales", "a side there is not"),
    ('id = "sales"', 'id = "marketing"', SALES, "'marketing' appears twice", "a name said twice"),
    ('id = "sales"\n', "", SALES, "id is missing", "a key without a name"),
    ('public = "', 'public = "AA', MARKETING, "not an Ed25519 public key", "a key that is too long"),
    ('public = "', 'public = "!', MARKETING, "not an Ed25519 public key", "a key that is no base64"),
    ("valid_until", "valid_till", SALES, "there is no 'valid_till' in this block", "a misspelt key"),
    ("2027-01-01T00:00:00Z", "2027-01-01", SALES, "it is an instant", "a day in place of an instant"),
    ("2027-01-01T00:00:00Z", "2027-01-01T00:00:00", SALES, "it is an instant", "an instant without a zone"),
]


@pytest.mark.parametrize(
    ("stood", "stands", "line", "reason"), [pytest.param(*case[:4], id=case[4]) for case in BROKEN]
)
def test_a_broken_file_of_keys_is_told_by_line_and_reason(
    tmp_path: Path, stood: str, stands: str, line: int, reason: str
) -> None:
    assert stood in GOOD
    file = tmp_path / "keys.toml"
    file.write_text(GOOD.replace(stood, stands, 1))

    with pytest.raises(BatonError) as raised:
        read_keys(file)

    assert raised.value.where == f"{file}:{line}"
    assert reason in raised.value.why and "keygen" in raised.value.next_command
    assert raised.value.exit_code is ExitCode.CONFIGURATION


def test_a_public_key_speaks_for_one_team(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(key_block(KEYS[0]) + key_block(KEYS[0]).replace('"marketing"', '"sales"'))

    with pytest.raises(BatonError, match="keys") as raised:
        read_keys(file)

    assert "has the public key of another" in raised.value.why


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BatonError) as raised:
        read_keys(tmp_path / "keys.toml")

    assert (raised.value.where, raised.value.why) == (
        str(tmp_path / "keys.toml"),
        "No such file or directory",
    )


def test_what_keygen_prints_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(GOOD)

    marketing, sales = read_keys(file)

    assert (marketing, sales.public) == (KEYS[0], KEYS[1].public)
    assert sales.valid_until == datetime(2027, 1, 1, tzinfo=UTC)
