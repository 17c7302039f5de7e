"""The outcome of a run as a table, as JSON, and as the page docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from streams.bench.case import Case, Figure, Scale
from streams.bench.load import Load
from streams.local.jars import kafka_version
from streams.local.java import find_java

COLUMNS = ("case", "this run", "unit", "compared with", "measured", "ratio", "target", "met")
PACKAGES = ("duckdb", "polars", "pyarrow", "aiokafka", "fastavro", "faust-streaming", "chdb-core")
CLOSE = 0.1
WIDE = 1.3


@dataclass(frozen=True)
class Report:
    """Everything a reader needs to judge the figures, and to have them again."""

    command: str
    scale: Scale
    measured_at: datetime
    machine: dict[str, str]
    load: dict[str, Any]
    cases: tuple[Case, ...]

    @classmethod
    def of(cls, command: str, scale: Scale, load: Load, cases: Sequence[Case]) -> Report:
        mix = {"events": load.events, "value_bytes": load.bytes, "by_type": load.by_type}
        return cls(command, scale, datetime.now(UTC), machine_facts(), mix, tuple(cases))

    @property
    def missed(self) -> list[Figure]:
        """The figures that have a target and did not meet it."""
        return [figure for figure in self.figures if figure.is_met is False]

    @property
    def figures(self) -> list[Figure]:
        return [figure for case in self.cases for figure in case.figures]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "command": self.command,
            "measured_at": self.measured_at.isoformat(timespec="seconds"),
            "machine": self.machine,
            "scale": asdict(self.scale),
            "load": self.load,
            "cases": [asdict(case) for case in self.cases],
            "missed": [figure.what for figure in self.missed],
            "falls_short": " ".join(self.falls_short()),
        }

    def rows(self) -> list[tuple[str, ...]]:
        """The table, as text; nothing where there is nothing to say."""
        return [
            (
                figure.what,
                number(figure.value),
                figure.unit,
                figure.compared_with,
                "" if figure.other is None else number(figure.other),
                "" if figure.ratio is None else f"{figure.ratio:.2f}",
                figure.target,
                {True: "yes", False: "no", None: ""}[figure.is_met],
            )
            for figure in self.figures
        ]

    def falls_short(self) -> Iterator[str]:
        """Sentences about where this falls short, decided by the numbers."""
        if self.scale.is_quick:
            yield "This was a quick run: it shows that everything works, and its figures mean little."
        if not self.missed:
            yield "Every target was met in this run."
        for figure in self.missed:
            against = f", {figure.ratio:.2f} of {figure.compared_with}" if figure.ratio is not None else ""
            reached = f"{number(figure.value)} {figure.unit}{against}"
            yield f"Missed: {figure.what} was {reached}; the target is {figure.target}."
        close = [figure.what for figure in self.figures if figure.is_met and _margin(figure) < CLOSE]
        if close:
            yield f"Met by less than {CLOSE:.0%}, so another run may miss it: {', '.join(close)}."
        noisy = [f for f in self.figures if f.spread and f.spread[0] and f.spread[1] / f.spread[0] > WIDE]
        if noisy:
            told = ", ".join(f"{f.what} ({f.spread[1] / f.spread[0]:.1f})" for f in noisy if f.spread)
            yield f"Rounds differed widely (most over least), so trust these less: {told}."
        for case in self.cases:
            if not case.figures:
                yield f"{case.name} has no figures: {'; '.join(case.notes)}."
        yield (
            f"Broker, sink and publisher share {self.machine['cores']} cores and one disk here, so rates are"
            " those of the whole machine, and ratios say more than rates do."
        )
        yield "The load is simulated: its mix is meant to be lifelike and is not taken from a real company."

    def as_page(self) -> str:
        """docs/benchmarks.md."""
        lines = ["# Benchmarks", "", f"<!-- Written by `{self.command}`. Do not edit: run it again. -->", ""]
        lines += [f"Measured {self.measured_at:%Y-%m-%d %H:%M} UTC with `{self.command}`.", ""]
        lines += [f"| {' | '.join(COLUMNS)} |", "|---|---:|---|---|---:|---:|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in self.rows()]
        lines += ["", "## Where it falls short", "", " ".join(self.falls_short()), ""]
        lines += ["## How each case is measured", ""]
        for case in self.cases:
            lines += [
                f"**{case.name}.** {case.method}" + "".join(f" In this run: {n}." for n in case.notes),
                "",
            ]
        lines += ["## The machine and the load", "", "| | |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in self.machine.items()]
        size = self.load["value_bytes"] / max(self.load["events"], 1)
        mix = ", ".join(f"{name} {count:,}" for name, count in self.load["by_type"].items())
        lines += [
            f"| load | {self.load['events']:,} events of {size:,.0f} bytes on average |",
            f"| mix | {mix} |",
            "",
        ]
        return "\n".join(lines)


def number(value: float) -> str:
    """Three digits at least, no false ones."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"


def _margin(figure: Figure) -> float:
    """How far a figure is from its target, as a share of the target."""
    goal = re.search(r"[\d.,]+", figure.target)
    if goal is None:
        return 1.0
    wanted = float(goal[0].replace(",", ""))
    reached = figure.ratio if figure.ratio is not None else figure.value
    return abs(reached - wanted) / wanted


def machine_facts() -> dict[str, str]:
    """What the figures depend on: cores, memory, system and versions."""
    facts = {
        "cores": str(os.cpu_count()),
        "processor": _processor(),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / (1 << 30):.0f} GiB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "java": str(find_java()[1]),
        "kafka": kafka_version(),
    }
    return facts | {name: _version(name) for name in PACKAGES}


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or "unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
