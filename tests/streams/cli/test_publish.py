"""`baton publish` as a person runs it: a process, files, exit codes, and a real Kafka."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from streams.cli.publish import MOST_LISTED, MOST_PRINTED
from streams.kafka.json_lines import LONGEST_LINE
from streams.kafka.topics import log_extent
from streams.local.broker import free_ports

ROOT = Path(__file__).resolve().parents[3]


def offered(handoff: str) -> dict[str, Any]:
    return {
        "type": "HandoffOffered",
        "occurred_at": "2026-03-02T09:00:00Z",
        "source": "hubspot",
        "handoff_id": handoff,
        "lead_id": "lead-1",
        "from_team": "marketing",
        "to_team": "sales_development",
    }


def accepted(handoff: str) -> dict[str, Any]:
    return {
        "type": "HandoffAccepted",
        "occurred_at": "2026-03-02T09:05:00Z",
        "source": "salesforce",
        "handoff_id": handoff,
        "lead_id": "lead-1",
        "owner": "ana",
    }


def lines(*events: Any) -> bytes:
    """JSON lines; what is bytes already stays as it is."""
    return b"".join(e if isinstance(e, bytes) else json.dumps(e).encode() + b"\n" for e in events)


def baton(
    *args: str, cwd: Path, stdin: bytes = b"", stderr: int = subprocess.PIPE, **settings: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the command as its own process, with these settings (kafka -> BATON_KAFKA) and no others."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
    environ |= {"PYTHONPATH": str(ROOT), **{f"BATON_{n.upper()}": value for n, value in settings.items()}}
    command = [sys.executable, "-m", "streams.cli.main", *args]
    return subprocess.run(
        command, cwd=cwd, env=environ, input=stdin, stdout=subprocess.PIPE, stderr=stderr, timeout=60
    )


def _in_kafka(kafka: str) -> int:
    return sum(end for _, end in log_extent(kafka).values())


@pytest.mark.kafka
def test_a_file_is_published_and_summed_up(clean_kafka: str, tmp_path: Path) -> None:
    handoffs = [str(uuid4()) for _ in range(30)]
    (tmp_path / "events.jsonl").write_bytes(
        lines(*(event for handoff in handoffs for event in (offered(handoff), accepted(handoff))))
    )

    run = baton("publish", "events.jsonl", kafka=clean_kafka, cwd=tmp_path)

    assert run.returncode == 0, run.stderr
    assert "HandoffAccepted" in run.stdout.decode() and "HandoffOffered" in run.stdout.decode()
    assert "60 published, 0 refused" in run.stdout.decode()
    assert run.stderr == b""
    assert _in_kafka(clean_kafka) == 60


@pytest.mark.kafka
def test_bad_lines_are_told_and_the_others_go(clean_kafka: str, tmp_path: Path) -> None:
    bad = [
        (2, "handoff_id", "empty", offered("")),
        (3, "", "not JSON", b"{nonsense\n"),
        (4, "", "not UTF-8", b'{"type": "\xff"}\n'),
        (5, "", "not a list", b"[1]\n"),
        (6, "", "not JSON that can be read", b"[" * 100_000 + b"\n"),
        (7, "", "longer than", b'{"type": "' + b"x" * (3 * LONGEST_LINE) + b'"}\n'),
        (8, "lead_id", "a very large number", {**offered("handoff-8"), "lead_id": 10**30}),
        (9, "", "not JSON", b'{"lead_id": ' + b"9" * 5000 + b"}\n"),
        (10, "type", "did you mean HandoffOffered?", {**offered("handoff-10"), "type": "HandofOffered"}),
    ]
    first = b"\xef\xbb\xbf" + lines(offered("handoff-1"))
    last = json.dumps(offered("handoff-12")).encode()  # no line end
    stream = first + lines(*(event for *_, event in bad)) + b"\n" + last

    run = baton("publish", "-", "--json", kafka=clean_kafka, cwd=tmp_path, stdin=stream)

    assert run.returncode == 5, run.stderr
    report = json.loads(run.stdout)
    assert (report["published"], report["refused"]) == (2, len(bad))
    assert report["by_type"] == {"HandoffOffered": 2}
    for refused, (line, field, why, _) in zip(report["refused_lines"], bad, strict=True):
        assert (refused["file"], refused["line"], refused["field"]) == ("<stdin>", line, field)
        assert why in refused["why"]
        place = f"<stdin>:{line}: {field}: " if field else f"<stdin>:{line}: "
        assert place + refused["why"] in run.stderr.decode().splitlines(), "each on one line"
    assert _in_kafka(clean_kafka) == 2


def test_a_dry_run_needs_no_kafka(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(lines(offered("handoff-1"), {"type": "x"}))
    run = baton("publish", "--dry-run", "events.jsonl", cwd=tmp_path)
    assert run.returncode == 5
    assert "1 would be published, 1 refused" in run.stdout.decode()
    assert not (tmp_path / ".baton").exists()


def test_copies_are_counted_and_an_id_of_two_things_is_refused(tmp_path: Path) -> None:
    other = {**offered("handoff-2"), "event_id": "e"}
    stream = lines(offered("handoff-1"), other, offered("handoff-1"), {**other, "lead_id": "lead-2"}, other)

    run = baton("publish", "--dry-run", "-", cwd=tmp_path, stdin=stream)

    assert run.returncode == 5
    assert "4 would be published, 2 were copies of others, 1 refused" in run.stdout.decode()
    assert run.stderr.decode().startswith('<stdin>:4: event_id: "e" stands for something else on line 2')


def test_a_team_that_the_playbook_does_not_know_is_a_warning(tmp_path: Path) -> None:
    strange = {"from_team": "markting"}
    stream = lines(offered("handoff-1"), offered("handoff-2") | strange, offered("handoff-3") | strange)

    run = baton("publish", "--dry-run", "-", cwd=tmp_path, stdin=stream)
    report = json.loads(baton("publish", "--dry-run", "--json", "-", cwd=tmp_path, stdin=stream).stdout)

    why = '"markting" is not a team of the playbook; did you mean marketing?'
    assert run.returncode == 0
    assert run.stderr.decode() == f"<stdin>:2: warning: from_team: {why} (2 lines)\n"
    assert report["warnings"] == [{"field": "from_team", "why": why, "line": 2, "lines": 2}]
    assert (report["published"], report["copies"], report["refused"]) == (3, 0, 0)


def test_many_bad_lines_do_not_flood_the_terminal(tmp_path: Path) -> None:
    run = baton("publish", "--dry-run", "--json", "-", cwd=tmp_path, stdin=b"x\n" * (MOST_LISTED + 10))
    report = json.loads(run.stdout)
    assert report["refused"] == MOST_LISTED + 10
    assert len(report["refused_lines"]) == MOST_LISTED
    assert len(run.stderr.splitlines()) == MOST_PRINTED + 1


def test_nothing_to_publish_is_fine(tmp_path: Path) -> None:
    run = baton("publish", "--dry-run", "-", cwd=tmp_path, stdin=b"\n  \n")
    assert run.returncode == 0
    assert "0 would be published, 0 refused" in run.stdout.decode()


@pytest.mark.parametrize(("name", "why"), [("absent.jsonl", b"No such file"), (".", b"Is a directory")])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str, why: bytes) -> None:
    run = baton("publish", name, cwd=tmp_path)
    assert run.returncode == 2
    assert why in run.stderr and b"next:" in run.stderr
    assert run.stdout == b""


@pytest.mark.parametrize("has_broker_address", [True, False])
def test_no_broker_is_told_with_the_next_command(tmp_path: Path, has_broker_address: bool) -> None:
    (tmp_path / "events.jsonl").write_bytes(lines(offered("handoff-1")))
    settings = {"kafka": f"127.0.0.1:{free_ports()[0]}"} if has_broker_address else {}
    run = baton("publish", "--json", "events.jsonl", cwd=tmp_path, **settings)
    assert run.returncode == 4
    assert json.loads(run.stdout)["exit_code"] == 4
    assert b"next:  baton" in run.stderr


@pytest.mark.kafka
def test_a_registry_that_is_not_there_is_told_without_its_password(kafka: str, tmp_path: Path) -> None:
    address = f"http://ana:secret@127.0.0.1:{free_ports()[0]}"
    event = lines(offered("handoff-1"))
    run = baton("publish", "-", cwd=tmp_path, stdin=event, kafka=kafka, schema_registry=address)
    assert run.returncode == 4
    assert b"The schema registry does not answer" in run.stderr
    assert b"secret" not in run.stdout + run.stderr


def test_progress_goes_to_a_terminal_only(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(lines(*(offered(f"handoff-{n}") for n in range(20_000))))
    seen: list[bytes] = []
    ours, theirs = pty.openpty()
    reader = threading.Thread(target=_drain, args=(ours, seen))
    reader.start()

    run = baton("publish", "--dry-run", "events.jsonl", cwd=tmp_path, stderr=theirs)

    os.close(theirs)
    reader.join(10)
    assert b"100%" in b"".join(seen)
    assert b"20,000 would be published" in run.stdout and b"bytes" not in run.stdout


def _drain(terminal: int, seen: list[bytes]) -> None:
    """Read what a terminal shows until nobody writes to it any more."""
    try:
        while text := os.read(terminal, 4096):
            seen.append(text)
    except OSError:
        pass  # Linux says so when the last writer has gone
    os.close(terminal)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_csv_file_is_told_once_instead_of_line_by_line(tmp_path: Path, separator: str) -> None:
    table = separator.join(["lead_id", "email"]) + "\n" + separator.join(["1", "a@b.example"]) + "\n"
    run = baton("publish", "--dry-run", "-", cwd=tmp_path, stdin=table.encode())
    assert run.returncode == 2
    assert (
        b"looks like CSV" in run.stderr
        and b"next:  baton simulate --leads 10 --out story" in run.stderr
        and b"<stdin>:2" not in run.stderr
    )


@pytest.mark.parametrize("address", ["http://localhost:9092", "PLAINTEXT://broker:9092"])
def test_an_address_that_is_a_url_is_refused_in_words(tmp_path: Path, address: str) -> None:
    run = baton("publish", "-", cwd=tmp_path, stdin=lines(offered("handoff-1")), kafka=address)
    assert run.returncode == 3
    assert b"is not host:port" in run.stderr
