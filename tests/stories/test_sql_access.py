"""Every recipe of the guide to SQL access runs, in the guide's order, against a warehouse that serves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.access.readers import ProjectReaders
from streams.access.remote_statements import RemoteStatements
from streams.project import Project
from streams.queries.warehouse_access import open_warehouse
from streams.simulator import simulate
from tests.given import as_bytes
from tests.streams.access.served import committed, over_http
from warehouse.sql_endpoint import serve_sql

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guides" / "sql_access.md"
RECIPES = re.findall(r"^```(bash|python)\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Of a shell in the folder of a project whose worker serves Maria of marketing."""
    folder = tmp_path_factory.mktemp("guide")
    simulate(7, 60, folder / "story")
    lines = (folder / "story" / "events.jsonl").read_text().splitlines()
    project = Project.here({}, folder)
    project.make_folders()
    readers = ProjectReaders.of(project)
    token = readers.grants.grant("maria", "marketing")
    with open_warehouse(project) as warehouse:
        committed(warehouse, as_bytes(map(json.loads, lines)))
        warehouse.refresh()
        endpoint = serve_sql(warehouse.connection, 30, readers=readers, roles=readers.roles)
        endpoint.save(project.numbers.endpoint)
        with over_http(RemoteStatements(project.numbers.endpoint), readers) as port:
            yield {
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "PWD": str(folder),
                "BATON_URL": f"http://127.0.0.1:{port}",
                "BATON_TOKEN": token,
            }


def test_the_guide_has_its_recipes() -> None:
    assert len(RECIPES) == 7


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "recipe"), RECIPES, ids=[text.split("\n")[0][:40] for _, text in RECIPES]
)
def test_the_recipe_runs(environ: dict[str, str], language: str, recipe: str) -> None:
    if recipe.startswith("duckdb") and "secret" in recipe:  # here no extension is downloaded
        [extension] = Path(sys.prefix).rglob("httpfs.duckdb_extension")
        recipe = recipe.replace("create secret", f"load '{extension}';\ncreate secret", 1)
    command = ["bash", "-euc", recipe] if language == "bash" else [sys.executable, "-c", recipe]
    done = subprocess.run(
        command, cwd=environ["PWD"], env=environ, capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 0, done.stderr
    written = Path(environ["PWD"], "handoff_pair.csv")
    said = done.stdout + (written.read_text() if "-o handoff_pair.csv" in recipe else "")
    assert "waiting" in said or "sales_development" in said or "tables" in said
