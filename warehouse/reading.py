"""What counts as reading, and the errors of a statement."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import count

import duckdb

from projections.projection import views
from schemas.errors import BatonError, ExitCode
from warehouse.file_errors import damaged, is_damage

_NO_TABLE = re.compile(r"Table with name \"?([\w.]+)\"? does not exist")
TOO_LONG = "The query took too long and was ended"


def check_is_reading(statement: str) -> None:
    """Raise BatonError unless the text is one SELECT; one that does not parse says where it goes wrong."""
    try:
        statement.encode()
    except UnicodeEncodeError as error:
        raise query_failed(statement.encode(errors="replace").decode(), "it is not all text") from error
    with failing_plainly(statement):
        kinds = [found.type for found in duckdb.extract_statements(statement)]
    if kinds != [duckdb.StatementType.SELECT]:
        raise only_reading(statement, "it is not one SELECT")


# Literals, quoted names and comments, which are left alone; or a window over everything.
_OVER = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$|\b(over\s*\()\s*\)""",
    re.IGNORECASE | re.DOTALL,
)


def survivable(statement: str) -> str:
    """The same statement, with windows over everything as windows over one partition, which they are.

    DuckDB 1.5.5, asked for one of no rows, may fail and take the whole database with it (duckdb#22352).
    """
    return _OVER.sub(lambda found: f"{found[2]}partition by true)" if found[2] else found[0], statement)


def only_reading(statement: str, why: str) -> BatonError:
    """The error for a statement that is not let through."""
    return BatonError(
        "Only reading is allowed here",
        where=statement[:200],
        why=why,
        next_command='baton sql "select * from funnel.handoff_latency limit 3"',
        exit_code=ExitCode.USAGE,
    )


def query_failed(statement: str, why: str) -> BatonError:
    """The error for a statement that DuckDB refused or could not finish."""
    return BatonError(
        "The query failed",
        where=statement[:200],
        why=why.split("\n\nLINE")[0].strip(),
        next_command=_next_try(statement, why),
        exit_code=ExitCode.USAGE,
    )


def _next_try(statement: str, why: str) -> str:
    """What to type after a statement that failed: with the view that a misspelt one is nearest to."""
    if missing := _NO_TABLE.search(why):
        name = missing[1].rpartition(".")[2]
        close = get_close_matches(name.lower(), (view.name for view in views()), n=1, cutoff=0.75)
        said = rf"\b(?:\w+\.)?{re.escape(name)}\b"
        if not close or statement.count("\n"):
            return "baton explain --list   (every view)"
        corrected = re.sub(said, f"funnel.{close[0]}", statement, flags=re.IGNORECASE)
        quoted = shlex.quote(corrected) if set('"$`\\!') & set(corrected) else f'"{corrected}"'
        return f"baton sql {quoted}"
    if "Referenced column" in why and (view := re.search(r"\bfunnel\.\w+", statement)):
        return f'baton sql "describe {view[0]}"'
    return "baton sql --help"


def took_too_long(statement: str, seconds: float) -> BatonError:
    """The error for a statement that was ended by its time limit."""
    return BatonError(
        TOO_LONG,
        where=statement[:200],
        why=f"its time limit is {seconds:g} s: --timeout, and for a running worker BATON_SQL_SECONDS",
        next_command="baton sql --timeout SECONDS QUERY   (or ask for less)",
    )


def took_too_much(statement: str) -> BatonError:
    """The error for a statement that was ended because memory ran out, be it by itself or by another."""
    return BatonError(
        "The query needed more memory than there is, and was ended",
        where=statement[:200],
        why="it, or others at the same time, build more than BATON_MEMORY allows",
        next_command="baton sql QUERY   (ask for fewer rows, or group them)",
    )


def ended_the_worker(statement: str) -> BatonError:
    """The error for a statement whose worker ended after it had begun to compute it."""
    return BatonError(
        "The worker ended while it computed this statement",
        where=statement[:200],
        why="it ends when DuckDB cannot interrupt a statement, or one takes too much memory;"
        " after `baton up` it is started again by itself, and nothing acknowledged is lost",
        next_command="baton status   (until it is ready again; then ask for less: shorter texts, fewer rows)",
        exit_code=ExitCode.UNREACHABLE,
    )


def said_nothing(seconds: float) -> BatonError:
    """The error for a worker that has taken a statement and shows no sign of life."""
    return BatonError(
        "The worker does not respond",
        where="its SQL endpoint",
        why=f"it said nothing for {seconds:g} s: its process is stopped, or the machine is overloaded",
        next_command="baton down && baton up   (starts it again; nothing acknowledged is lost)",
    )


def unique_names(names: Sequence[str]) -> list[str]:
    """The names of columns; one that several have gets a number from the second on."""
    unique: dict[str, str] = {}
    for name in names:
        numbered = (f"{name}_{number}" for number in count(1))
        free = name if name.lower() not in unique else next(n for n in numbered if n.lower() not in unique)
        unique[free.lower()] = free
    return list(unique.values())


@contextmanager
def failing_plainly(statement: str) -> Iterator[None]:
    """Raise what DuckDB says about the statement as a BatonError."""
    try:
        yield
    except duckdb.Error as error:
        if is_damage(error):
            raise damaged(statement[:200], str(error)) from error
        raise query_failed(statement, str(error)) from error
    except UnicodeDecodeError as error:  # some of DuckDB's messages hold bytes that are not UTF-8
        raise query_failed(statement, error.object.decode(errors="replace")) from error
