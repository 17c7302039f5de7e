"""Case: an export of leads and deals evaluated under a mapping, against polars reading the same file."""

from __future__ import annotations

import time
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from benchmarks.case import Bench, Case, Figure, Target, alternating
from benchmarks.own_process import Measured, in_own_process
from streams.imports.reading import assigned
from streams.imports.run import Import
from streams.mapping.reader import parse_mapping

METHOD = (
    "A CSV file, each row a lead with a day, a source, a landing page and an amount with a decimal comma, "
    "and of every fourth also a deal, is read and evaluated as `baton import --dry-run` does it: every value "
    "typed and checked by the contract, ids made, copies counted. Compared with polars reading that file. "
    "Rows a second; each round in a process of its own, the file cached by the system."
)
MAPPING = """
[mapping]
source = "bench"
[file.leads]
key = "id"
[[event]]
type = "LeadCaptured"
from = "leads"
[event.set]
lead_id = "{id}"
occurred_on = { value = "{day}", formats = ["%d/%m/%Y"] }
channel = { value = "{source}", case = "snake" }
attributes.landing_page = "{page}"
[[event]]
type = "OpportunityOpened"
from = "leads"
when = { value = "{source}", is = "Referral" }
[event.set]
opportunity_id = "{id}"
lead_id = "{id}"
occurred_on = { value = "{day}", formats = ["%d/%m/%Y"] }
amount = { value = "{amount}", decimal = "," }
currency = "EUR"
"""
SOURCES = ("Paid Search", "Organic", "Referral", "Webinar")
IMPORT, POLARS = READERS = ("import", "polars")
MEBIBYTE = 1 << 20


def measure(bench: Bench) -> Case:
    """Rows a second, and the peak memory."""
    with bench.new_folder() as folder:
        file = _export(Path(folder) / "leads.csv", bench.scale.import_rows)
        found: dict[str, list[Measured]] = {reader: [] for reader in READERS}
        for reader in alternating(READERS, bench.scale.rounds):
            found[reader].append(in_own_process(read_export, file=str(file), reader=reader))
    rates = {reader: [m["rows"] / m["seconds"] for m in measured] for reader, measured in found.items()}
    peaks = {reader: [m["peak_rss_bytes"] / MEBIBYTE for m in measured] for reader, measured in found.items()}
    figures = (
        Figure("import of a CSV file, evaluated", "rows/s", rates[IMPORT], "polars reads it", rates[POLARS],
               Target(">=", 1 / 3)),
        Figure("peak memory of an import", "MiB", peaks[IMPORT], "polars reads it", peaks[POLARS]),
    )  # fmt: skip
    events = found[IMPORT][0]["events"]
    return Case("import", METHOD, figures, (f"{bench.scale.import_rows:,} rows became {events:,} events",))


def _export(path: Path, rows: int) -> Path:
    number = pl.int_range(rows, dtype=pl.Int64)
    first = date(2026, 1, 1)
    days = [f"{first + timedelta(day):%d/%m/%Y}" for day in range(180)]
    pl.select(number.alias("n")).select(
        pl.concat_str(pl.lit("lead-"), pl.col("n").cast(pl.String).str.zfill(24)).alias("id"),
        (pl.col("n") % len(days)).replace_strict(list(range(len(days))), days).alias("day"),
        (pl.col("n") % len(SOURCES)).replace_strict(list(range(len(SOURCES))), SOURCES).alias("source"),
        pl.concat_str(pl.lit("/landing/"), (pl.col("n") % 97).cast(pl.String)).alias("page"),
        pl.concat_str((pl.col("n") % 9_000).cast(pl.String), pl.lit(",50")).alias("amount"),
    ).write_csv(path)
    return path


def read_export(file: str, reader: str) -> Measured:
    """Time one reading. A small file first: what is loaded and compiled once is not measured."""
    path = Path(file)
    head = path.with_name(f"leads-head-{reader}.csv")
    with path.open() as lines:
        head.write_text("".join(line for line, _ in zip(lines, range(100), strict=False)))
    _read(head, reader)
    started = time.perf_counter()
    rows, events = _read(path, reader)
    return {"rows": rows, "events": events, "seconds": time.perf_counter() - started}


def _read(path: Path, reader: str) -> tuple[int, int]:
    if reader == POLARS:
        return pl.read_csv(path).height, 0
    rules = parse_mapping(MAPPING)
    out = Import(rules, assigned([path], rules)).look()
    return out.rows, out.events.total()
