"""Quaint words stay out of the repository's prose; the field's terms are used instead.

Prose is a page, a comment, a docstring, SQL with its header, and every text of product code: command help,
errors, output. Texts in tests are data, so they are not checked.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Each with what to write in its place.
UNWANTED = {
    r"told|tells?|telling": "emit, report, say, show, record",
    r"mend(s|ed|ing)?": "fix, repair",
    r"(made|makes?|making) again": "recreate, recompute",
    r"(it|which|that|this|what|who) is no (?!longer\b|more\b|less\b|other\b)\w+": "is not a ...",
    r"stands? twice": "appears twice, is duplicated",
    r"(the|this|a) house|house's|house rules?": "the project, the repository",
    r"where the secret goes": "the file for the private key",
    r"the first comes first": "the earliest wins",
    r"(second|another) looks?(?!-)|look(s|ed|ing)? (at )?again": "snapshot, historical, evaluate again",
    r"doors?": "SQL endpoint, gateway",
    r"for ever": "forever",
    r"anew": "again",
    r"lies? with": "is assigned to, is owned by",
    r"hear(d)? of again": "followed up",
    r"(of|from) nothing": "from an empty warehouse, from scratch",
    r"quarrel(s|led)?": "dispute, disagreement",
}
PATTERN = re.compile(rf"\b({'|'.join(f'(?:{each})' for each in UNWANTED)})\b", re.IGNORECASE)

PAGES = (".md", ".sql", ".toml", ".avsc", ".yml", "Makefile", "Dockerfile")


def _files() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    own = Path(__file__).relative_to(ROOT).as_posix()
    return [name for name in listed.stdout.split("\n") if name.endswith((*PAGES, ".py")) and name != own]


def _prose(path: Path) -> list[tuple[int, str]]:
    """(line, text) of all prose in a file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return list(enumerate(text.splitlines(), 1))
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    found = [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]
    is_test = path.is_relative_to(ROOT / "tests")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not is_test:
            found.append((node.lineno, node.value))
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and is_test:
            found.append((getattr(node, "lineno", 1), ast.get_docstring(node) or ""))
    return found


@pytest.mark.parametrize("name", _files())
def test_prose_has_none_of_the_unwanted_words(name: str) -> None:
    found = [f"line {line}: {m[0]}" for line, text in _prose(ROOT / name) for m in PATTERN.finditer(text)]
    assert not found, "UNWANTED says what to write in its place"
