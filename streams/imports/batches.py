"""Files evaluated under a mapping, a part at a time; the next part is read while one is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from schemas.validation import Clock, system_clock
from streams.imports.part import Part
from streams.imports.reading import joined_files, parts_of
from streams.mapping.evaluation import Evaluation, Mapped, Rows
from streams.mapping.language import FileRule, MappingRules

Item = TypeVar("Item")
# (share of all bytes that are read, what is being read)
Advance = Callable[[float, str], None]


@dataclass(frozen=True)
class EvaluatedPart:
    """A part of a file, and what became of its rows under each rule of the file."""

    path: Path
    file: FileRule
    part: Part
    rows: Rows
    mapped: Sequence[Mapped]


def evaluated_parts(
    rules: MappingRules,
    paths: Mapping[str, Sequence[Path]],
    advance: Advance = lambda share, what: None,
    clock: Clock = system_clock,
) -> Iterator[EvaluatedPart]:
    """Every part of every file that is looked at. The order of files and rows does not matter to the outcome.

    Memory: two parts, and the files that others join.
    """
    evaluation = Evaluation(rules, joined_files(rules, paths), clock)
    # Of a file that is only joined, the rows that cannot be read are reported too.
    own = [
        (file, path)
        for name, file in rules.files.items()
        if rules.of_file(name) or rules.is_joined(name)
        for path in paths[name]
    ]
    total, before = sum(_size(path) for _, path in own) or 1, 0
    for file, path in own:
        parts = parts_of(path, file, rules.own_columns_of(file.name))
        for part, rows in _ahead((part, evaluation.rows(file, part.frame, part.is_plain)) for part in parts):
            mapped = [evaluation.events(rule, rows) for rule in rules.of_file(file.name)]
            yield EvaluatedPart(path, file, part, rows, mapped)
            advance((before + part.read * _size(path)) / total, path.name)
        before += _size(path)


def _size(path: Path) -> int:
    return max(1, path.stat().st_size)


def _ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items, each made by another thread while the one before is used."""
    with ThreadPoolExecutor(1, "read") as reading:
        coming = reading.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = reading.submit(next, items, None)
            yield item
