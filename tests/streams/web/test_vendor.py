"""Files of others stand in one folder, each with its version, licence and hash, unchanged."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = (ROOT / "streams/web/static/vendor", Path(__file__).parent / "vendor")
STATIC = ROOT / "streams/web/static"


@pytest.mark.parametrize("folder", FOLDERS, ids=["of the page", "of its tests"])
def test_each_file_is_the_one_of_the_manifest(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    licences = {entry["licence_file"] for entry in manifest.values()}
    assert {path.name for path in folder.iterdir()} == {*manifest, *licences, "manifest.json"}
    for name, entry in manifest.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == entry["sha256"]
        assert entry["package"] and entry["version"] and entry["licence"]


def test_nothing_of_ours_names_another_host() -> None:
    ours = [path for path in STATIC.iterdir() if path.is_file() and path.suffix in (".js", ".css")]
    ours += list((ROOT / "streams/web/templates").iterdir())
    assert [path.name for path in ours if "://" in path.read_text()] == []
