"""The settings that decide numbers, as a project's worker found them when it first started.

Kept in the project's folder, so that a command from another folder or shell computes the same numbers, or
says that it would not. Paths beside it are relative there: a project may be moved, or restored elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.errors import BatonError, ExitCode, quoted
from streams.process_record import read_json, write_json

ADOPT_COMMAND = "baton up --adopt-settings"


@dataclass(frozen=True)
class Recorded:
    """folder: where the worker was started; a playbook.toml or keys.toml that is put there later counts.
    playbook, keys: None when there was none. registry: its address, without a login."""

    folder: Path
    playbook: Path | None
    keys: Path | None
    registry: str | None

    @classmethod
    def read(cls, file: Path) -> Recorded | None:
        """None when no worker has started yet. Raises BatonError when the file is damaged."""
        found = read_json(file)
        if found is None:
            return None
        values = [found.get(name) for name in ("folder", "playbook", "keys", "registry")]
        folder, playbook, keys, registry = (value if isinstance(value, str) else None for value in values)
        beside = file.parent.parent
        return cls(
            beside / (folder or ""),
            beside / playbook if playbook else None,
            beside / keys if keys else None,
            registry,
        )

    def write(self, file: Path) -> None:
        """Replace what is recorded."""
        values = (("folder", self.folder), ("playbook", self.playbook), ("keys", self.keys))
        paths = {name: None if path is None else _from(file.parent.parent, path) for name, path in values}
        write_json(file, {**paths, "registry": self.registry})


def _from(beside: Path, path: Path) -> str:
    return str(path.relative_to(beside) if path.is_relative_to(beside) else path)


def gone(home: Path, recorded: Path) -> BatonError:
    """The error for a recorded file that was removed: nothing else takes its place silently."""
    return BatonError(
        f"This project's {recorded.name} is gone",
        where=str(recorded),
        why=f"the worker of {home} was started with it",
        next_command=f"{ADOPT_COMMAND}   (to go on without it; or restore the file)",
        exit_code=ExitCode.CONFIGURATION,
    )


def one_file(home: Path, setting: str, recorded: Path, seen: Path | None) -> Path:
    """The recorded file. Raises BatonError when this command sees another one, with other content."""
    if seen is None or _is_same(recorded, seen):
        return recorded
    raise BatonError(
        f"This project was started with another {recorded.name}",
        where=str(home),
        why=f"its worker uses {recorded}, this command sees {seen}, and they differ",
        next_command=f"export {setting}={quoted(recorded)}"
        f"   (or, to use the other from now on: {ADOPT_COMMAND})",
        exit_code=ExitCode.CONFIGURATION,
    )


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve() or one.read_bytes() == other.read_bytes()
    except OSError:
        return False


def one_registry(home: Path, recorded: str | None, seen: str | None) -> None:
    """Raise BatonError when two commands would read events with different registries."""
    if seen is None or seen == recorded:
        return
    setting = "BATON_SCHEMA_REGISTRY"
    back = f"export {setting}={quoted(recorded)}" if recorded else f"unset {setting}"
    raise BatonError(
        "This project was started with another schema registry",
        where=str(home),
        why=f"its worker uses {recorded or 'none'}, this command sees {seen}",
        next_command=f"{back}   (or, to use the other from now on: {ADOPT_COMMAND})",
        exit_code=ExitCode.CONFIGURATION,
    )
