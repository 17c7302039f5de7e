"""Case: how long the questions of both departments take, on a log and on one many times longer."""

from __future__ import annotations

import importlib.util
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.case import Bench, Case, Figure, Target
from benchmarks.clickhouse_answers import QUESTIONS as PEER_QUESTIONS
from benchmarks.clickhouse_answers import TABLES, ask_clickhouse
from benchmarks.long_log import Batches, fill
from benchmarks.own_process import Measured, in_own_process
from benchmarks.views import asked_of
from projections.playbook import DEFAULT_PLAYBOOK, read_playbook
from projections.projection import Projection, views
from warehouse.warehouse import Warehouse

METHOD = (
    "Two warehouses are filled with batches of simulated events under new ids each, the second with ten "
    "times as many, and their read models are built. Then each question is asked again and again, its rows "
    "fetched; the figure is the 95th percentile, planning included: first alone, then while events arrive, "
    "which another thread commits and refreshes the read models for. A view that counts is one whose key "
    "names no lead, handoff, deal or company; of sliced views the regions by week are asked. ClickHouse "
    "(chdb) gets the same rows per entity, computed by Baton, in MergeTree tables sorted by entity and "
    "merged, and the same questions."
)
QUESTIONS = {
    "pairs of teams with percentiles": "from funnel.handoff_pair",
    "states of all handoffs": "from funnel.black_hole",
    "the funnel by window": "from funnel.funnel_stage",
    "one lead's life": "from funnel.lead_journey where lead_id = '{lead}'",
}
LIVES = {
    "one handoff": "from funnel.handoff where handoff_id = '{handoff}'",
    "one deal": "from funnel.opportunity where opportunity_id = '{deal}'",
}
ENTITIES = frozenset(
    f"{entity}_id" for entity in ("lead", "handoff", "opportunity", "account", "event", "alert", "promise")
)
ALONE, WHILE = "alone", "while events arrive"
MOST_MS = {ALONE: 250.0, WHILE: 500.0}
MOST_MS_OF_ONE = 50.0
TIMES = 10
TIMES_A_VIEW = 5
ARRIVING_SECONDS = 0.25
SLOWEST = 6


def measure(bench: Bench) -> Case:
    """p95 of each question on the long log, alone and while events arrive, and of the peer."""
    scale = bench.scale
    batches = max(1, scale.answer_events // scale.batch // TIMES)
    found, peer = {}, None
    with bench.new_folder() as folder:
        for name, times in (("short", batches), ("long", batches * TIMES)):
            found[name] = in_own_process(
                ask,
                file=str(Path(folder) / f"{name}.duckdb"),
                batch=scale.batch,
                times=times,
                asked=scale.times_asked,
                rate=scale.rate,
            )
        lead = found["long"]["lead"]
        if importlib.util.find_spec("chdb") is not None:
            peer = in_own_process(ask_clickhouse, folder=folder, lead=lead, asked=scale.times_asked)
    return Case("reading", METHOD, tuple(_figures(found["long"], peer)), tuple(_notes(found, peer)))


def _figures(long: Measured, peer: Measured | None) -> Iterator[Figure]:
    what = f"on {long['events']:,} events"
    for when in (ALONE, WHILE):
        for question in (*QUESTIONS, *LIVES):
            is_one = question.startswith("one ")
            target = Target("<=", MOST_MS_OF_ONE if is_one else MOST_MS[when])
            yield Figure(f"{question}, {what}, {when}, p95", "ms", [long[when][question]], target=target)
        slowest = max(long["views"][when].values())
        yield Figure(
            f"slowest view that counts, {what}, {when}", "ms", [slowest], target=Target("<=", MOST_MS[when])
        )
    if peer:
        for question in PEER_QUESTIONS:
            yield Figure(
                f"{question}, {what}, against ClickHouse",
                "ms",
                [long["p50"][question]],
                "chdb, same rows",
                [peer["p50"][question]],
                Target("<=", 1),
            )


def _notes(found: dict[str, Measured], peer: Measured | None) -> Iterator[str]:
    short, long = found["short"], found["long"]
    medians = ", ".join(f"{q} {short['p50'][q]:.0f} and {long['p50'][q]:.0f}" for q in QUESTIONS)
    yield f"medians in ms on {short['events']:,} events and on {long['events']:,}: {medians}"
    for when in (ALONE, WHILE):
        spent = long["views"][when]
        within = sum(ms <= MOST_MS[when] for ms in spent.values())
        slowest = sorted(spent.items(), key=lambda item: -item[1])[:SLOWEST]
        yield (
            f"{when}, {within} of {len(spent)} views that count answer within {MOST_MS[when]:.0f} ms; the"
            f" slowest, in ms: {', '.join(f'{name} {ms:,.0f}' for name, ms in slowest)}"
        )
    yield (
        f"building all read models took {short['build_seconds']:.1f} and {long['build_seconds']:.1f} s, the"
        f" process at most {long['peak_rss_bytes'] / 1e9:.2f} GB; while events arrived, {long['arrived']:,}"
        f" came in {long['arriving_seconds']:.0f} s, and refreshing took {long['refresh_share']:.0%} of it"
    )
    if peer is None:
        yield "not measured against ClickHouse: chdb is not installed (requirements-bench.lock has it)"


def ask(file: str, batch: int, times: int, asked: int, rate: int) -> Measured:
    """Fill a warehouse with so many batches, build its read models, and ask every question alone and while
    so many events a second arrive. Milliseconds. Leaves Parquet files for the peer beside the warehouse."""
    batches = Batches(batch)
    fill(Path(file), batches, times)
    with Warehouse.open(Path(file), read_playbook(DEFAULT_PLAYBOOK)) as warehouse:
        started = time.perf_counter()
        warehouse.refresh()
        found: Measured = {"build_seconds": time.perf_counter() - started, "events": times * batch}
        _, [[lead, handoff, deal]] = warehouse.ask(
            "select (select max(lead_id) from funnel.lead),"
            " (select max(handoff_id) from funnel.handoff_offer),"
            " (select max(opportunity_id) from funnel.deal)"
        )
        ids = {"lead": lead, "handoff": handoff, "deal": deal}
        questions = {q: text.format(**ids) for q, text in {**QUESTIONS, **LIVES}.items()}
        spent = {q: _times(warehouse, text, asked) for q, text in questions.items()}
        found |= {"lead": lead, "p50": {q: times[asked // 2] for q, times in spent.items()}}
        found[ALONE] = {q: times[int(asked * 0.95)] for q, times in spent.items()}
        found["views"] = {ALONE: _of_views(warehouse, min(asked, TIMES_A_VIEW))}
        for table, (select, _) in TABLES.items():
            parquet = Path(file).with_name(f"{table}.parquet")
            warehouse.cursor().execute(f"copy ({select}) to '{parquet}' (format parquet)")
        with _arriving(warehouse, batches, rate, batch, found):
            found[WHILE] = {
                q: _times(warehouse, text, asked)[int(asked * 0.95)] for q, text in questions.items()
            }
            found["views"][WHILE] = _of_views(warehouse, min(asked, TIMES_A_VIEW))
    return found


@contextmanager
def _arriving(
    warehouse: Warehouse, batches: Batches, rate: int, batch: int, found: Measured
) -> Iterator[None]:
    """Commit so many events a second, and refresh the read models after each commit, until the block ends."""
    is_over = threading.Event()
    share = min(1.0, rate * ARRIVING_SECONDS / batch)
    committer, read_models = warehouse.committer(), warehouse.read_models()
    seconds = {"refresh": 0.0}
    arrived = 0

    def arrive() -> None:
        nonlocal arrived
        due = time.monotonic()
        while not is_over.wait(max(0.0, due - time.monotonic())):
            due += ARRIVING_SECONDS
            committer.commit(batches.next(share))
            arrived += int(share * batch)
            started = time.monotonic()
            read_models.refresh()
            seconds["refresh"] += time.monotonic() - started

    thread = threading.Thread(target=arrive, name="arriving")
    started = time.monotonic()
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
    spent = time.monotonic() - started
    found |= {"arrived": arrived, "arriving_seconds": spent, "refresh_share": seconds["refresh"] / spent}


def _of_views(warehouse: Warehouse, asked: int) -> dict[str, float]:
    """The 95th percentile of each view that counts."""
    return {
        view.name: _times(warehouse, asked_of(view), asked)[int(asked * 0.95)]
        for view in views()
        if _counts(view)
    }


def _counts(view: Projection) -> bool:
    return not ENTITIES & set(view.key)


def _times(warehouse: Warehouse, statement: str, asked: int) -> list[float]:
    """Milliseconds of each time it is asked, in order of size."""
    return sorted(_milliseconds(warehouse, statement) for _ in range(asked))


def _milliseconds(warehouse: Warehouse, statement: str) -> float:
    started = time.perf_counter()
    warehouse.ask(statement)
    return 1000 * (time.perf_counter() - started)
