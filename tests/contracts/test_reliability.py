"""docs/reliability.md is of the faults that are listed, and each of their tests is there."""

from __future__ import annotations

import ast

import pytest

from tests.faults.reliability import FAULTS, NOT_TESTED, PAGE, ROOT

NAMES = sorted({name for fault in FAULTS for name in fault.tests})


@pytest.mark.parametrize("name", NAMES)
def test_a_test_that_the_page_names_is_there(name: str) -> None:
    file, function = name.split("::")
    module = ast.parse((ROOT / file).read_text())
    assert function in {node.name for node in module.body if isinstance(node, ast.FunctionDef)}


def test_the_page_has_every_fault_and_what_is_not_tested() -> None:
    text = PAGE.read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and "](../tests/" in line]
    assert [row.split(" | ")[0] for row in rows] == [f"| {fault.what}" for fault in FAULTS]
    assert all(f"- {what}" in text for what in NOT_TESTED)
