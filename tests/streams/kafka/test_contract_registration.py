"""`baton contract register` with a registry that asks for a login, over TLS with client certificates."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from schemas.catalogue import CATALOGUE
from schemas.errors import BatonError, ExitCode
from streams.cli.main import baton
from tests.schemas.test_registry import LOGIN, MemoryRegistry, server
from tests.streams.kafka.secured_broker import make_certificates

__all__ = ["server"]  # the fixture

VERSIONS = sum(len(event.versions) for event in CATALOGUE.event_types.values())


@pytest.fixture
def settings(server: MemoryRegistry, tmp_path: Path) -> dict[str, str | None]:
    make_certificates(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tmp_path / "ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(tmp_path / "server.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.login = LOGIN
    (tmp_path / "password").write_text("p@ss word")
    return {
        "BATON_HOME": str(tmp_path / "project"),
        "BATON_PREFIX": "staging.",
        "BATON_SCHEMA_REGISTRY": f"https://{server.place}",
        "BATON_SCHEMA_REGISTRY_USERNAME": "ana",
        "BATON_SCHEMA_REGISTRY_PASSWORD_FILE": str(tmp_path / "password"),
        "BATON_SCHEMA_REGISTRY_CA": str(tmp_path / "ca.pem"),
        "BATON_SCHEMA_REGISTRY_CERTIFICATE": str(tmp_path / "client.pem"),
    }


def register(settings: dict[str, str | None]) -> Any:
    run = CliRunner().invoke(baton, ["contract", "register", "--json"], env=settings, catch_exceptions=False)
    assert run.exit_code == 0, run.output
    return json.loads(run.stdout)


def registry_check(settings: dict[str, str | None]) -> str:
    """What `baton doctor` advises about the registry, which answers."""
    run = CliRunner().invoke(baton, ["doctor", "--json"], env=settings)
    (check,) = [check for check in json.loads(run.stdout)["checks"] if check["name"] == "registry"]
    assert check["level"] == "ok"
    return str(check["next"])


def test_every_schema_is_registered_once(server: MemoryRegistry, settings: dict[str, str | None]) -> None:
    assert registry_check(settings) == "baton contract register"
    first, second = register(settings), register(settings)
    assert registry_check(settings) == "", "nothing is left to do"

    assert (first["new"], second["new"]) == (VERSIONS, 0)
    assert first["registry"] == f"https://{server.place}"
    assert [s["schema_id"] for s in first["schemas"]] == [s["schema_id"] for s in second["schemas"]]
    assert "staging.funnel.marketing-funnel.HandoffOffered" in server.subjects
    assert all(subject.startswith("staging.funnel.") for subject in server.subjects)


@pytest.mark.parametrize(
    ("without", "exit_code"),
    [
        pytest.param("CA", ExitCode.UNREACHABLE, id="unknown authority"),
        pytest.param("CERTIFICATE", ExitCode.UNREACHABLE, id="no certificate of ours"),
        pytest.param("PASSWORD_FILE", ExitCode.CONFIGURATION, id="half a login"),
    ],
)
def test_what_a_registry_asks_for_is_needed(
    settings: dict[str, str | None], without: str, exit_code: ExitCode
) -> None:
    with pytest.raises(BatonError) as caught:
        register({**settings, f"BATON_SCHEMA_REGISTRY_{without}": None})
    assert caught.value.exit_code is exit_code


def test_a_wrong_login_is_refused_in_words(settings: dict[str, str | None]) -> None:
    with pytest.raises(BatonError, match="who are you") as caught:
        register({**settings, "BATON_SCHEMA_REGISTRY_USERNAME": "bob"})
    assert "p@ss" not in str(caught.value)
