"""The answers on the page of questions, computed from the events of the demo."""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from projections.playbook import read_playbook
from schemas.validation import read_event
from streams.queries import sql_answer
from streams.queries.events_in_memory import EventsInMemory
from streams.simulator import simulate
from warehouse.warehouse import Warehouse

PAGE = Path(__file__).parent / "guides" / "questions.md"
# Those of `baton demo`.
SEED, LEADS = 7, 5_000
_QUESTION = re.compile(r"```sql\n(?P<query>.*?)```\n(?:\n```text\n.*?```\n)?", re.DOTALL)


def page() -> str:
    """The page with the answer after each question."""
    with TemporaryDirectory() as folder, Warehouse.open(None, read_playbook()) as warehouse:
        story = simulate(SEED, LEADS, Path(folder))
        events = EventsInMemory(warehouse)
        with (Path(folder) / "events.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                events.take(*read_event(json.loads(line)))
        events.finish()
        warehouse.pin_as_of(story.as_of)
        text = PAGE.read_text(encoding="utf-8")
        return _QUESTION.sub(lambda found: _with_answer(warehouse, found["query"]), text)


def _with_answer(warehouse: Warehouse, query: str) -> str:
    with warehouse.answer(query) as rows:
        is_number = sql_answer.is_number(rows)
        found = [list(rows.columns), *sql_answer.texts(rows, None)[0]]
    widths = [max(map(len, column)) for column in zip(*found, strict=True)]
    lines = [
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, is_number, strict=True)
        ).rstrip()
        for row in found
    ]
    return f"```sql\n{query}```\n\n```text\n" + "\n".join(lines) + "\n```\n"
