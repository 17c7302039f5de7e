"""Options that several commands share, and instants as people type them."""

from __future__ import annotations

from datetime import datetime

import click

from schemas.errors import BatonError, ExitCode

as_known_option = click.option(
    "--as-known",
    metavar="INSTANT",
    help="As it looked then: only events recorded by this instant, such as 2026-03-01T00:00:00Z.",
)


def known_at(as_known: str | None) -> datetime | None:
    """The instant of --as-known; None without the option."""
    return None if as_known is None else instant(as_known, "--as-known")


def instant(text: str, option: str) -> datetime:
    """An ISO-8601 instant with a zone, or a day (its first moment in UTC). Raises BatonError (exit 2)."""
    try:
        found = datetime.fromisoformat(f"{text}T00:00:00+00:00" if len(text) == 10 else text)
        if found.tzinfo is None:
            raise ValueError("it has no time zone")
    except ValueError as error:
        raise BatonError(
            f"{option} {text} is no instant",
            why=str(error),
            next_command=f"{option} 2026-03-01T00:00:00Z   (or a day, 2026-03-01)",
            exit_code=ExitCode.USAGE,
        ) from error
    return found
