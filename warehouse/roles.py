"""Roles: which views and columns the bearer of a token reads. What the file does not name is not read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from projections.projection import Projection, views
from schemas.errors import BatonError, ExitCode

# The command that lists what the bearer of a token reads.
LIST_VIEWS = 'curl -H "Authorization: Bearer $BATON_TOKEN" $BATON_URL/views'
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
DEFAULT_ROLES = Path(__file__).parent / "roles.toml"


@dataclass(frozen=True)
class Role:
    """`columns`: by the name of each view it reads, the columns it reads of it, in the view's order."""

    name: str
    columns: Mapping[str, tuple[str, ...]]

    def refused(self, view: str, why: str) -> BatonError:
        """The error for a view, or a part of one, that this role does not read."""
        return BatonError(
            f"Role {self.name} does not read this",
            where=view,
            why=why,
            next_command=f"{LIST_VIEWS}   (role {self.name} reads {', '.join(sorted(self.columns))})",
            exit_code=ExitCode.USAGE,
        )


def read_roles(path: Path = DEFAULT_ROLES) -> Mapping[str, Role]:
    """The roles of a file by name. Raises BatonError for a name in it that no view, column or group has.

    What the packaged file withholds is withheld in every project, unless `also` of a role names it.
    """
    content = _content(path)
    if unknown := content.keys() - {"withheld", "group", "role"}:
        raise _unusable(path, f"unknown key {sorted(unknown)[0]!r}")
    known = {view.name: view for view in views()}
    withheld = _columns(
        path, known, [*_content(DEFAULT_ROLES)["withheld"], *_texts(path, content.get("withheld", []))]
    )
    groups = content.get("group", {})
    roles = content.get("role", {})
    if not isinstance(groups, dict) or not isinstance(roles, dict):
        raise _unusable(path, "group and role are tables")
    for name in roles:
        if not _NAME.fullmatch(name):
            raise _unusable(path, f"{name!r} is no name of a role: lower-case letters, digits and _")
    return {
        name: Role(name, dict(_readable(path, known, groups, withheld, block)))
        for name, block in roles.items()
    }


@cache
def withheld_columns() -> frozenset[tuple[str, str]]:
    """(view, column) of what may name people: the packaged file withholds it from every role by default."""
    known = {view.name: view for view in views()}
    return _columns(DEFAULT_ROLES, known, _content(DEFAULT_ROLES)["withheld"])


def _content(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    except ValueError as error:  # neither TOML nor UTF-8
        raise _unusable(path, str(error)) from error


def _readable(
    path: Path,
    known: Mapping[str, Projection],
    groups: Mapping[str, Any],
    withheld: frozenset[tuple[str, str]],
    block: Any,
) -> Iterator[tuple[str, tuple[str, ...]]]:
    if not isinstance(block, dict) or (block.keys() - {"reads", "without", "also"}):
        raise _unusable(path, "a role has reads, without and also, and nothing else")
    names: list[str] = []
    for name in _texts(path, block.get("reads", [])):
        names += _texts(path, groups[name]) if name in groups else [name]
    without = _columns(path, known, block.get("without", []))
    hidden = (withheld - _columns(path, known, block.get("also", []))) | without
    for name in dict.fromkeys(names):
        if name not in known:
            raise _unusable(path, f"no view and no group is called {name!r}")
        columns = tuple(column.name for column in known[name].columns if (name, column.name) not in hidden)
        if columns:
            yield name, columns


def _columns(path: Path, known: Mapping[str, Projection], texts: Any) -> frozenset[tuple[str, str]]:
    found = set()
    for text in _texts(path, texts):
        view, _, column = text.partition(".")
        if view not in known or column not in {documented.name for documented in known[view].columns}:
            raise _unusable(path, f"no view has the column {text!r}")
        found.add((view, column))
    return frozenset(found)


def _texts(path: Path, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise _unusable(path, f"{value!r} is not a list of texts")
    return value


def _unusable(path: Path, why: str) -> BatonError:
    return BatonError(
        "The roles cannot be read",
        where=str(path),
        why=why,
        next_command="baton access ls   (once it is corrected; docs/reference/tables.md has every column)",
        exit_code=ExitCode.CONFIGURATION,
    )
