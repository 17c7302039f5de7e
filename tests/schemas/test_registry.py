"""The registry client against a real HTTP server that speaks the protocol."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest

from schemas.catalogue import CATALOGUE
from schemas.codec import decode, encode
from schemas.errors import BatonError, ExitCode
from schemas.registry import SchemaRegistry, frame, subject_of
from schemas.validation import read_event

OFFERED = CATALOGUE.event_types["HandoffOffered"]
ACCEPTED = CATALOGUE.event_types["HandoffAccepted"]
SUBJECT = "funnel.marketing-funnel.HandoffOffered"
LOGIN = "Basic " + base64.b64encode(b"ana:p@ss word").decode()


class MemoryRegistry(ThreadingHTTPServer):
    """A schema registry that keeps everything in memory. `answer`, when set, is given to every request,
    one of `answers` to those for its path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Protocol)
        self.ids: dict[str, int] = {}
        self.subjects: dict[str, list[int]] = {}
        self.requests: list[tuple[str, str]] = []
        self.login = ""
        self.answer: tuple[int, bytes] | None = None
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.headers: dict[str, str] = {}
        self.slow_seconds = 0.0

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def address(self) -> str:
        return f"http://{self.place}"

    def handle_error(self, *_: Any) -> None:
        """A client that has gone is part of the tests."""


class _Protocol(BaseHTTPRequestHandler):
    server: MemoryRegistry

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers["Content-Length"])))

    def _serve(self, body: bytes) -> None:
        server = self.server
        server.requests.append((self.command, self.path))
        time.sleep(server.slow_seconds)
        if server.login and self.headers["Authorization"] != server.login:
            return self._say(401, {"error_code": 40101, "message": "who are you?"})
        if answer := server.answers.get(self.path, server.answer):
            return self._send(*answer)
        parts = unquote(self.path).split("/")
        if self.command == "POST" and parts[1] == "subjects" and parts[3:] == ["versions"]:
            asked = json.loads(body)
            assert asked["schemaType"] == "AVRO"
            found = server.ids.setdefault(asked["schema"], 100_000 + len(server.ids))
            server.subjects.setdefault(parts[2], []).append(found)
            return self._say(200, {"id": found})
        if self.command == "POST" and parts[1] == "subjects" and len(parts) == 3:
            found = server.ids.get(json.loads(body)["schema"], 0)
            if found in server.subjects.get(parts[2], []):
                return self._say(200, {"subject": parts[2], "id": found})
        schemas = {str(number): text for text, number in server.ids.items()}
        if self.command == "GET" and parts[1:3] == ["schemas", "ids"] and parts[3] in schemas:
            return self._say(200, {"schema": schemas[parts[3]]})
        return self._say(404, {"error_code": 40403, "message": "Schema not found"})

    def _say(self, status: int, answer: dict[str, Any]) -> None:
        self._send(status, json.dumps(answer).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **self.server.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing on the test's stderr."""


@pytest.fixture
def server() -> Iterator[MemoryRegistry]:
    with MemoryRegistry() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


def test_a_schema_is_registered_once_under_topic_and_record(server: MemoryRegistry) -> None:
    registry = SchemaRegistry(server.address)

    first = registry.register(OFFERED.topic, OFFERED.schema)
    again = registry.register(OFFERED.topic, OFFERED.schema)
    other = registry.register(ACCEPTED.topic, ACCEPTED.schema)

    assert first == again != other
    assert server.subjects == {SUBJECT: [first], "funnel.sales-funnel.HandoffAccepted": [other]}
    assert len(server.requests) == 2


def test_a_schema_is_fetched_once_by_id(server: MemoryRegistry) -> None:
    schema_id = SchemaRegistry(server.address).register(OFFERED.topic, OFFERED.schema)
    registry = SchemaRegistry(server.address + "/")
    server.requests.clear()

    assert registry.schema(schema_id) == OFFERED.schema
    assert registry.schema(schema_id) == OFFERED.schema
    assert len(server.requests) == 1


def test_an_unknown_id_is_none_and_asked_again(server: MemoryRegistry) -> None:
    registry = SchemaRegistry(server.address)
    assert registry.schema(7) is None
    server.ids[json.dumps(OFFERED.schema)] = 7
    assert registry.schema(7) == OFFERED.schema


def test_subjects_of_records_without_namespace() -> None:
    assert subject_of("t", {"name": "R"}) == "t-R"
    assert subject_of("t", {"name": "R", "namespace": "n"}) == "t-n.R"


# --- wire format ----------------------------------------------------------------------------------


def test_the_wire_format_is_zero_and_four_bytes_of_id() -> None:
    assert frame(1, b"datum") == b"\x00\x00\x00\x00\x01datum"
    assert frame(2**32 - 1, b"") == b"\x00\xff\xff\xff\xff"


def test_framed_events_are_read_with_the_registry(server: MemoryRegistry) -> None:
    event, record = read_event(
        {
            "type": "HandoffAccepted",
            "occurred_at": "2026-03-02T09:00:00Z",
            "source": "salesforce",
            "handoff_id": "handoff-1",
            "lead_id": "lead-1",
            "owner": "ben",
        }
    )
    schema_id = SchemaRegistry(server.address).register(event.topic, event.schema)
    value = frame(schema_id, encode(event, record)[10:])

    batch = decode([value], CATALOGUE, SchemaRegistry(server.address).schema)

    assert not batch.failures
    assert batch.frames["HandoffAccepted"].drop("_row").to_dicts() == [record]


# --- login ----------------------------------------------------------------------------------------


def test_the_login_is_sent_and_never_shown(server: MemoryRegistry) -> None:
    server.login = LOGIN
    registry = SchemaRegistry(f"http://ana:p%40ss%20word@{server.place}")

    assert registry.register(OFFERED.topic, OFFERED.schema)
    assert "ss" not in repr(registry) and "ana" not in repr(registry)

    server.answer = (500, b"{}")
    with pytest.raises(BatonError) as caught:
        registry.schema(1)
    assert "ana" not in str(caught.value) and "ss word" not in str(caught.value)


def test_a_refused_login_names_the_setting(server: MemoryRegistry) -> None:
    server.login = LOGIN
    with pytest.raises(BatonError) as caught:
        SchemaRegistry(server.address).schema(1)
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    assert "HTTP 401: who are you?" in caught.value.why
    assert "BATON_SCHEMA_REGISTRY" in caught.value.next_command


@pytest.mark.parametrize(
    "address",
    [
        "http://ana:secret@registry.example.com:8081",
        "http://ana:secret@127.0.0.1.example.com",
        "ana:secret@registry:8081",
        "ftp://ana:secret@registry",
        "https://ana:secret@:8081",
        "https://ana:secret@registry:port",
        "https://ana:secret@[registry",
        "https://ana:secret@registry?x=1",
        "",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_being_shown(address: str) -> None:
    with pytest.raises(BatonError) as caught:
        SchemaRegistry(address)
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "clean"),
    [
        ("https://ana:secret@registry.example.com:8081/path/", "https://registry.example.com:8081/path"),
        ("http://registry.example.com", "http://registry.example.com"),
        ("http://ana:secret@localhost:8081", "http://localhost:8081"),
        ("http://ana:secret@[::1]:8081", "http://[::1]:8081"),
    ],
)
def test_an_address_that_can_be_used(address: str, clean: str) -> None:
    assert SchemaRegistry(address).address == clean


def test_a_redirect_is_not_followed(server: MemoryRegistry) -> None:
    server.headers = {"Location": server.address + "/elsewhere"}
    server.answer = (307, b"")
    with pytest.raises(BatonError, match="refused a request"):
        SchemaRegistry(server.address).schema(1)
    assert server.requests == [("GET", "/schemas/ids/1")]


# --- trouble --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "exit_code"),
    [
        (200, b"", ExitCode.UNREACHABLE),
        (200, b"<html>", ExitCode.UNREACHABLE),
        (200, b"[]", ExitCode.UNREACHABLE),
        (200, b"{}", ExitCode.UNREACHABLE),
        (200, b'{"id": "7", "schema": 7}', ExitCode.UNREACHABLE),
        (200, b'{"id": -1, "schema": "{"}', ExitCode.UNREACHABLE),
        (500, b"oops", ExitCode.UNREACHABLE),
        (409, b'{"message": "not compatible"}', ExitCode.CONFIGURATION),
        (422, b'{"message": "invalid"}', ExitCode.CONFIGURATION),
    ],
)
def test_a_strange_answer_is_told(
    server: MemoryRegistry, status: int, body: bytes, exit_code: ExitCode
) -> None:
    server.answer = (status, body)
    registry = SchemaRegistry(server.address)
    for ask in (lambda: registry.register(OFFERED.topic, OFFERED.schema), lambda: registry.schema(1)):
        with pytest.raises(BatonError) as caught:
            ask()
        assert caught.value.exit_code is exit_code
        assert server.address in caught.value.where


def test_a_registry_that_is_not_there_is_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(BatonError) as caught:
            SchemaRegistry(f"http://127.0.0.1:{unused.getsockname()[1]}").schema(1)
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert "does not answer" in caught.value.what


def test_a_slow_registry_is_not_waited_for(server: MemoryRegistry) -> None:
    server.slow_seconds = 1.0
    started = time.monotonic()
    with pytest.raises(BatonError) as caught:
        SchemaRegistry(server.address, timeout_seconds=0.1).schema(1)
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert time.monotonic() - started < 0.9
