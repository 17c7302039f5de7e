"""`make reliability`: run the tests of every fault and write docs/reliability.md with what this run found.

The tests are named here, by fault; tests/contracts/test_reliability.py keeps the names and the page true.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from tests.faults.judges import RESULTS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"
COMMAND = "make reliability"
MIX = "tests/faults/test_mix.py"
IN_TWO_PROCESSES = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")  # as `make test`


class Fault(NamedTuple):
    """A kind of fault, what must hold, and the tests that hold it, as file::function."""

    what: str
    holds: str
    tests: Sequence[str]


class Outcome(NamedTuple):
    """What became of a test function's cases."""

    passed: int
    failed: int
    seconds: float


FAULTS = (
    Fault(
        "The worker is killed (kill -9) at any moment, under load",
        "after a restart: equal to a replay, and every record counted once",
        ("tests/faults/test_killed.py::test_a_worker_killed_at_random_moments_loses_and_repeats_nothing",),
    ),
    Fault(
        "The agents are killed; an agent fails",
        "each alert once by its id; an event whose agent failed is read again",
        (
            "tests/streams/reactions/test_reaction.py"
            "::test_a_worker_killed_at_any_moment_repeats_ids_and_loses_none",
            "tests/streams/reactions/test_reaction.py"
            "::test_an_agent_that_fails_ends_the_worker_and_its_event_is_read_again",
        ),
    ),
    Fault(
        "A worker that died",
        "the supervisor starts it again, gives up after a limit, and says why",
        (
            "tests/streams/local/test_supervisor.py"
            "::test_a_worker_that_is_killed_is_started_again_and_down_ends_both",
            "tests/streams/local/test_supervisor.py::test_it_gives_up_after_many_failures_in_a_row",
        ),
    ),
    Fault(
        "SIGTERM under load",
        "ended within 10 s; the next start goes on where it stood",
        (
            "tests/faults/test_outages.py"
            "::test_a_worker_under_load_ends_within_ten_seconds_of_sigterm_and_goes_on_where_it_stood",
        ),
    ),
    Fault(
        "The broker is killed, frozen, or away for long",
        "costs nothing but time: equal, and what is on its way arrives, in order",
        (
            "tests/faults/test_outages.py"
            "::test_a_broker_killed_under_a_worker_and_started_again_costs_nothing",
            "tests/faults/test_outages.py"
            "::test_what_is_on_its_way_waits_for_a_broker_that_is_away_longer_than_its_clients_wait",
        ),
    ),
    Fault(
        "Kafka lost the tail of a topic, or holds another log at our offsets",
        "the worker stops and names it; no position is ever reset silently",
        (
            "tests/faults/test_lost_log.py::test_a_loss_that_is_accepted_costs_no_event_that_was_read",
            "tests/faults/test_lost_log.py"
            "::test_a_topic_that_lost_its_tail_stops_the_worker_which_resets_nothing",
            "tests/streams/worker/test_sink.py::test_a_log_that_was_cut_and_grew_past_the_position_is_not_read",
            "tests/streams/worker/test_sink.py::test_a_topic_recreated_while_the_sink_runs_ends_it",
        ),
    ),
    Fault(
        "Transactions: committed, aborted, open",
        "committed records count, others never; markers are no lag",
        (
            "tests/faults/test_log_changes.py::test_transactions_leave_no_lag_and_no_difference",
            "tests/streams/worker/test_sink.py"
            "::test_only_committed_records_count_and_positions_pass_the_others",
        ),
    ),
    Fault(
        "Partitions are added",
        "they are read without a restart; until then verify does not say equal",
        (
            "tests/faults/test_log_changes.py"
            "::test_a_partition_that_nobody_has_read_is_not_equal_until_it_is",
            "tests/streams/worker/test_sink.py::test_partitions_added_meanwhile_are_read",
        ),
    ),
    Fault(
        "Events come twice; a whole topic is published again",
        "no number changes; the copies are counted",
        (
            "tests/faults/test_outages.py"
            "::test_the_whole_load_published_again_is_counted_as_copies_and_changes_no_number",
            "tests/laws/test_semilattice.py::test_order_batches_and_duplicates_change_nothing",
        ),
    ),
    Fault(
        "Events come late, by up to 90 days, and out of order",
        "order decides nothing; a late event revises the number, and the old one can be had again",
        (
            "tests/laws/test_semilattice.py::test_a_late_event_revises_the_number",
            "tests/stories/test_late_events.py"
            "::test_what_comes_late_revises_the_numbers_and_the_old_ones_can_be_had_again",
        ),
    ),
    Fault(
        "Records that nobody can read, impossible values, hostile schemas",
        "kept with bytes, place and reason; neighbours go on",
        (
            "tests/faults/test_odd_records.py::test_odd_records_among_good_ones_end_nothing",
            "tests/schemas/test_codec.py::test_random_bytes_end_in_one_place_each",
            "tests/schemas/test_hostile_schemas.py"
            "::test_no_schema_and_no_bytes_stop_the_reader_or_hurt_a_neighbour",
            "tests/laws/test_record_counts.py::test_good_and_failed_and_duplicate_make_up_the_log",
        ),
    ),
    Fault(
        "The registry withholds a schema",
        "its records are kept and tried again; the topic goes on",
        (
            "tests/streams/worker/test_withheld.py"
            "::test_they_are_facts_once_the_registry_hands_the_schema_out",
            "tests/streams/worker/test_withheld.py::test_tries_are_spread_and_the_last_one_gives_up",
        ),
    ),
    Fault(
        "Old logs, old files",
        "bytes of every released version are read; a file of the first versions goes on",
        (
            "tests/warehouse/test_older_layout.py"
            "::test_bytes_of_every_first_version_are_read_with_the_defaults_of_the_newest",
            "tests/warehouse/test_older_layout.py::test_a_file_of_the_first_versions_opens_and_goes_on",
        ),
    ),
    Fault(
        "A dead letter that Kafka does not take",
        "marked, with the reason; the others arrive",
        (
            "tests/streams/worker/test_outbox_relay.py"
            "::test_what_kafka_takes_in_no_form_is_marked_and_the_others_arrive",
        ),
    ),
    Fault(
        "The disk is full",
        "the worker ends and says so; with space it goes on, and nothing is lost",
        (
            "tests/faults/test_outages.py::test_a_full_disk_stops_the_worker_and_space_heals_it",
            "tests/faults/test_outages.py"
            "::test_a_disk_that_is_full_as_the_sql_endpoint_opens_is_said_in_words",
        ),
    ),
    Fault(
        "Any statement of a commit fails",
        "nothing of the batch is there, or all of it",
        (
            "tests/warehouse/test_commit.py::test_an_error_at_any_statement_leaves_nothing_behind",
            "tests/warehouse/test_commit.py::test_an_error_that_comes_after_the_commit_leaves_everything",
        ),
    ),
    Fault(
        "The warehouse file or its write-ahead log is damaged",
        "named as damage; the next command repairs it, and the numbers are the same",
        (
            "tests/faults/test_outages.py"
            "::test_a_damaged_log_of_the_warehouse_is_read_on_from_or_refused_with_advice_that_works",
            "tests/streams/cli/test_repair.py"
            "::test_a_damaged_file_is_named_and_the_next_command_sets_it_aside",
        ),
    ),
    Fault(
        "Many readers, heavy queries, a worker that is frozen",
        "readers do not lock each other out; a query is cut; no command hangs",
        (
            "tests/streams/queries/test_warehouse_access.py::test_readers_of_a_file_do_not_lock_each_other_out",
            "tests/streams/queries/test_warehouse_access.py"
            "::test_no_command_hangs_for_a_worker_that_says_nothing",
            "tests/streams/cli/test_sql.py::test_the_worker_has_a_limit_of_its_own",
        ),
    ),
    Fault(
        "A random mix of these, decided by a seed",
        "equal to a replay, and to the oracle's numbers for what was committed",
        (f"{MIX}::test_a_mix_of_faults_in_files", f"{MIX}::test_a_mix_of_faults_with_a_broker"),
    ),
)
NOT_TESTED = (
    "a network that drops or delays packets between worker and broker (stopping and freezing the broker is)",
    "a failing fsync, and the N-th call of the operating system (the N-th statement of a commit is)",
    "an HTTP gateway, alert receivers over HTTP, and erasure: Baton does not have them yet",
    "loss of one of several brokers: every broker here is a single node",
)


def main() -> None:
    """Run the tests (or those whose name holds the argument), and write the page whatever they say. Exit code
    1 when one failed."""
    began = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        report, mixes = Path(folder) / "report.xml", Path(folder) / "mixes.jsonl"
        only = "".join(sys.argv[1:])
        names = list(dict.fromkeys(name for fault in FAULTS for name in fault.tests if only in name))
        started = time.monotonic()
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *IN_TWO_PROCESSES, f"--junitxml={report}", *names],
            cwd=ROOT,
            env={**os.environ, RESULTS: str(mixes)},
        )
        if run.returncode not in (0, 1):
            sys.exit(f"the run was broken off (pytest: {run.returncode}); {PAGE.name} is left as it was")
        seconds = time.monotonic() - started
        outcomes = read_outcomes(report)
        figures = [json.loads(line) for line in mixes.read_text().splitlines()] if mixes.exists() else []
    command = f"{COMMAND} ONLY={only}" if only else COMMAND
    PAGE.write_text(page(outcomes, figures, f"{began:%Y-%m-%d %H:%M} UTC with `{command}`", seconds))
    print(f"wrote {PAGE.relative_to(ROOT)}")
    sys.exit(int(run.returncode != 0))


def read_outcomes(report: Path) -> dict[str, Outcome]:
    """By file::function, from pytest's report."""
    found: dict[str, Outcome] = defaultdict(lambda: Outcome(0, 0, 0.0))
    for case in ET.parse(report).iter("testcase"):
        file = case.get("classname", "").replace(".", "/") + ".py"
        name = f"{file}::{case.get('name', '').partition('[')[0]}"
        is_failed = any(child.tag in ("failure", "error") for child in case)
        passed, failed, seconds = found[name]
        found[name] = Outcome(
            passed + (not is_failed), failed + is_failed, seconds + float(case.get("time", 0))
        )
    return found


def page(
    outcomes: Mapping[str, Outcome], mixes: Sequence[Mapping[str, Any]], measured: str, seconds: float
) -> str:
    """The page of a run."""
    rows = [_row(fault, [outcomes.get(name, Outcome(0, 0, 0.0)) for name in fault.tests]) for fault in FAULTS]
    return "\n".join(
        [
            "# Reliability",
            "",
            f"<!-- Written by `{COMMAND}`. Do not edit: run it again. -->",
            "",
            f"Measured {measured}, in {seconds:,.0f} s, two tests at a time on"
            f" {os.cpu_count()} cores, Python {platform.python_version()}.",
            "",
            "*Equal* means: every table equals a replay of the log into an empty warehouse, by content hash,"
            " and good + failed + duplicate records are what the log holds. It is what `baton verify` says.",
            "",
            "| fault | what holds | tests | cases | s | result |",
            "|---|---|---|---:|---:|---|",
            *rows,
            "",
            "## The mix of the last run",
            "",
            *_mix(mixes),
            "",
            "## Not tested",
            "",
            *(f"- {what}" for what in NOT_TESTED),
            "",
        ]
    )


def _row(fault: Fault, found: Sequence[Outcome]) -> str:
    passed, failed = sum(o.passed for o in found), sum(o.failed for o in found)
    result = f"{failed} failed" if failed else "held" if all(o.passed for o in found) else "not run"
    links = "<br>".join(
        f"[{function.removeprefix('test_').replace('_', ' ')}](../{file})"
        for file, function in (name.split("::") for name in fault.tests)
    )
    seconds = sum(outcome.seconds for outcome in found)
    return f"| {fault.what} | {fault.holds} | {links} | {passed + failed} | {seconds:.0f} | {result} |"


def _mix(mixes: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    kinds = ("in files", "with a broker")
    of = {kind: [mix for mix in mixes if mix["kind"] == kind] for kind in kinds}
    done = {kind: sum((Counter(mix["done"]) for mix in of[kind]), Counter[str]()) for kind in kinds}
    sums: list[tuple[str, list[int]]] = [
        ("seeds that held", [len(of[kind]) for kind in kinds]),
        ("records committed", [sum(mix["records"] for mix in of[kind]) for kind in kinds]),
        ("of them unreadable", [sum(mix["unreadable"] for mix in of[kind]) for kind in kinds]),
        ("seconds", [round(sum(mix["seconds"] for mix in of[kind])) for kind in kinds]),
    ]
    names = sorted((set(done[kinds[0]]) | set(done[kinds[1]])) - {"nothing"})
    sums += [(name, [done[kind][name] for kind in kinds]) for name in names]
    yield "A seed draws a story, makes it worse (clocks off by hours to a year, events known by day, copies,"
    yield "late and early arrivals, unreadable records, odd schemas) and mistreats the worker meanwhile."
    yield f"[{MIX}](../{MIX}) says what is real in each kind. More of them by hand, or one:"
    yield ""
    yield "```sh"
    yield f"BATON_MIX_SEEDS=500 {COMMAND}"
    yield f"BATON_MIX_SEED=17 .venv/bin/python -m pytest {MIX}"
    yield "```"
    yield ""
    yield f"| | {' | '.join(kinds)} |"
    yield "|---|---:|---:|"
    for name, (one, other) in sums:
        yield f"| {name} | {one:,} | {other:,} |"


if __name__ == "__main__":
    main()
