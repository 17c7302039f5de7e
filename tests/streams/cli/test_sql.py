"""`baton sql` as a person sees it: a terminal of 80 columns, and values that are hard to show."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from projections.playbook import read_playbook
from tests.given import as_bytes, given
from warehouse.sql_endpoint import serve_sql
from warehouse.warehouse import Warehouse

ROOT = Path(__file__).resolve().parents[3]
BATON = [sys.executable, "-m", "streams.cli.main"]
HEAVY = "select count(*) from range(3000000000) as a(x), range(100) as b(y) where (x * y) % 7 = 3"
STYLE = re.compile(r"\x1b\[[0-9;]*m")

Run = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder whose worker is not running."""
    folder = tmp_path_factory.mktemp("stopped")
    Warehouse.open(folder / ".baton" / "baton.duckdb", read_playbook()).close()
    return folder


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project folder whose warehouse this process serves, with a limit of three seconds a statement."""
    folder = tmp_path_factory.mktemp("live")
    home = folder / ".baton"
    with Warehouse.open(home / "baton.duckdb", read_playbook()) as warehouse:
        (home / "run").mkdir()
        serve_sql(warehouse.connection, seconds=3).save(home / "run" / "numbers-sql.json")
        yield folder


@pytest.fixture(params=["stopped", "live"])
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


def environ(**settings: str) -> dict[str, str]:
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("BATON", "LC_", "LANG", "PYTHON", "COLUMNS"))
    }
    return kept | {"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"} | settings


def sql(folder: Path, *words: str, **settings: str) -> Run:
    return subprocess.run(
        [*BATON, "sql", *words], cwd=folder, env=environ(**settings), capture_output=True, text=True,
        timeout=60, stdin=subprocess.DEVNULL, encoding=settings.get("PYTHONIOENCODING"),
    )  # fmt: skip


def on_terminal(folder: Path, *words: str, columns: int = 80, **settings: str) -> str:
    """What a terminal of this width receives of a command, without colours; its line ends are a new line."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    shown: list[bytes] = []
    reader = threading.Thread(target=_read_all, args=(ours, shown))
    reader.start()
    env = environ(TERM="xterm", **settings)
    ends = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    subprocess.run([*BATON, *words], cwd=folder, env=env, timeout=60, **ends)
    os.close(theirs)
    reader.join(10)
    return STYLE.sub("", b"".join(shown).decode().replace("\r\n", "\n"))


def _read_all(terminal: int, shown: list[bytes]) -> None:
    try:
        while text := os.read(terminal, 4096):
            shown.append(text)
    except OSError:
        pass  # nobody writes to it any more
    os.close(terminal)


def test_a_value_is_whole_on_a_narrow_terminal(stopped: Path) -> None:
    long = "l" * 100
    query = f"select 355 as n, 15500000 as amount, 0.25::double as share, '{long}' as id, 123456789.25 as d"
    shown = on_terminal(stopped, "sql", query).replace("\n", "")
    assert "355" in shown and "15,500,000" in shown and "0.25" in shown and long in shown
    assert "123,456,789.25" in shown
    assert "record 1" in shown, "the table is wider than the terminal"


def test_a_table_that_fits_is_a_table_and_prose_wraps_between_words(stopped: Path) -> None:
    shown = on_terminal(stopped, "sql", "select state, handoffs, says from funnel.black_hole")
    lines = [line.rstrip() for line in shown.splitlines()]
    assert re.fullmatch(r"state +handoffs  says", lines[0])
    assert max(map(len, lines)) <= 80
    words = set(shown.split())
    assert {"returned_unacknowledged", "responsibility"} & words == {"returned_unacknowledged"}
    assert "record 1" not in shown


def test_what_an_event_says_cannot_act_on_the_terminal(stopped: Path) -> None:
    query = "select chr(27) || '[2J' || chr(10) || chr(8238), 'lead:100:7', '[b]'"
    for shown in (on_terminal(stopped, "sql", query), sql(stopped, query).stdout):
        assert r"\x1b[2J\n\u202e" in shown and "lead:100:7" in shown and "[b]" in shown
        assert "\x1b[2J" not in shown


def test_a_terminal_shows_a_thousand_rows_and_counts_the_others(stopped: Path) -> None:
    assert "234 more rows not shown" in on_terminal(stopped, "sql", "from range(1234)")
    assert len(sql(stopped, "from range(1234)").stdout.splitlines()) == 1235
    limited = sql(stopped, "--limit", "2", "from range(3)")
    assert (limited.stdout.split(), limited.stderr[:10]) == (["range", "0", "1"], "1 more row")


EXACT: dict[str, tuple[str, Any]] = {
    "interval": ("interval '1 month 2 days'", "1 month 2 days"),
    "time": ("time '12:00:01.5'", "12:00:01.5"),
    "uuid": ("uuid '00000000-0000-0000-0000-00000000000a'", "00000000-0000-0000-0000-00000000000a"),
    "not a number": ("'nan'::double", "NaN"),
    "infinity": ("[1.5::double, '-infinity'::double]", [1.5, "-Infinity"]),
    "blob": ("'\\xAA\\x00'::blob", "aa00"),
    "huge": ("170141183460469231731687303715884105727", 170141183460469231731687303715884105727),
    "decimal": ("12.50::decimal(20, 2)", "12.50"),
    "struct": ("{'a': {'b': [1, null]}, 'i': interval '1 month'}", {"a": {"b": [1, None]}, "i": "1 month"}),
    "map": ("map {1: 'x'}", {"1": "x"}),
    "instant": ("'2026-03-01 09:00:00.25+01'::timestamptz", "2026-03-01T08:00:00.25+00:00"),
    "no end": ("'infinity'::timestamptz", "infinity"),
    "day": ("date '2026-03-01'", "2026-03-01"),
    "bits": ("'101'::bit", "101"),
    "null": ("null", None),
}


def test_every_value_is_exact_in_json(folder: Path) -> None:
    columns = ", ".join(f'{expression} as "{name}"' for name, (expression, _) in EXACT.items())
    run = sql(folder, "--json", f"select {columns}")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == [{name: value for name, (_, value) in EXACT.items()}]


def test_no_column_is_lost_when_two_have_one_name(folder: Path) -> None:
    run = sql(folder, "--json", "select 1 as a, 2 as a, 3 as A_1 from range(1)")
    assert sorted(json.loads(run.stdout)[0].values()) == [1, 2, 3]


def test_csv_reads_back_as_it_was(folder: Path) -> None:
    run = sql(folder, "--csv", """select 'a,"b"' as x, '' as empty, null as missing, 0.1::double as d""")
    header, row = csv.reader(io.StringIO(run.stdout))
    assert (header, row) == (["x", "empty", "missing", "d"], ['a,"b"', "", "", "0.1"])
    assert run.stdout.splitlines()[1] == '"a,""b""","",,0.1'


def test_parquet_keeps_types(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.parquet"
    query = "select 12.50::decimal(20, 2) as d, timestamptz '2026-03-01 09:00:00+00' as t from range(3)"
    run = sql(folder, "--parquet", str(file), "--limit", "2", query)
    assert run.returncode == 0, run.stderr
    with duckdb.connect() as connection:
        found = connection.sql(f"from '{file}'")
        assert list(map(str, found.types)) == ["DECIMAL(20,2)", "TIMESTAMP WITH TIME ZONE"]
        assert len(found.fetchall()) == 2
    assert sql(folder, "--parquet", "absent/x.parquet", "select 1").returncode == 1


@pytest.mark.parametrize(
    ("query", "what", "why"),
    [
        ("selec 1", "The query failed", 'syntax error at or near "selec"'),
        ("select 1; drop table x", "Only reading is allowed here", "it is not one SELECT"),
        ("select nope from funnel.black_hole", "The query failed", '"nope" not found'),
        ("select 'a'::int from range(3)", "The query failed", "Could not convert string 'a'"),
    ],
)
def test_an_error_is_the_right_one(folder: Path, query: str, what: str, why: str) -> None:
    run = sql(folder, query)
    assert run.returncode == 2
    assert run.stderr.startswith(f"baton: {what}") and why in run.stderr
    assert "quack" not in run.stderr and "Traceback" not in run.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_unicode_does_not_crash(stopped: Path, encoding: str) -> None:
    run = sql(stopped, "select null as n, 'Zürich – 東京' as t", PYTHONIOENCODING=encoding, LANG="C")
    assert run.returncode == 0, run.stderr
    assert r"\u6771\u4eac" in run.stdout
    help_ = subprocess.run(
        [sys.executable, "-m", "streams.cli.main", "sql", "--help"],
        env=environ(PYTHONIOENCODING=encoding, LANG="C"), capture_output=True, check=False,
    )  # fmt: skip
    assert help_.returncode == 0


def test_a_query_has_a_time_limit(folder: Path) -> None:
    started = time.monotonic()
    run = sql(folder, "--timeout", "1", HEAVY)
    assert time.monotonic() - started < 20
    assert run.returncode == 1 and "took too long" in run.stderr and "1 s" in run.stderr


def test_the_worker_has_a_limit_of_its_own(live: Path) -> None:
    run = sql(live, HEAVY)
    assert run.returncode == 1 and "its time limit is 3 s" in run.stderr


def test_ctrl_c_ends_a_heavy_query_also_in_the_worker(folder: Path) -> None:
    asked = subprocess.Popen(
        [*BATON, "sql", "--timeout", "60", HEAVY], cwd=folder, env=environ(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(2)
    asked.send_signal(signal.SIGINT)
    _, error = asked.communicate(timeout=10)
    assert asked.returncode == 130, error
    assert "interrupted" in error and "Traceback" not in error
    time.sleep(1)
    before = time.process_time()
    time.sleep(1)
    assert time.process_time() - before < 0.5, "it goes on in the worker"


def test_numbers_that_are_behind_the_records_say_so(tmp_path: Path) -> None:
    home = tmp_path / ".baton"
    captured = {
        "type": "LeadCaptured",
        "source": "crm",
        "occurred_at": "2026-03-02T09:00:00Z",
        "lead_id": "l1",
    }
    with Warehouse.open(home / "baton.duckdb", read_playbook()) as warehouse:
        (home / "run").mkdir()
        serve_sql(warehouse.connection, seconds=30).save(home / "run" / "numbers-sql.json")
        given(warehouse, as_bytes([captured]))
        behind = sql(tmp_path, "--csv", "select count(*) as n from funnel.lead")
        warehouse.refresh()
        after = sql(tmp_path, "--csv", "select count(*) as n from funnel.lead")

    assert behind.stdout == "n\n0\n", behind.stderr
    assert "not in the numbers yet: 1 of the records read" in behind.stderr
    assert after.stdout == "n\n1\n" and after.stderr == ""
