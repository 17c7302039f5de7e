"""`baton repair` and `baton backup`, run as a user runs them on damaged and on sound files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from projections.playbook import read_playbook
from streams.process_record import ProcessRecord
from streams.project import Project
from streams.queries.warehouse_access import authority_of, open_warehouse, recorded
from tests.given import all_hashes, as_bytes, given
from warehouse.warehouse import Warehouse

ROOT = Path(__file__).resolve().parents[3]
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
FOLDER = "a folder of Zoë"


def offers(first: int, last: int) -> list[bytes]:
    return as_bytes(
        {
            "type": "HandoffOffered",
            "occurred_at": "2026-03-02T10:00:00Z",
            "recorded_at": "2026-03-02T10:00:01Z",
            "source": "crm",
            "handoff_id": f"ho-{number}",
            "lead_id": f"lead-{number}",
            "from_team": "marketing",
            "to_team": "sales",
        }
        for number in range(first, last)
    )


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a worker that was killed: half of what it stored is in the write-ahead log only."""
    folder = tmp_path_factory.mktemp("killed")
    with Warehouse.open(folder / "open" / "baton.duckdb", read_playbook()) as warehouse:
        given(warehouse, offers(0, 300))
        warehouse.connection.execute("checkpoint")
        given(warehouse, offers(300, 600))
        for file in (folder / "open").glob("baton.duckdb*"):
            shutil.copyfile(file, folder / file.name)
    return folder


@pytest.fixture
def project(killed: Path, tmp_path: Path) -> Project:
    """A project with a copy of these files."""
    folder = tmp_path / FOLDER
    project = Project(home=folder / ".baton", cwd=folder)
    project.make_folders()
    for file in killed.glob("baton.duckdb*"):
        shutil.copyfile(file, project.home / file.name)
    return project


def baton(project: Project, *words: str, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
    run = subprocess.run(
        [sys.executable, "-m", "streams.cli.main", *words],
        cwd=project.cwd,
        env={**kept, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == exit_code, f"{run.stdout}\n{run.stderr}"
    assert "Traceback" not in run.stderr
    return run


def handoffs(path: Path) -> int:
    with Warehouse.open(path, read_playbook()) as warehouse:
        return int(warehouse.ask("select count(*) from log.handoff_offered")[1][0][0])


def flip(file: Path, place: float) -> None:
    content = bytearray(file.read_bytes())
    for at in range(int(len(content) * place), len(content), 4096):  # one place alone may be in a free block
        content[at] ^= 0xFF
    file.write_bytes(content)


def zero(file: Path, place: float) -> None:
    content = file.read_bytes()
    file.write_bytes(bytes(4096) + content[4096:])


def cut(file: Path, place: float) -> None:
    os.truncate(file, int(file.stat().st_size * place))


def empty(file: Path, place: float) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("harm", [flip, zero, cut, empty])
def test_a_damaged_file_is_named_and_the_next_command_sets_it_aside(
    project: Project, harm: Callable[[Path, float], None]
) -> None:
    file = project.numbers.warehouse
    harm(file, 0.3)
    damaged, log = file.read_bytes(), Path(f"{file}.wal").read_bytes()

    said = baton(project, "sql", "from facts.handoff_offered", exit_code=5).stderr
    assert "The warehouse is damaged" in said and "baton repair" in said and "in use" not in said
    (said,) = json.loads(baton(project, "repair", "--json").stdout)["warehouses"]

    aside = sorted(map(Path, said["set_aside"]))
    assert [path.read_bytes() for path in aside] == [damaged, log], "nothing is lost"
    assert said["damage"] and not said["is_file_kept"]
    assert not list(project.home.glob("baton.duckdb")) and not list(project.home.glob("baton.duckdb.wal"))
    assert "baton up" in baton(project, "sql", "select 1", exit_code=3).stderr


def test_a_damaged_write_ahead_log_is_set_aside_alone(project: Project) -> None:
    log = Path(f"{project.numbers.warehouse}.wal")
    flip(log, 0.5)
    damaged = log.read_bytes()

    assert "The warehouse is damaged" in baton(project, "sql", "select 1", exit_code=5).stderr
    said = baton(project, "repair")

    assert "last checkpoint" in said.stderr and not log.exists()
    (aside,) = project.home.glob("baton.duckdb.damaged-*")
    assert aside.read_bytes() == damaged
    assert handoffs(project.numbers.warehouse) == 300


def test_a_sound_file_stays(project: Project) -> None:
    before = {file.name: file.read_bytes() for file in project.home.glob("baton.duckdb*")}
    assert "sound" in baton(project, "repair").stdout
    assert {file.name: file.read_bytes() for file in project.home.glob("baton.duckdb*")} == before


def test_a_text_about_damage_is_no_damage(project: Project) -> None:
    said = baton(project, "sql", "select 'corrupt lock'::integer", exit_code=2).stderr
    assert "The query failed" in said


@pytest.mark.parametrize("words", [("repair",), ("backup", "copy.duckdb")], ids=["repair", "backup"])
def test_a_file_that_is_written_to_is_left_alone(project: Project, words: tuple[str, ...]) -> None:
    ProcessRecord.of(os.getpid()).write(project.numbers.record)
    assert "baton down && baton " in baton(project, *words, exit_code=1).stderr
    project.numbers.record.unlink()
    with Warehouse.open(project.numbers.warehouse, read_playbook()):
        said = baton(project, *words, exit_code=1).stderr
    assert "in use by another process" in said and str(os.getpid()) in said
    assert not (project.cwd / "copy.duckdb").exists()


def test_a_backup_holds_everything_and_is_restored_by_the_page(project: Project) -> None:
    with Warehouse.open(project.home / "same.duckdb", read_playbook()) as same:
        given(same, offers(0, 300))
        given(same, offers(300, 600))
        expected = all_hashes(same.connection, NOON)
    baton(project, "backup", "baton-backup.duckdb")
    assert sorted(path.name for path in project.cwd.iterdir()) == [".baton", "baton-backup.duckdb"]
    assert baton(project, "backup", "baton-backup.duckdb", exit_code=2).stderr, "never over another file"

    empty(project.numbers.warehouse, 0)
    page = (ROOT / "docs" / "guides" / "backup.md").read_text().partition("## Restore")[2]
    steps = [line for line in page.splitlines() if line.startswith(("mkdir ", "cp "))]
    for step in steps:
        subprocess.run(step, shell=True, cwd=project.cwd, check=True)

    with Warehouse.open(project.numbers.warehouse, read_playbook()) as restored:
        assert all_hashes(restored.connection, NOON) == expected


def test_a_damaged_file_is_not_backed_up(project: Project) -> None:
    flip(project.numbers.warehouse, 0.6)
    said = baton(project, "backup", "copy.duckdb", exit_code=5).stderr
    assert "The warehouse is damaged" in said
    assert [path.name for path in project.cwd.iterdir()] == [".baton"]


@pytest.mark.parametrize("words", [("repair", "--log-lost-events"), ("repair",)], ids=" ".join)
def test_a_new_file_stands_at_the_pinned_instant_and_says_what_the_log_lost(
    project: Project, words: Sequence[str]
) -> None:
    project.pinned_as_of_file.write_text(NOON.isoformat())
    if words == ("repair",):
        project.numbers.warehouse.write_bytes(b"x" * 50_000)
    said = json.loads(baton(project, *words, "--json").stdout)

    with open_warehouse(project) as warehouse:
        given(warehouse, offers(0, 3))
        assert warehouse.ask("select as_of from warehouse.as_of")[1] == [(NOON,)]
        asked = "select event_type, log_lost_at from funnel.freshness"
        found = datetime.fromisoformat(said["accepted_at"]) if "accepted_at" in said else None
        assert warehouse.ask(asked)[1] == [("HandoffOffered", found)]
    with recorded(project) as records, records.snapshot(authority_of(project), known_at=NOON) as snapshot:
        assert snapshot.ask(asked)[1] == [("HandoffOffered", found)], "as it was known on a day, too"
