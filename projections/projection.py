"""Projections: one SQL file each, its header read by machines and people alike.

A *view* file is one SELECT over facts, other views and the playbook; `$as_of` is the instant at which
open clocks are read. A *derived* file is one too, and is no view of a warehouse: the product evaluates it
for a purpose of its own, such as the events that measuring sends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from graphlib import CycleError
from pathlib import Path

from projections.dependency_graph import DependencyGraph
from schemas.errors import BatonError, ExitCode

VIEWS_FOLDER = Path(__file__).parent / "views"
DERIVED_FOLDER = Path(__file__).parent / "derived"

_SCHEMAS = {"resolved": "resolved", "view": "funnel"}
_PARAMETER = re.compile(r"\$([a-z]\w*)")
_NAMED = re.compile(r"\b(?:facts|resolved|funnel)\.\w+")


@dataclass(frozen=True)
class Column:
    """A column of a projection: its name, and what it says."""

    name: str
    says: str


@dataclass(frozen=True)
class Projection:
    """A header and its SELECT, as they stand in the file.

    `means` is the definition of the number where `says` is not enough: how it is counted, and where the
    trade's definition comes from. Header, reference page and `baton explain` show this one text.
    `stored`: the column that names whose row it is, of a view kept as a table (warehouse/read_models.py).
    """

    kind: str
    name: str
    grain: str
    reads: tuple[str, ...]
    says: str
    means: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    select: str
    path: Path
    stored: str = ""

    @property
    def relation(self) -> str:
        """Its table or view in the warehouse, with the schema."""
        return f"{_SCHEMAS[self.kind]}.{self.name}"

    @property
    def is_sliced(self) -> bool:
        """Whether it has rows for each dimension: to be asked for some, for all of them are far more work."""
        return "dimension" in self.key

    @property
    def fact_tables(self) -> tuple[str, ...]:
        """Names of the fact tables it reads, without the schema."""
        return tuple(name.removeprefix("facts.") for name in self.reads if name.startswith("facts."))

    def over(self, names: Mapping[str, str]) -> Projection:
        """The same over other tables: what it reads by one of these names, it then reads by the other."""
        return replace(self, select=_NAMED.sub(lambda match: names.get(match[0], match[0]), self.select))

    def evaluated(self, as_of: str, **parameters: str) -> str:
        """SQL with its instant and other parameters filled in: each is a literal, or a sub-query."""
        sql = {"as_of": as_of, **parameters}
        return _PARAMETER.sub(lambda match: sql[match[1]], self.select)


def read_projection(path: Path) -> Projection:
    """Read one SQL file. A header that lacks a line is a BatonError naming file and line."""
    header: dict[str, str] = {}
    columns: list[Column] = []
    last = ""
    lines = path.read_text(encoding="utf-8").splitlines()
    body_from = next((i for i, line in enumerate(lines) if not line.startswith("--")), len(lines))
    for number, line in enumerate(lines[:body_from], start=1):
        if named := re.fullmatch(r"--\s(\w+):\s*(.*)", line):
            header[named[1]] = named[2].strip()
            last = named[1]
        elif last and (continued := re.fullmatch(r"--\s{3,}(\S.*)", line)):
            if last == "columns" and columns and line.startswith("--    "):
                columns[-1] = replace(columns[-1], says=f"{columns[-1].says} {continued[1].strip()}")
            elif last == "columns" and (other := re.fullmatch(r"all of (\w+)", continued[1])):
                if not path.with_stem(other[1]).exists():
                    raise _bad_header(path, number, f"no file {other[1]}.sql is beside it")
                columns += read_projection(path.with_stem(other[1])).columns
            elif last == "columns":
                columns.append(_column(path, number, continued[1]))
            else:
                header[last] = f"{header[last]} {continued[1].strip()}"
        else:
            raise _bad_header(path, number, f"cannot read {line!r}")
    kind = "derived" if "derived" in header else "view"
    for wanted in (kind, "grain", "key", "reads", "says"):
        if wanted not in header:
            raise _bad_header(path, 1, f"the header has no line '-- {wanted}:'")
    return Projection(
        kind=kind,
        name=header[kind],
        grain=header["grain"],
        reads=_names(header["reads"]),
        says=header["says"],
        means=header.get("means", ""),
        key=_names(header["key"]),
        columns=tuple(columns),
        select="\n".join(lines[body_from:]).strip().rstrip(";"),
        path=path,
        stored=header.get("stored", ""),
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _column(path: Path, number: int, text: str) -> Column:
    parts = text.split(None, 1)
    if len(parts) != 2:
        raise _bad_header(path, number, f"column line {text!r} lacks a part")
    return Column(parts[0], parts[1])


def _bad_header(path: Path, number: int, why: str) -> BatonError:
    return BatonError(
        "A projection's header cannot be read",
        where=f"{path}:{number}",
        why=why,
        next_command="make reference   (once the header is as 'How to add' in CONTRIBUTING.md says)",
        exit_code=ExitCode.CONFIGURATION,
    )


@cache
def views() -> tuple[Projection, ...]:
    """All views, each after the views it reads."""
    known = {view.relation: view for view in _read_folder(VIEWS_FOLDER)}
    try:
        order = DependencyGraph({name: view.reads for name, view in known.items()}).topological_order()
    except CycleError as error:
        raise _bad_header(VIEWS_FOLDER, 1, f"these read each other: {', '.join(error.args[1])}") from error
    return tuple(known[name] for name in order if name in known)


def _read_folder(folder: Path) -> tuple[Projection, ...]:
    return tuple(read_projection(path) for path in sorted(folder.glob("*.sql")))
