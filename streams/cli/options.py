"""Options shared by several commands, and parsing of instants."""

from __future__ import annotations

from datetime import datetime

import click

from schemas.errors import BatonError, ExitCode
from streams.queries.known_days import end_of

as_known_option = click.option(
    "--as-known",
    metavar="INSTANT",
    help="Only events recorded by an instant, such as 2026-03-01T00:00:00Z, or by the end of a day in UTC.",
)


def known_at(as_known: str | None) -> datetime | None:
    """The instant of --as-known; None without the option."""
    if as_known is None:
        return None
    found = instant(as_known, "--as-known")
    return end_of(found.date()) if len(as_known) == len("2026-03-01") else found


def instant(text: str, option: str) -> datetime:
    """An ISO-8601 instant with a zone, or a day (its first moment in UTC). Raises BatonError (exit 2)."""
    try:
        found = datetime.fromisoformat(f"{text}T00:00:00+00:00" if len(text) == 10 else text)
        if found.tzinfo is None:
            raise ValueError("it has no time zone")
    except ValueError as error:
        raise BatonError(
            f"{option} {text} is not an instant",
            why=str(error),
            next_command=f"{option} 2026-03-01T00:00:00Z   (or a day, 2026-03-01)",
            exit_code=ExitCode.USAGE,
        ) from error
    return found
