"""Templates: text with {columns}, such as "crm-{account}-{id}"."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")


@dataclass(frozen=True)
class Template:
    """parts: (text, is it the name of a column). A template without columns is a constant."""

    text: str
    parts: tuple[tuple[str, bool], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(text for text, is_column in self.parts if is_column)


def parse_template(text: str) -> Template:
    """Read a template; {{ and }} stand for braces. Raises ValueError for one that is not closed."""
    parts: list[tuple[str, bool]] = []
    for match in _PART.finditer(text):
        found = match[0]
        if found in ("{", "}"):
            raise ValueError(
                f"{text!r} has a {found} without its other half; write {found * 2} for the character"
            )
        if match[1] is not None:
            name = match[1].strip()
            if not name:
                raise ValueError(f"{text!r} names no column between its braces")
            parts.append((name, True))
        else:
            parts.append((found[0] if found in ("{{", "}}") else found, False))
    return Template(text, tuple(parts))
