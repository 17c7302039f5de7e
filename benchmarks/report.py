"""The outcome of a run as a table and as the page docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.case import Case, Figure, Scale
from benchmarks.load import Load
from streams.local.jars import kafka_version
from streams.local.java import find_java

COLUMNS = ("case", "this run", "unit", "compared with", "measured", "ratio", "target", "met")
PACKAGES = ("duckdb", "polars", "pyarrow", "aiokafka", "fastavro", "faust-streaming", "chdb-core")
CLOSE = 0.1
WIDE = 1.3


@dataclass(frozen=True)
class Report:
    """Everything a reader needs to judge the figures, and to measure them again."""

    scale: Scale
    measured_at: datetime
    machine: dict[str, str]
    load: Load
    cases: tuple[Case, ...]

    @classmethod
    def of(cls, scale: Scale, load: Load, cases: Sequence[Case]) -> Report:
        return cls(scale, datetime.now(UTC), machine_facts(), load, tuple(cases))

    @property
    def figures(self) -> list[Figure]:
        return [figure for case in self.cases for figure in case.figures]

    def rows(self) -> list[tuple[str, ...]]:
        """The table, as text; empty where there is nothing to say."""
        return [
            (
                figure.what,
                number(figure.value),
                figure.unit,
                figure.compared_with,
                "" if figure.other is None else number(figure.other),
                "" if figure.ratio is None else f"{figure.ratio:.2f}",
                str(figure.target or ""),
                {True: "yes", False: "no", None: ""}[figure.is_met],
            )
            for figure in self.figures
        ]

    def falls_short(self) -> Iterator[str]:
        """Sentences about where this falls short, decided by the numbers."""
        if self.scale.is_quick:
            yield "This was a quick run: it shows that everything works, and its figures mean little."
        missed = [figure for figure in self.figures if figure.is_met is False]
        if not missed:
            yield "Every target was met in this run."
        for figure in missed:
            against = f", {figure.ratio:.2f} of {figure.compared_with}" if figure.ratio is not None else ""
            reached = f"{number(figure.value)} {figure.unit}{against}"
            yield f"Missed: {figure.what} was {reached}; the target is {figure.target}."
        close = [figure.what for figure in self.figures if figure.is_met and _margin(figure) < CLOSE]
        if close:
            yield f"Met by less than {CLOSE:.0%}, so another run may miss it: {', '.join(close)}."
        noisy = [f"{figure.what} ({figure.spread:.1f})" for figure in self.figures if figure.spread > WIDE]
        if noisy:
            yield f"Rounds differed widely (most over least), so trust these less: {', '.join(noisy)}."
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
        lines = ["# Benchmarks", "", "<!-- Written by `make bench`. Do not edit: run it again. -->", ""]
        lines += [f"Measured {self.measured_at:%Y-%m-%d %H:%M} UTC with `make bench`.", ""]
        lines += [f"| {' | '.join(COLUMNS)} |", "|---|---:|---|---|---:|---:|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in self.rows()]
        lines += ["", "## Where it falls short", "", " ".join(self.falls_short()), ""]
        lines += ["## How each case is measured", ""]
        for case in self.cases:
            notes = "".join(f" In this run: {note}." for note in case.notes)
            lines += [f"**{case.name}.** {case.method}{notes}", ""]
        lines += ["## The machine and the load", "", "| | |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in self.machine.items()]
        size = self.load.bytes / max(self.load.events, 1)
        mix = ", ".join(f"{name} {count:,}" for name, count in self.load.by_type.items())
        lines.append(f"| load | {self.load.events:,} events of {size:,.0f} bytes on average |")
        lines.append(f"| mix | {mix} |")
        return "\n".join(lines) + "\n"


def number(value: float) -> str:
    """Three digits at least, no false ones."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"


def _margin(figure: Figure) -> float:
    """How far a figure is from its target, as a share of the target."""
    return abs(figure.reached - figure.target.goal) / figure.target.goal if figure.target else 1.0


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
