"""Opening a project's warehouse: with its own playbook, and the keys whose signatures count."""

from __future__ import annotations

from pathlib import Path

from projections.playbook import read_playbook
from projections.signing_keys import SigningKey, read_keys
from streams.project import Project
from warehouse.authority import Authority
from warehouse.warehouse import Warehouse


def open_warehouse(
    project: Project, path: Path | None = None, *, threads: int = 2, wait_seconds: float = 0
) -> Warehouse:
    """The project's warehouse, or another file (`path`) that is to say the same. Raises BatonError."""
    authority = authority_of(project)
    return Warehouse.open(
        path or project.warehouse_file,
        authority.base,
        keys=authority.keys,
        threads=threads,
        wait_seconds=wait_seconds,
    )


def authority_of(project: Project) -> Authority:
    """The project's playbook file and its keys. Raises BatonError when one of them cannot be used."""
    return Authority(read_playbook(project.playbook_file), keys_of(project))


def keys_of(project: Project) -> tuple[SigningKey, ...]:
    """The keys that may sign. Without a file there are none, and no signature counts."""
    if project.keys is None and not project.keys_file.exists():
        return ()
    return read_keys(project.keys_file)
