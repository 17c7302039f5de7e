"""Settings: one table, its page, secrets that are never shown, and how clients connect by them."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from docs.pages import FOLDER, settings
from schemas.errors import BatonError, ExitCode
from streams.project import Project
from streams.queries import health_checks
from streams.settings import SETTINGS, unknown_settings

SECRET = "hunter2-and-more"
BROKER = "kafka.example.com:9093"
LOGIN = {"BATON_KAFKA_SASL_USERNAME": "baton", "BATON_KAFKA_SASL_PASSWORD": SECRET}


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """An authority, and a client certificate with a key that has a password."""
    folder = tmp_path_factory.mktemp("pem")
    for name, password in (("ca", None), ("client", SECRET)):
        encryption = ["-nodes"] if password is None else ["-passout", f"pass:{password}"]
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                *encryption,
                "-days",
                "2",
                "-subj",
                f"/CN={name}",
            ]
            + ["-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
            check=True,
            capture_output=True,
        )
    return SimpleNamespace(ca=folder / "ca.pem", client=folder / "client.pem", key=folder / "client.key")


def test_the_page_is_what_the_tables_say() -> None:
    page = FOLDER / "settings.md"
    assert page.read_text(encoding="utf-8") == settings(), "make reference"


def test_every_field_of_a_setting_is_one_of_the_project() -> None:
    fields = [setting.field for setting in SETTINGS if setting.field]
    assert len(set(fields)) == len(fields)
    assert {*fields, "cwd"} == set(Project.__dataclass_fields__)


@pytest.mark.parametrize("setting", [s for s in SETTINGS if s.field], ids=lambda setting: setting.name)
def test_defaults_are_the_same_everywhere(setting: object, tmp_path: Path) -> None:
    read, made = Project.here({}, tmp_path), Project(home=tmp_path / ".baton", cwd=tmp_path)
    assert getattr(read, setting.field) == getattr(made, setting.field)  # type: ignore[attr-defined]


def test_what_we_start_sees_the_same_project(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    given = {
        "BATON_KAFKA": BROKER,
        "BATON_KAFKA_TLS": "yes",
        "BATON_KAFKA_SASL_USERNAME": "baton",
        "BATON_KAFKA_SASL_PASSWORD_FILE": str(secret),
        "BATON_PREFIX": "staging.",
        "BATON_STOP_SECONDS": "3",
        "BATON_PLAYBOOK": "own.toml",
    }
    project = Project.here(given, tmp_path)
    assert project.sasl_password == SECRET
    # Variables of the parent are inherited; the file is not given a second time beside the secret.
    assert Project.here({**given, **project.environ()}, tmp_path) == project


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        pytest.param({"BATON_KAFKA_SASL_MECHANISM": "GSSAPI"}, "is none of PLAIN", id="unknown mechanism"),
        pytest.param(
            {"BATON_KAFKA_SASL_MECHANISM": "scram-sha-256"}, "login is missing", id="SCRAM for nobody"
        ),
        pytest.param({"BATON_KAFKA_SASL_MECHANISM": "OAUTHBEARER"}, "goes with OAUTHBEARER", id="no token"),
        pytest.param({"BATON_KAFKA_TOKEN_FILE": "token"}, "goes with OAUTHBEARER", id="token for PLAIN"),
        pytest.param(
            {"BATON_KAFKA": BROKER, "BATON_KAFKA_CA": "ca.pem"}, "TLS is not set", id="CA without TLS"
        ),
        pytest.param(
            {"BATON_KAFKA_TLS": "1", "BATON_KAFKA_KEY": "k.pem"}, "CERTIFICATE is not set", id="key alone"
        ),
        pytest.param(
            {
                "BATON_KAFKA": BROKER,
                "BATON_KAFKA_SASL_MECHANISM": "OAUTHBEARER",
                "BATON_KAFKA_TOKEN_FILE": "token",
            },
            "token without TLS",
            id="open token",
        ),
        pytest.param(
            {"BATON_KAFKA": BROKER, "BATON_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", **LOGIN},
            "password without TLS",
            id="open SCRAM",
        ),
        pytest.param(
            {"BATON_SCHEMA_REGISTRY_USERNAME": "ana"}, "Half of the registry login", id="half a login"
        ),
        pytest.param({**LOGIN, "BATON_KAFKA_SASL_PASSWORD_FILE": "f"}, "is given twice", id="secret twice"),
        pytest.param(
            {"BATON_KAFKA_SASL_PASSWORD_FILE": "/no/such/file"}, "FILE cannot be read", id="no secret there"
        ),
        pytest.param({"BATON_PREFIX": "staging/"}, "may hold letters", id="odd prefix"),
        pytest.param({"BATON_REPLICATION": "0"}, "not a whole number", id="no replica"),
        pytest.param({"BATON_MEMORY": "much"}, "not an amount of memory", id="odd memory"),
        pytest.param({"BATON_STOP_SECONDS": "-1"}, "not a number of seconds", id="negative time"),
    ],
)
def test_settings_that_clash_are_refused(settings: dict[str, str], what: str, tmp_path: Path) -> None:
    with pytest.raises(BatonError, match=what) as caught:
        Project.here(settings, tmp_path)
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    assert caught.value.why and caught.value.next_command
    assert SECRET not in json.dumps(caught.value.as_dict())


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_login_with_a_client_certificate(mechanism: str, pem: SimpleNamespace, tmp_path: Path) -> None:
    files = {"CA": pem.ca, "CERTIFICATE": pem.client, "KEY": pem.key, "KEY_PASSWORD": SECRET}
    given = {f"BATON_KAFKA_{name}": str(value) for name, value in files.items()}
    given |= {"BATON_KAFKA": BROKER, "BATON_KAFKA_TLS": "1", "BATON_KAFKA_SASL_MECHANISM": mechanism, **LOGIN}
    project = Project.here(given, tmp_path)
    settings = project.client_settings()
    assert settings["security_protocol"] == "SASL_SSL" and settings["sasl_mechanism"] == mechanism
    context = settings["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
    authorities = context.get_ca_certs()
    assert [dict(ca["subject"][0])["commonName"] for ca in authorities] == ["ca"], "and no other"
    assert SECRET not in repr(project)


@pytest.mark.parametrize("name", ["CA", "CERTIFICATE", "KEY_PASSWORD"])
def test_files_that_cannot_be_used_are_named(name: str, pem: SimpleNamespace, tmp_path: Path) -> None:
    files = {"CA": pem.ca, "CERTIFICATE": pem.client, "KEY": pem.key, "KEY_PASSWORD": SECRET}
    files[name] = "no-such-file-" + SECRET
    given = {f"BATON_KAFKA_{each}": str(value) for each, value in files.items()}
    project = Project.here({"BATON_KAFKA": BROKER, "BATON_KAFKA_TLS": "1", **given}, tmp_path)
    with pytest.raises(BatonError, match="A file for TLS cannot be used") as caught:
        project.client_settings()
    assert "BATON_KAFKA_C" in (caught.value.where or "") and caught.value.next_command
    assert name != "KEY_PASSWORD" or SECRET not in json.dumps(caught.value.as_dict())


def test_a_token_is_read_at_every_login_by_both_clients(tmp_path: Path) -> None:
    from aiokafka.abc import AbstractTokenProvider
    from kafka.net.sasl.oauth import SaslMechanismOAuth

    file = tmp_path / "token"
    given = {"BATON_KAFKA_SASL_MECHANISM": "OAUTHBEARER", "BATON_KAFKA_TOKEN_FILE": "token"}
    project = Project.here({"BATON_KAFKA": BROKER, "BATON_KAFKA_TLS": "1", **given}, tmp_path)
    provider = project.client_settings()["sasl_oauth_token_provider"]
    assert isinstance(provider, AbstractTokenProvider), "aiokafka asks for it"

    async def awaited() -> str:
        return str(await provider.token())

    for token in ("first.token", "renewed.token"):
        file.write_text(token + "\n")
        assert asyncio.run(awaited()) == token
        mechanism = SaslMechanismOAuth(sasl_oauth_token_provider=provider)
        assert mechanism.auth_bytes() == f"n,,\x01auth=Bearer {token}\x01\x01".encode()
    file.write_text("two words")
    with pytest.raises(BatonError, match="token cannot be read") as caught:
        provider.token()
    assert "two words" not in json.dumps(caught.value.as_dict())


def test_doctor_shows_what_is_set_and_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BATON_SCHEMA_REGISTRY", f"https://ana:{SECRET}@registry.example.com")
    monkeypatch.setenv("BATON_KAFKA_SASL_PASSWORD", SECRET)
    monkeypatch.setenv("BATON_KAFAK", SECRET)
    look = dict(health_checks.CHECKS)["settings"]
    checks = list(look(Project(home=tmp_path, cwd=tmp_path)))
    shown = [check.what for check in checks]
    assert "BATON_SCHEMA_REGISTRY is https://registry.example.com" in shown
    assert "BATON_KAFKA_SASL_PASSWORD is ***" in shown
    assert [check.what for check in checks if check.level == "warn"][0] == "BATON_KAFAK is no setting"
    assert SECRET not in str(checks)
    assert unknown_settings(["BATON_KAFKA_SASL_PASSWORD_FILE", "BATON_KAFKA_TLS_FILE", "HOME"]) == [
        "BATON_KAFKA_TLS_FILE"
    ]
