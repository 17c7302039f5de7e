"""docs/operations: rules and board parse, and name metrics that the worker exposes; the units verify."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from click.testing import CliRunner

from docs.pages import FOLDER, OPERATIONS, metrics
from schemas.errors import ExitCode
from streams.cli.main import baton
from streams.local.supervisor import INCURABLE
from streams.settings import SETTINGS
from streams.web.metrics import METRICS
from warehouse.memory import PROCESS_BYTES, limit_bytes

BOARD = json.loads((OPERATIONS / "grafana.json").read_text())
RULES = [
    rule
    for group in yaml.safe_load((OPERATIONS / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
PANELS = BOARD["panels"]
EXPRESSIONS = [
    *((rule["alert"], rule["expr"]) for rule in RULES),
    *((panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]),
]
SAMPLES = {sample: metric for metric in METRICS for sample in metric.samples}
OF_PROMETHEUS = {"up", "job", "instance", "le"}  # a metric and labels that it adds itself
UNITS = sorted(OPERATIONS.glob("*.service"))
GRID = 24
DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
DIFFERS = re.compile(r"# Installed|Description=|ExecStart=")


def _selectors(text: str) -> list[Any]:
    """The metrics that a query selects, each with its matchers. Raises ValueError for no PromQL."""
    found: list[Any] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        for name in ("lhs", "rhs", "expr", "vector_selector", "param"):
            below = getattr(node, name, None)
            if below is not None:
                visit(below)
        for below in getattr(node, "args", None) or ():
            visit(below)

    visit(promql_parser.parse(text.replace("$__rate_interval", "5m")))
    return found


def _labels(sample: str) -> tuple[str, ...]:
    return SAMPLES[sample].labels if sample in SAMPLES else ()


@pytest.mark.parametrize(("where", "text"), EXPRESSIONS, ids=[f"{w}: {t}" for w, t in EXPRESSIONS])
def test_a_query_is_promql_over_metrics_and_labels_that_exist(where: str, text: str) -> None:
    selectors = _selectors(text)
    assert {each.name for each in selectors} == set(re.findall(r"\b(?:baton_\w+|up)\b", text))
    labels: set[str] = set()
    for each in selectors:
        assert each.name in SAMPLES or each.name in OF_PROMETHEUS
        known = {*_labels(each.name), *OF_PROMETHEUS}
        assert {matcher.name for matcher in each.matchers.matchers} <= known
        labels |= known
    grouped = [name for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", text) for name in group.split(", ")]
    assert set(grouped) <= labels


def test_what_is_no_promql_or_no_metric_is_noticed() -> None:
    with pytest.raises(ValueError, match="parenthesis"):
        _selectors("sum by (topic (baton_lag_records)")
    assert [each.name for each in _selectors("rate(baton_lag[5m]) > 1")] == ["baton_lag"]


def test_each_metric_is_in_the_board_or_the_rules_and_the_page_says_where() -> None:
    used = {each.name for _, text in EXPRESSIONS for each in _selectors(text)}
    assert {metric.name for metric in METRICS if not used.intersection(metric.samples)} == set()
    assert (FOLDER / "metrics.md").read_text(encoding="utf-8") == metrics(), "make reference"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_a_rule_has_what_prometheus_wants_and_a_next_command_that_exists(rule: dict[str, Any]) -> None:
    assert {"alert", "expr", "labels", "annotations"} <= set(rule) <= {*rule, "for"}
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s")) and re.fullmatch(r"[A-Z]\w+", rule["alert"])
    assert rule["labels"]["severity"] in ("info", "warning", "critical")
    assert set(rule["annotations"]) == {"summary", "next"}
    names = re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])
    assert set(names) <= {label for each in _selectors(rule["expr"]) for label in _labels(each.name)}
    program, *words = shlex.split(rule["annotations"]["next"])
    run = CliRunner().invoke(baton, [*words, "--help"])
    assert program == "baton" and run.exit_code == ExitCode.OK, run.output


def test_no_rule_appears_twice() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_the_board_can_be_imported() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    variables = {each["name"]: each for each in BOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and "id" not in BOARD
    cells: set[tuple[int, int]] = set()
    for panel in PANELS:
        assert panel["type"] in ("stat", "timeseries") and panel["title"] and panel["description"]
        at = panel["gridPos"]
        own = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= GRID and not cells & own
        cells |= own
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"] == DATA_SOURCE
            used = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval"}
            assert used <= set(variables)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_a_unit(unit: Path, tmp_path: Path) -> None:
    """Its command is the one of these tests: verify looks whether there is one."""
    here = str(Path(sys.executable).parent / "baton")
    text, count = re.subn(r"(?<=^ExecStart=)\S+", here, unit.read_text(), flags=re.MULTILINE)
    copy = tmp_path / unit.name
    copy.write_text(text)
    run = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, timeout=60
    )
    assert count == 1 and (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_a_worker_with_settings_that_exist(unit: Path) -> None:
    text = unit.read_text()
    [(purpose,)] = [re.findall(r"^ExecStart=\S+ worker (\w+)$", text, re.MULTILINE)]
    assert unit.name == f"baton-{purpose}.service"
    known = {setting.name for setting in SETTINGS} | {s.file_name for s in SETTINGS if s.is_secret}
    assert set(re.findall(r"\b(BATON_\w+)=", text)) <= known
    [prevented] = re.findall(r"^RestartPreventExitStatus=(.*)$", text, re.MULTILINE)
    assert {int(code) for code in prevented.split()} == {int(code) for code in INCURABLE}
    [most] = re.findall(r"^MemoryMax=(\d+)$", text, re.MULTILINE)
    [limit] = [setting.default for setting in SETTINGS if setting.name == "BATON_MEMORY"]
    assert int(most) == limit_bytes(limit) + PROCESS_BYTES


def test_the_units_differ_in_their_purpose_only() -> None:
    numbers, reactions = (
        [line for line in unit.read_text().splitlines() if not DIFFERS.match(line)] for unit in UNITS
    )
    assert numbers == reactions
