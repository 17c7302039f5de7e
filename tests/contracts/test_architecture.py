"""docs/guides/architecture.md names what exists: an event's path, the wings of streams, who reads a state."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from projections.projection import read_projection

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "guides" / "architecture.md").read_text()
PACKAGES, EVENT_PATH, *_ = re.split(r"^## (?!Packages)", PAGE, flags=re.MULTILINE)
STEP = re.compile(r"^\| (\d) \| \[(\S+)\]\(\.\./\.\./(\S+)\) \| `(\S+)` \| (.+) \|$", re.MULTILINE)
STEPS = STEP.findall(PAGE)
NAMED_WITH_ITS_FILE = re.compile(r"`(\w+)(?:\(\))?` in\s+`([\w/]+\.py)`")
PATHS = re.compile(r"`((?:schemas|projections|warehouse|streams|benchmarks|tests)/[\w./]*)`")
STREAMS = ROOT / "streams"
MOST_FILES = 7


def _definitions(path: Path) -> set[str]:
    """Functions, classes and methods (Class.method) of a module; of a SQL file, what it defines."""
    if path.suffix == ".sql":
        return {read_projection(path).name}
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    top = [node for node in ast.parse(path.read_text()).body if isinstance(node, kinds)]
    methods = {
        f"{node.name}.{member.name}"
        for node in top
        if isinstance(node, ast.ClassDef)
        for member in node.body
        if isinstance(member, kinds)
    }
    return {node.name for node in top} | methods


def test_the_path_of_an_event_is_at_most_seven_files_in_order() -> None:
    rows = re.findall(r"^\| \d", EVENT_PATH, re.MULTILINE)
    assert 0 < len(STEPS) <= MOST_FILES
    assert len(STEPS) == len(rows), "a row is | number | [file](link) | `name` | what it does |"
    assert [int(number) for number, *_ in STEPS] == list(range(1, len(STEPS) + 1))
    assert len({file for _, file, *_ in STEPS}) == len(STEPS)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step[1])
def test_each_file_of_the_path_defines_what_the_page_names(step: tuple[str, ...]) -> None:
    _, text, link, name, _ = step
    assert text == link
    assert name in _definitions(ROOT / link)


@pytest.mark.parametrize(("name", "file"), NAMED_WITH_ITS_FILE.findall(PAGE))
def test_a_name_is_in_the_file_that_the_page_gives_for_it(name: str, file: str) -> None:
    assert name in _definitions(ROOT / file)


@pytest.mark.parametrize("path", sorted(set(PATHS.findall(PAGE))))
def test_a_path_in_the_text_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_wings_are_those_of_streams() -> None:
    listed = re.findall(r"^streams/(\w+)(?:/|\.py)\s", PACKAGES, re.MULTILINE)
    modules = {path.parent if path.name == "__init__.py" else path for path in STREAMS.glob("*.py")}
    folders = {path.parent for path in STREAMS.glob("*/__init__.py")}
    assert {*listed, "process_record"} == {path.stem for path in (modules - {STREAMS}) | folders}
