"""Files of the command line: which of the mapping's files each is, and their rows, in parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

import polars as pl

from schemas.errors import BatonError, ExitCode
from streams.imports import csv_file, other_files
from streams.imports.part import Part, existing, format_of
from streams.mapping.evaluation import Joined
from streams.mapping.language import FileRule, MappingRules
from streams.queries.values import printable

_HEADERS = {
    "csv": csv_file.csv_header,
    "jsonl": other_files.jsonl_header,
    "parquet": other_files.parquet_header,
    "xlsx": other_files.xlsx_header,
}
_PARTS = {
    "csv": csv_file.csv_parts,
    "jsonl": other_files.jsonl_parts,
    "parquet": other_files.parquet_parts,
    "xlsx": other_files.xlsx_parts,
}


def header_of(path: Path, file: FileRule) -> list[str]:
    """The names of a file's columns. Raises BatonError for a file that cannot be read."""
    return _HEADERS[format_of(path, file)](existing(path), file)


def parts_of(path: Path, file: FileRule, wanted: Sequence[str] | None = None) -> Iterator[Part]:
    """The rows of a file, a bounded number at a time, with these columns. Raises BatonError."""
    return _PARTS[format_of(path, file)](existing(path), file, wanted)


def assigned(paths: Sequence[Path], rules: MappingRules) -> dict[str, list[Path]]:
    """The paths of each file of the mapping. Raises BatonError for a path that is none of them or several,
    and for a file that is needed and not there."""
    found: dict[str, list[Path]] = {name: [] for name in rules.files}
    for path in map(existing, dict.fromkeys(paths)):
        names = [
            n for n, f in rules.files.items() if any(fnmatch(path.name.lower(), m.lower()) for m in f.match)
        ]
        if not names and len(rules.files) == 1:
            names = list(rules.files)
        if len(names) != 1:
            which = "matches " + " and ".join(names) if names else "matches none of " + ", ".join(rules.files)
            raise _wrong_files(path.name, f"its name {which}; change `match` in the mapping")
        found[names[0]].append(path)
    for rule in rules.events:
        for name in rule.join:
            if found[rule.file] and not found[name]:
                raise _wrong_files(name, f"event {rule.place} joins it, and no file is it")
    return found


def _wrong_files(where: str, why: str) -> BatonError:
    return BatonError(
        "The files are not those of the mapping",
        where=printable(where),
        why=why,
        next_command="baton import FILE... --map MAP.toml   (each file by the `match` of a [file.NAME])",
        exit_code=ExitCode.USAGE,
    )


def joined_files(rules: MappingRules, paths: Mapping[str, Sequence[Path]]) -> dict[str, Joined]:
    """The files that others join, with the columns that are looked at, in memory."""
    found = {}
    for name, file in rules.files.items():
        if not rules.is_joined(name):
            continue
        wanted = rules.joined_columns_of(name)
        frames = [part.frame for path in paths[name] for part in parts_of(path, file, wanted)]
        empty = pl.DataFrame(schema=dict.fromkeys(wanted, pl.String()))
        frame = pl.concat(frames, how="vertical_relaxed") if frames else empty
        found[name] = Joined.of(file, frame, rules)
    return found
