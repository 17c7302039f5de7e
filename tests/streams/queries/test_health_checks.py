"""`baton doctor`, run as a user runs it, on machines with something missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import BatonError
from streams.process_record import ProcessRecord, write_json
from streams.project import Project
from streams.queries.failed_events import dismiss
from streams.queries.health_checks import CHECKS, Check
from streams.queries.warehouse_access import open_warehouse
from warehouse.commit import Batch, failed_table

ROOT = Path(__file__).resolve().parents[3]


def doctor(folder: Path, exit_code: int = 0, **settings: str) -> dict[str, list[dict[str, Any]]]:
    """The checks of one run, by name."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
    run = subprocess.run(
        [sys.executable, "-m", "streams.cli.main", "doctor", "--json"],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), **settings},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == exit_code, f"{run.stdout}\n{run.stderr}"
    document = json.loads(run.stdout)
    assert document["healthy"] == (exit_code == 0)
    checks: dict[str, list[dict[str, Any]]] = {}
    for check in document["checks"]:
        checks.setdefault(check["name"], []).append(check)
        assert check["what"]
        assert check["level"] == "ok" or check["next"], f"no way out: {check}"
    return checks


def test_a_good_machine_with_a_good_broker(clean_kafka: str, tmp_path: Path) -> None:
    checks = doctor(tmp_path, BATON_KAFKA=clean_kafka)
    for name in ("python", "duckdb", "folder", "playbook", "kafka", "topics", "clock"):
        assert {check["level"] for check in checks[name]} == {"ok"}, checks[name]
    assert "agrees to" in checks["clock"][0]["what"], "the broker's clock was really read"
    assert {"httpfs", "quack"} == {check["what"].split()[-1] for check in checks["duckdb"]}
    assert not (tmp_path / ".baton").exists(), "looking changes nothing"


def test_a_bare_machine(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    bare = {"PATH": str(tmp_path / "bin"), "XDG_CACHE_HOME": str(tmp_path / "cache"), "JAVA_HOME": ""}
    checks = doctor(tmp_path, exit_code=5, **bare)
    assert [c["what"] for c in checks["java"]] == ["Java is missing"]
    assert [c["what"] for c in checks["jars"]] == ["Neither Kafka's jars nor Maven to fetch them were found"]
    assert checks["kafka"][0] == {
        "name": "kafka",
        "level": "warn",
        "what": "The local broker is not running",
        "why": "",
        "next": "baton up",
    }


def test_a_playbook_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "playbook.toml").write_text("[playbook\n")
    (check,) = doctor(tmp_path, exit_code=5)["playbook"]
    assert check["level"] == "fail" and str(tmp_path / "playbook.toml") in check["why"]


def test_settings_that_clash(tmp_path: Path) -> None:
    (check,) = doctor(tmp_path, exit_code=5, BATON_KAFKA="nonsense")["settings"]
    assert check["what"] == "BATON_KAFKA is not a list of bootstrap servers"


# --- single checks ----------------------------------------------------------------------------------


def look(name: str, project: Project) -> list[Check]:
    return list(dict(CHECKS)[name](project))


@pytest.mark.parametrize(("bootstrap", "level"), [(None, "fail"), ("127.0.0.1:1", "warn")])
def test_java_matters_to_who_has_no_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bootstrap: str | None, level: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("BATON_KAFKA_JARS", raising=False)
    project = Project(home=tmp_path / ".baton", cwd=tmp_path, kafka=bootstrap)
    assert [check.level for name in ("java", "jars") for check in look(name, project)] == [level, level]


def test_a_broker_that_is_not_there(tmp_path: Path) -> None:
    (check,) = look("kafka", Project(home=tmp_path, cwd=tmp_path, kafka="127.0.0.1:1"))
    assert (check.level, check.why) == ("fail", "127.0.0.1:1: Connection refused")
    assert "baton doctor" not in check.next


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (check,) = look("folder", Project(home=tmp_path / "file" / ".baton", cwd=tmp_path))
    assert check.level == "fail" and "BATON_HOME" in check.next


@pytest.mark.parametrize("what", ["broker", "worker"])
def test_what_a_killed_run_left_behind(tmp_path: Path, what: str) -> None:
    project = Project.here({}, tmp_path)
    project.make_folders()
    dead = subprocess.Popen(["true"])
    record = ProcessRecord(dead.pid, "boot:1", {"bootstrap": "127.0.0.1:1", "cluster_id": "x"})
    dead.wait()
    record.write(project.kafka_record_file if what == "broker" else project.numbers.record)
    (found,) = [check for check in look("process", project) if check.level == "fail"]
    died = {"broker": "The broker was killed or crashed", "worker": "The worker of numbers died"}
    assert found.what == died[what]
    assert str(dead.pid) in found.why


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    project = Project.here({}, tmp_path)
    project.make_folders()
    write_json(project.kafka_record_file, {"pid": "many"})
    with pytest.raises(BatonError) as caught:
        look("process", project)
    assert str(project.kafka_record_file) == caught.value.where


def test_failed_events_are_counted_without_those_dismissed(tmp_path: Path) -> None:
    project = Project.here({}, tmp_path)
    assert [check.level for check in look("warehouse", project)] == ["ok"], "no warehouse, no failed events"
    project.make_folders()
    rows = [
        ("funnel.sales", 0, offset, None, "decode", "unknown bytes", None, None, b"???")
        for offset in range(10)
    ]
    with open_warehouse(project) as warehouse:
        warehouse.committer().commit(Batch({}, failed_table(rows)))
    (found,) = look("warehouse", project)
    assert (found.level, found.what, found.next) == ("warn", "10 failed events", "baton failed ls")
    dismiss(project, [f"funnel.sales/0/{offset}" for offset in range(4)], "a test")
    (found,) = look("warehouse", project)
    assert (found.level, found.what) == ("warn", "6 failed events, and 4 dismissed")
    dismiss(project, [], "a test")
    (found,) = look("warehouse", project)
    assert (found.level, found.what) == ("ok", "0 failed events, and 10 dismissed")


def test_what_was_stopped_is_not_said_to_have_never_been_started(tmp_path: Path) -> None:
    project = Project.here({}, tmp_path)
    with pytest.raises(BatonError, match="no local broker was started here"):
        project.bootstrap()
    project.make_folders()
    project.numbers.log.touch()
    write_json(project.kafka_ports_file, {"broker": 9092, "controller": 9093})

    with pytest.raises(BatonError, match="the local broker is stopped"):
        project.bootstrap()
    assert [check.what for check in look("process", project)] == [
        "the broker is stopped",
        "the worker of numbers is stopped",
        "no worker of reactions was started here",
    ]
