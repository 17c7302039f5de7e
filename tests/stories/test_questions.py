"""The guide's questions have the answers that it shows."""

from __future__ import annotations

import pytest

from docs.questions import PAGE, page


@pytest.mark.slow
def test_the_answers_of_the_guide_are_those_of_the_demo() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("```sql\n") == text.count("```text\n") == 9
    assert text == page(), "stale; run: make reference"
