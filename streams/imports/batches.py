"""Files evaluated under a mapping, a part at a time; the next part is read while one is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from schemas.validation import Clock, system_clock
from streams.imports.part import Part
from streams.imports.reading import joined_files, parts_of
from streams.mapping.evaluation import Evaluation, Mapped, Rows
from streams.mapping.language import FileRule, MappingRules

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
    """Every part of every file that has rules. The order of files and rows does not matter to what comes out.

    Memory: two parts, and the files that others join.
    """
    evaluation = Evaluation(rules, joined_files(rules, paths), clock)
    sizes = {
        path: max(1, path.stat().st_size) for name in paths for path in paths[name] if rules.of_file(name)
    }
    total, before = sum(sizes.values()) or 1, 0
    for name, file in rules.files.items():
        own = rules.of_file(name)
        if not own:
            continue
        for path in paths[name]:
            for part in _read_ahead(parts_of(path, file, rules.own_columns_of(name))):
                rows = evaluation.rows(file, part.frame)
                yield EvaluatedPart(path, file, part, rows, [evaluation.events(rule, rows) for rule in own])
                advance((before + part.read * sizes[path]) / total, path.name)
            before += sizes[path]


def _read_ahead(parts: Iterator[Part]) -> Iterator[Part]:
    with ThreadPoolExecutor(1, "read") as reading:
        coming = reading.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = reading.submit(next, parts, None)
            yield part
