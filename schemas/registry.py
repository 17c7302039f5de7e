"""A client of the Confluent schema registry protocol, and the wire format that goes with it.

No registry is needed: without one, events travel in Avro single-object encoding. With one
(BATON_SCHEMA_REGISTRY), a value is 0x00, the schema's id in four bytes, big endian, and the datum.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from schemas.catalogue import Schema
from schemas.codec import CONFLUENT_MAGIC, SchemaWithheld
from schemas.errors import BatonError, ExitCode

SETTING = "BATON_SCHEMA_REGISTRY"
MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
LARGEST_ANSWER = 4 * 1024 * 1024
_ID_LIMIT = 2**32


class SchemaRegistry:
    """Registers schemas and finds them by id. Both are remembered for as long as the object lives: a
    registry never gives an id a second meaning. Not retried; the caller may simply ask again.

    Raises BatonError: exit 4 when the registry does not answer as the protocol says, exit 3 when it
    refuses the login or the schema. SchemaWithheld: it is there, and has no usable answer for one id.
    """

    def __init__(
        self,
        address: str,
        timeout_seconds: float = 5.0,
        *,
        login: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """address: http(s)://[user:password@]host[:port][/path]. The login is never printed; one given beside
        the address goes before it. tls: for https, other than with the system's authorities."""
        self.address, self._login = _take_apart(address, login)
        self._timeout_seconds = timeout_seconds
        handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
        if tls is not None:
            handlers.append(urllib.request.HTTPSHandler(context=tls))
        if _is_loopback(urlsplit(self.address).hostname):
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)
        self._ids: dict[str, tuple[Mapping[str, Any], int]] = {}
        self._schemas: dict[int, Schema | None] = {}

    def __repr__(self) -> str:
        return f"SchemaRegistry({self.address!r})"

    def register(self, topic: str, schema: Mapping[str, Any]) -> int:
        """The id of a schema under its subject; the registry gives the same one every time."""
        subject = subject_of(topic, schema)
        known = self._ids.get(subject)
        if known is None or (known[0] is not schema and known[0] != schema):
            body = {"schemaType": "AVRO", "schema": json.dumps(schema)}
            answer = self._ask("POST", f"/subjects/{quote(subject, safe='')}/versions", body)
            found = answer.get("id") if answer else None
            if type(found) is not int or not 0 <= found < _ID_LIMIT:
                raise self._strange(f"no id for subject {subject}")
            known = self._ids[subject] = (schema, found)
        return known[1]

    def has(self, topic: str, schema: Mapping[str, Any]) -> bool:
        """Whether the schema is registered under its subject already."""
        body = {"schemaType": "AVRO", "schema": json.dumps(schema)}
        return self._ask("POST", f"/subjects/{quote(subject_of(topic, schema), safe='')}", body) is not None

    def schema(self, schema_id: int) -> Schema | None:
        """The Avro schema of an id; None when it has none, as one of Protobuf, or is unknown (and then asked
        for again next time)."""
        if schema_id not in self._schemas:
            answer = self._ask("GET", f"/schemas/ids/{schema_id}")
            if answer is None:
                return None
            self._schemas[schema_id] = self._avro(schema_id, answer)
        return self._schemas[schema_id]

    def _avro(self, schema_id: int, answer: dict[str, Any]) -> Schema | None:
        if answer.get("schemaType", "AVRO") != "AVRO":
            return None
        try:
            found = json.loads(answer["schema"])
        except (KeyError, TypeError, ValueError, RecursionError):
            raise self._strange(f"no readable schema for id {schema_id}", SchemaWithheld) from None
        return found if isinstance(found, dict) else None  # no event is written with a bare type

    def _ask(self, method: str, path: str, body: Mapping[str, str] | None = None) -> dict[str, Any] | None:
        """The answer's JSON object; None when what is asked about is not there."""
        request = urllib.request.Request(
            self.address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE},
        )
        if self._login:
            request.add_unredirected_header("Authorization", "Basic " + self._login)
        try:
            with self._opener.open(request, timeout=self._timeout_seconds) as response:
                text = response.read(LARGEST_ANSWER + 1)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404 and not path.endswith("/versions"):
                    return None
                raise self._refused(method, path, error) from None
        except (OSError, HTTPException) as error:
            raise self._unreachable(error) from error
        try:
            answer = json.loads(text) if len(text) <= LARGEST_ANSWER else None
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise self._strange(f"not a JSON object of at most {LARGEST_ANSWER:,} bytes")
        return answer

    def _unreachable(self, error: Exception) -> BatonError:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        return BatonError(
            "The schema registry does not answer",
            where=self.address,
            why=f"{reason or type(error).__name__} (waited at most {self._timeout_seconds:g} s)",
            next_command=f"curl {self.address}/subjects   (does it run? {SETTING} is its address)",
            exit_code=ExitCode.UNREACHABLE,
        )

    def _refused(self, method: str, path: str, error: urllib.error.HTTPError) -> BatonError:
        is_login = error.code in (401, 403)
        is_schema = error.code in (409, 422)
        next_command = f"curl {self.address}/subjects   (its log says why; {SETTING} is its address)"
        if is_login:
            next_command = f"export {SETTING}=https://user:password@host:8081"
        if is_schema:
            next_command = "baton contract check"
        # A refused login is that for every id.
        kind = SchemaWithheld if method == "GET" and error.code != 401 else BatonError
        return kind(
            "The schema registry refused a request",
            where=self.address + path,
            why=f"HTTP {error.code}: {_message(error)}",
            next_command=next_command,
            exit_code=ExitCode.CONFIGURATION if is_login or is_schema else ExitCode.UNREACHABLE,
        )

    def _strange(self, why: str, kind: type[BatonError] = BatonError) -> BatonError:
        return kind(
            "The schema registry gave an answer that is not of its protocol",
            where=self.address,
            why=why,
            next_command=f"export {SETTING}=https://host:8081   (of a registry with the Confluent protocol)",
            exit_code=ExitCode.UNREACHABLE,
        )


def subject_of(topic: str, schema: Mapping[str, Any]) -> str:
    """The registry's TopicRecordNameStrategy: topic, a dash, the record's full name."""
    namespace = schema.get("namespace")
    name = f"{namespace}.{schema['name']}" if namespace else schema["name"]
    return f"{topic}-{name}"


def frame(schema_id: int, datum: bytes) -> bytes:
    """A datum in the Confluent wire format."""
    return CONFLUENT_MAGIC + schema_id.to_bytes(4, "big") + datum


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect could carry schemas to a stranger; the address in the settings is the whole truth."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def shown_address(address: str) -> str:
    """The address without a login. Raises BatonError when it is none."""
    return _take_apart(address, None)[0]


def _take_apart(address: str, given: tuple[str, str] | None) -> tuple[str, str]:
    """(address without login, the login as basic auth sends it, or ""). Errors never repeat the address:
    what is malformed may still hold a password."""
    try:
        parts = urlsplit(address.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _misconfigured("it is not an address") from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise _misconfigured("it must be http(s)://host:port, with an optional login and path")
    shown_host = f"[{host}]" if ":" in host else host
    clean = f"{parts.scheme}://{shown_host}{'' if port is None else f':{port}'}{parts.path.rstrip('/')}"
    if parts.username is None and given is None:
        return clean, ""
    if parts.scheme == "http" and not _is_loopback(host):
        raise _misconfigured("there is a login, and http would send it in the clear; use https")
    username, password = given or (unquote(parts.username or ""), unquote(parts.password or ""))
    login = f"{username}:{password}"
    return clean, base64.b64encode(login.encode()).decode()


def _misconfigured(why: str) -> BatonError:
    return BatonError(
        "The address of the schema registry cannot be used",
        where=SETTING,
        why=why,
        next_command=f"export {SETTING}=https://user:password@registry.example.com:8081",
        exit_code=ExitCode.CONFIGURATION,
    )


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def _message(error: urllib.error.HTTPError) -> str:
    """What the registry says about it, on one line."""
    try:
        answer = json.loads(error.read(LARGEST_ANSWER))
        text = str(answer["message"]) if isinstance(answer, dict) else ""
    except (OSError, HTTPException, ValueError, KeyError):
        text = ""
    return " ".join((text or str(error.reason)).split())[:300]
