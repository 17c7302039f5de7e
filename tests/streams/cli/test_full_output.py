"""What a command writes to is full, or goes away: one error that says so, and no half file under its name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from projections.playbook import read_playbook
from tests.given import as_bytes, given
from warehouse.warehouse import Warehouse

ROOT = Path(__file__).resolve().parents[3]
BATON = f"{sys.executable} -m streams.cli.main"


def captured(number: int) -> dict[str, object]:
    return {
        "type": "LeadCaptured",
        "occurred_at": "2026-01-05T09:00:00Z",
        "source": "crm",
        "lead_id": f"lead-{number}",
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder with some events, and no worker."""
    folder = tmp_path_factory.mktemp("full")
    with Warehouse.open(folder / ".baton" / "baton.duckdb", read_playbook()) as warehouse:
        given(warehouse, as_bytes([captured(number) for number in range(50)]))
        warehouse.refresh()
    return folder


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("BATON")}
    return subprocess.run(
        ["bash", "-c", script.replace("baton ", f"{BATON} ")], cwd=folder, capture_output=True, text=True,
        env=env | {"PYTHONPATH": str(ROOT)}, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize(
    "script",
    [
        'baton sql "select 1" --csv >/dev/full',
        'baton sql "select 1" --json >/dev/full',
        'baton sql "select 1" >/dev/full',
        "baton sql \"select repeat('x', 1000) from range(1000)\" --csv >/dev/full",
        "baton failed ls --json >/dev/full",
        "baton export - >/dev/full",
        "baton --help >/dev/full",
    ],
)
def test_a_full_output_is_one_error(folder: Path, script: str) -> None:
    done = run(folder, script)
    assert done.returncode == 1, done.stderr
    error = done.stderr[done.stderr.index("baton: ") :].splitlines()
    assert error[0] == "baton: The file cannot be written"
    assert [line.split()[0] for line in error[1:]] == ["where:", "why:", "next:"], done.stderr
    assert "standard output" in error[1] and "No space left" in error[2] and "df -h" in error[3]
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


@pytest.mark.parametrize(
    ("command", "file"),
    [
        ("baton export", "full/e.jsonl"),
        (
            "baton sql \"select i, repeat('x', 300) || i from range(9000) as r(i)\" --parquet",
            "full/e.parquet",
        ),
        ("baton snapshot numbers.duckdb --role finance --dbt", "full/s.yml"),
        ("baton simulate --seed 1 --leads 40 --out", "full/story"),
        ("baton report weekly --as-of 2026-01-05 --out", "full/packs"),
    ],
)
def test_a_full_disk_leaves_no_half_file(folder: Path, command: str, file: str) -> None:
    (folder / "full").mkdir(exist_ok=True)
    done = run(folder, f"(ulimit -f 1; {command} {file})")
    assert done.returncode == 1, done.stderr
    assert "cannot be written" in done.stderr and "File too large" in done.stderr, done.stderr
    assert "df -h" in done.stderr and "Traceback" not in done.stderr, done.stderr
    left = [path for path in (folder / "full").rglob("*") if not path.is_dir()]
    assert left == [], "neither a half file nor its partial"


def test_an_earlier_file_stays_with_its_permissions(folder: Path) -> None:
    file = folder / "earlier.jsonl"
    file.write_text("earlier\n")
    file.chmod(0o600)
    assert run(folder, "(ulimit -f 1; baton export earlier.jsonl)").returncode == 1
    assert file.read_text() == "earlier\n"

    assert run(folder, "baton export earlier.jsonl").returncode == 0
    assert len(file.read_text().splitlines()) == 50
    assert file.stat().st_mode & 0o777 == 0o600
    assert not list(folder.glob(".earlier*"))


def test_a_device_and_a_link_stay_what_they_are(folder: Path) -> None:
    done = run(folder, "baton export /dev/stdout | grep -c LeadCaptured; baton export /dev/full")
    assert done.stdout.split()[-1] == "51", "50 events, and the line that counts them"
    assert "/dev/full" in done.stderr and "Traceback" not in done.stderr
    (folder / "link.jsonl").symlink_to("linked.jsonl")
    assert run(folder, "baton export link.jsonl").returncode == 0
    assert (folder / "link.jsonl").is_symlink() and (folder / "linked.jsonl").exists()


@pytest.mark.parametrize("script", ["baton export - | head -1 >/dev/null", 'baton sql "select 1" | true'])
def test_a_closed_pipe_is_quiet(folder: Path, script: str) -> None:
    done = run(folder, script)
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr and "baton:" not in done.stderr


def test_a_file_that_cannot_be_made_is_no_traceback(folder: Path) -> None:
    (folder / "not-a-folder").write_text("")
    done = run(folder, "baton report weekly --as-of 2026-01-05 --out not-a-folder/packs")
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "not-a-folder" in done.stderr and "next:" in done.stderr
