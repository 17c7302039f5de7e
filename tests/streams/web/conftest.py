"""The page over a small company: simulated events, and a few that try to be more than text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from projections.playbook import parse_playbook, read_playbook
from streams.web.app import make_page
from streams.web.source import Recorded, WarehouseSource
from tests.given import as_bytes, given
from tests.signed import KEYS, as_events, proposal, signature
from tests.simulated import simulated
from warehouse.recorded_log import RecordedLog
from warehouse.warehouse import Warehouse

HOSTILE = "<script>alert(1)</script>"
FORMULA = '=HYPERLINK("http://evil.example","pay")'


def recorded_in(warehouse: Warehouse, folder: Path) -> Recorded:
    """Recorded events as a snapshot of the warehouse at each call, in a file that nobody holds."""

    @contextmanager
    def recorded(views: Any) -> Iterator[RecordedLog]:
        file = folder / f"copy-{len(list(folder.iterdir()))}.duckdb"
        cursor = warehouse.cursor()
        cursor.execute(f"attach '{file}' as copied")
        cursor.execute("create schema copied.log")
        for (table,) in cursor.execute(
            "select table_name from duckdb_tables() where schema_name = 'log' and database_name <> 'copied'"
        ).fetchall():
            cursor.execute(f"create table copied.log.{table} as from log.{table}")
        cursor.execute("detach copied")
        with RecordedLog.of_file(file, views) as records:
            yield records

    return recorded


@pytest.fixture(scope="session")
def warehouse() -> Iterator[Warehouse]:
    """A company with a hostile lead, and a proposal that one side has signed."""
    with simulated(7, 150, KEYS) as found:
        as_of = found.pinned_as_of()
        assert as_of is not None
        at = (as_of - timedelta(days=3)).isoformat()
        common = {"recorded_at": at, "occurred_at": at, "source": HOSTILE}
        offer = {"from_team": "marketing", "to_team": "sales_development", "reason": HOSTILE}
        events: list[dict[str, Any]] = [
            {"type": "LeadCaptured", "lead_id": HOSTILE, "channel": FORMULA, "region": HOSTILE, **common},
            {"type": "HandoffOffered", "handoff_id": FORMULA, "lead_id": HOSTILE, **offer, **common},
        ]
        base = read_playbook()
        changed = parse_playbook(base.text.replace("employees_at_least = 20", "employees_at_least = 60"))
        begun = as_of - timedelta(days=2)
        said = as_events(proposal(changed, begun), signature(changed, "sales", begun + timedelta(hours=1)))
        given(found, as_bytes([*events, *said]))
        found.refresh()
        yield found


@pytest.fixture(scope="session")
def client(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A browser without a screen, on the page of that company."""
    source = WarehouseSource(warehouse, recorded_in(warehouse, tmp_path_factory.mktemp("recorded")))
    with TestClient(make_page(source), base_url="http://127.0.0.1", raise_server_exceptions=True) as found:
        yield found


Opened = Callable[[Warehouse], AbstractContextManager[TestClient]]


@pytest.fixture
def page_of() -> Opened:
    """Opens the page of another warehouse."""

    @contextmanager
    def opened(other: Warehouse) -> Iterator[TestClient]:
        with TestClient(make_page(WarehouseSource(other)), base_url="http://127.0.0.1") as found:
            yield found

    return opened
