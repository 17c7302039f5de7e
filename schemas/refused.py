"""Rows that a mapping could not make an event of: kept in the log, as JSON that says what and why.

Such a record stands on the topic of the event it would have been. Readers do not take it for an event: it
fails
with the stage and the reason it carries, and so reaches the failed events and the dead letters like any
other.
"""

from __future__ import annotations

import json
from typing import Any

REFUSED = "baton_refused"
_BEGINS = f'{{"{REFUSED}"'.encode()
IMPORT = "import"
LONGEST_ROW_TEXT = 64 * 1024


def refused_value(said: dict[str, Any]) -> bytes:
    """The record of a refused row. `said` holds at least stage, reason and event_type."""
    return json.dumps({REFUSED: said}, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def read_refused(value: bytes | None) -> dict[str, Any] | None:
    """What a refused row says; None for anything else."""
    if not value or not value.startswith(_BEGINS):
        return None
    try:
        said = json.loads(value)[REFUSED]
    except (ValueError, KeyError, RecursionError):
        return None
    if not isinstance(said, dict) or not all(
        isinstance(said.get(n), str) for n in ("stage", "reason", "event_type")
    ):
        return None
    return said
