"""TLS contexts and logins, in the forms that the clients of Kafka and of the registry take."""

from __future__ import annotations

import ssl
from collections.abc import Generator
from pathlib import Path

from aiokafka.abc import AbstractTokenProvider as AsyncTokenProvider
from kafka.net.sasl.oauth import AbstractTokenProvider

from schemas.errors import BatonError, ExitCode


def tls_context(
    setting: str, ca: Path | None, certificate: Path | None, key: Path | None, password: str | None
) -> ssl.SSLContext:
    """A context that checks the other side's name and certificate, and shows ours when there is one.

    `setting`: what the variables of these files begin with. Raises BatonError when a file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise _unusable(f"{setting}_CA", ca, error) from None
    if certificate is not None:
        try:
            # Without a password OpenSSL would ask the terminal for it.
            context.load_cert_chain(certificate, key, password=password or "")
        except (OSError, ssl.SSLError) as error:
            missing = key if key is not None and not key.exists() else certificate
            raise _unusable(f"{setting}_CERTIFICATE", missing, error) from None
    return context


def _unusable(name: str, file: Path | None, error: OSError) -> BatonError:
    return BatonError(
        "A file for TLS cannot be used",
        where=f"{name}, {file}",
        why=error.strerror or getattr(error, "reason", None) or str(error),
        next_command=f"export {name}=/path/to/file.pem   (PEM; key and certificate must belong together)",
        exit_code=ExitCode.CONFIGURATION,
    )


class TokenFile(AbstractTokenProvider, AsyncTokenProvider):  # type: ignore[misc]
    """The token of an OAuth login, read again at each one: whoever renews it replaces the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def token(self) -> _Token:
        """The token. Raises BatonError when the file cannot be read, or holds none."""
        try:
            token = self.path.read_text(encoding="ascii").strip()
            why = "it holds no token" if not token or any(c.isspace() for c in token) else ""
        except UnicodeDecodeError:
            why = "it is not ASCII"
        except OSError as error:
            why = error.strerror or type(error).__name__
        if why:
            raise BatonError(
                "The Kafka token cannot be read",
                where=str(self.path),
                why=why,
                next_command="export BATON_KAFKA_TOKEN_FILE=/path/to/token",
                exit_code=ExitCode.CONFIGURATION,
            ) from None
        return _Token(token)

    def extensions(self) -> dict[str, str]:
        """None are sent."""
        return {}


class _Token(str):
    """Text for kafka-python, and for aiokafka, which takes the same settings, something to await."""

    def __await__(self) -> Generator[None, None, str]:
        yield from ()
        return str(self)
