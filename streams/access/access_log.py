"""Who asked what: one line of JSON for each statement of somebody with a role, without any of the data."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from warehouse.role_statement import Asked, Reader
from warehouse.roles import Role

MOST_BYTES = 16 << 20  # then the file becomes <name>.1, and that of before is removed
LONGEST_SHAPE = 2_000
_WORD = re.compile(r"\w+")


class AccessLog:
    """Appends to one file, mode 0600. For any thread."""

    def __init__(self, path: Path, roles: Mapping[str, Role]) -> None:
        self.path = path
        self._writing = threading.Lock()
        # Names that stand in the shape of a statement; any other could carry data.
        columns = {c for role in roles.values() for names in role.columns.values() for c in names}
        self._known = columns | {view for role in roles.values() for view in role.columns} | {"funnel"}

    def note(self, reader: Reader, asked: Asked) -> None:
        """Append a line."""
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "name": reader.name,
            "role": reader.role,
            "views": asked.views,
            "rows": asked.rows,
            "ms": asked.milliseconds,
            "outcome": asked.outcome,
            "shape": self.shape(asked.statement),
        }
        with self._writing:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() and self.path.stat().st_size > MOST_BYTES:
                self.path.replace(self.path.with_suffix(f"{self.path.suffix}.1"))
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def shape(self, statement: str) -> str:
        """The statement with ? for literals, _ for names that no role reads, and no comments."""
        try:
            tokens = duckdb.tokenize(statement)
        except (duckdb.Error, UnicodeError):
            return ""
        ends = [place for place, _ in tokens[1:]] + [len(statement.encode())]
        text = statement.encode()
        parts = []
        for (start, kind), end in zip(tokens, ends, strict=True):
            part = text[start:end].decode(errors="replace").strip()
            match kind:
                case duckdb.token_type.identifier:
                    name = part.strip('"').lower()
                    parts.append(name if name in self._known else "_")
                case duckdb.token_type.numeric_const | duckdb.token_type.string_const:
                    parts.append("?")
                case duckdb.token_type.comment:
                    pass
                case duckdb.token_type.keyword:
                    parts.append(part.lower() if _WORD.fullmatch(part) else "_")
                case _:
                    parts.append(part if not re.search(r"\w", part) else "_")
        return " ".join(parts)[:LONGEST_SHAPE]
