"""The one shape of every error a user sees: what, where, why, and the next command.

It lives in the lowest package so that every other one can raise it.
"""

from __future__ import annotations

import errno
import shlex
from enum import IntEnum

# What the system says when a disk, a file or a quota is full.
NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}


class ExitCode(IntEnum):
    """Exit codes of the `baton` command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIGURATION = 3
    UNREACHABLE = 4
    DATA_PROBLEMS = 5
    INTERRUPTED = 130  # as shells say it: 128 and SIGINT


class BatonError(Exception):
    """A problem that a person can act on.

    what: the thing that went wrong, in a short sentence.
    where: file, line, topic, offset, address, whatever finds the place.
    why: the cause, with the values that decided it.
    next_command: what to run or change next.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        why: str = "",
        next_command: str = "",
        exit_code: ExitCode = ExitCode.FAILED,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.next_command = next_command
        self.exit_code = exit_code

    def __str__(self) -> str:
        lines = [self.what]
        for label, text in (
            ("where", self.where),
            ("why", self.why),
            ("next", self.next_command),
        ):
            if text:
                lines.append(f"  {label + ':':<7}{text}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, str | int]:
        """The same facts for `--json`."""
        return {
            "error": self.what,
            "where": self.where,
            "why": self.why,
            "next": self.next_command,
            "exit_code": int(self.exit_code),
        }


def quoted(path: object) -> str:
    """A path, or another value, as one word of a command that a user copies from an error."""
    return shlex.quote(str(path))


def unwritable(where: str, error: OSError, room: str, again: str) -> BatonError:
    """The error for a file, or an output, that takes no more. room: the command that shows what is left."""
    return BatonError(
        "The file cannot be written",
        where=where,
        why=error.strerror or str(error),
        next_command=f"{room}   (or choose another place: {again})"
        if error.errno in NO_ROOM
        else f"{again}   (a path you may write to)",
    )
