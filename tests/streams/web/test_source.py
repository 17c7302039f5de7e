"""Both sources say the same; what happens when nobody answers; and that a page learns when numbers
move."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from projections.playbook import read_playbook
from schemas.errors import BatonError
from streams.local.broker import free_ports
from streams.project import Project
from streams.queries.panel import Look, circumstances, circumstances_statement
from streams.queries.panels import PANELS
from streams.web.app import make_page
from streams.web.serving import Address, serve_page
from streams.web.source import WarehouseSource, WorkerSource
from tests.given import as_bytes, given
from tests.simulated import simulated
from warehouse.sql_endpoint import serve_sql
from warehouse.warehouse import Warehouse


@pytest.fixture(scope="module")
def company() -> Iterator[Warehouse]:
    with simulated(11, 60) as found:
        yield found


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = Project.here({"BATON_HOME": str(tmp_path / "home")}, tmp_path)
    found.make_folders()
    return found


def test_a_worker_says_through_its_endpoint_what_its_warehouse_says(
    company: Warehouse, project: Project
) -> None:
    serve_sql(company.connection).save(project.numbers.endpoint)
    near, far = WarehouseSource(company), WorkerSource(project)
    look = Look(window="all")
    [[row]] = near.ask([circumstances_statement(look)], 10)
    statements = [panel.statement(circumstances(look, tuple(row.values()))) for panel in PANELS]
    assert far.ask(statements, 30) == near.ask(statements, 30)
    assert far.position() == near.position()
    with TestClient(make_page(far), base_url="http://127.0.0.1") as client:
        assert client.get("/?window=all").status_code == 200
        assert client.get("/rows/handoff.parquet").content[:4] == b"PAR1"


def test_without_a_warehouse_the_page_says_what_to_run(project: Project) -> None:
    with TestClient(make_page(WorkerSource(project)), base_url="http://127.0.0.1") as client:
        answer = client.get("/")
    assert answer.status_code == 503
    assert "There is no warehouse yet" in answer.text and "baton up" in answer.text


def test_an_unreadable_playbook_is_said_with_its_line(project: Project, tmp_path: Path) -> None:
    (tmp_path / "playbook.toml").write_text("[playbook]\nname = \n")
    with Warehouse.open(project.numbers.warehouse, read_playbook()) as found:
        found.refresh()
    other = Project.here({"BATON_HOME": str(project.home), "BATON_PLAYBOOK": "playbook.toml"}, tmp_path)
    with TestClient(make_page(WorkerSource(other)), base_url="http://127.0.0.1") as client:
        answer = client.get("/playbook")
    assert answer.status_code == 503
    assert "playbook.toml" in answer.text and "line" in answer.text.lower() or ":2" in answer.text


def test_a_statement_that_takes_too_long_is_ended(company: Warehouse) -> None:
    endless = "select count(*) from range(1000000000) as a, range(1000000000) as b"
    with pytest.raises(BatonError, match="took too long"):
        WarehouseSource(company).ask([endless], 0.3)


def test_a_source_only_reads(company: Warehouse) -> None:
    with pytest.raises(BatonError, match="Only reading"):
        WarehouseSource(company).ask(["drop view funnel.handoff"], 5)


@pytest.fixture
def served(company: Warehouse) -> Iterator[Address]:
    address = serve_page(make_page(WarehouseSource(company)), 0)
    yield address
    address.stop()
    assert not address.thread.is_alive()


def test_a_reader_learns_when_numbers_move(served: Address, company: Warehouse) -> None:
    with urllib.request.urlopen(f"{served.url}/?window=all", timeout=30) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(f"{served.url}/live?window=all", timeout=30) as stream:
        states = (json.loads(line[6:]) for line in stream if line.startswith(b"data: "))
        before = next(state for state in states if state["stamp"])
        as_of = company.pinned_as_of()
        assert as_of is not None
        at = (as_of - timedelta(hours=1)).isoformat()
        event = {"type": "LeadCaptured", "lead_id": "lead-new", "channel": "web", "source": "test"}
        given(company, as_bytes([{**event, "occurred_at": at, "recorded_at": at}]))
        company.refresh()
        after = next(
            s for s in states if s["stamps"].get("funnel", "") not in ("", before["stamps"]["funnel"])
        )
    changed = {panel for panel, stamp in after["stamps"].items() if stamp != before["stamps"][panel]}
    assert "funnel" in changed
    assert "clock" not in changed


def test_a_port_that_is_taken_is_an_error(served: Address) -> None:
    with pytest.raises(BatonError, match="cannot be served"):
        serve_page(make_page(WarehouseSource(served.app.state.page.source.warehouse)), served.port)


def test_many_that_start_at_once_with_one_port_are_all_served(served: Address) -> None:
    source, (port, *_) = served.app.state.page.source, free_ports()

    def serve(_: int) -> Address:
        return serve_page(make_page(source), port, or_any=True)

    with ThreadPoolExecutor(6) as pool:
        addresses = list(pool.map(serve, range(6)))
    for address in addresses:
        address.stop()
    assert len({address.port for address in addresses}) == 6
    assert port in {address.port for address in addresses}


def test_the_command_prints_its_address_and_ends_with_ctrl_c(project: Project) -> None:
    with Warehouse.open(project.numbers.warehouse, read_playbook()) as found:
        found.refresh()
    baton = Path(sys.executable).with_name("baton")
    environ = {**os.environ, "BATON_HOME": str(project.home)}
    with subprocess.Popen(
        [baton, "page", "--port", "0"], env=environ, cwd=project.cwd, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with urllib.request.urlopen(url, timeout=60) as answer:
            text = answer.read().decode()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert "There are no events yet" in text
    assert "no worker runs" in text
