"""The project's rules, so that no review has to remember them. CONTRIBUTING.md has them in prose."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("schemas", "projections", "warehouse", "streams")
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc"}
LONGEST_MODULE = 400
REASON_TO_BE_LONG = re.compile(r"^# long: \S+", re.MULTILINE)
LONGEST_VIEW = 110
MOST_CTES = 9
CTE = re.compile(
    r"(?:\bwith(?:\s+recursive)?|,)\s+(\w+)\s*(?:\([^()]*\))?\s+as\s+(?:(?:not\s+)?materialized\s+)?"
    r"\((?!\s*(?:partition|order|rows)\b)",
    re.IGNORECASE,
)
# A CTE is named after what its rows are; these words say how somebody came to know of them.
NOT_A_NAME_OF_ROWS = {
    "asked", "came", "gone", "heard", "lived", "met", "own", "said", "seen", "stood", "told",
    "together", "went",
}  # fmt: skip
READS_THE_CLOCK = re.compile(
    r"\b(now|get_current_time(stamp)?|transaction_timestamp|today)\s*\("
    r"|\b(current_(time|timestamp|date)|localtime(stamp)?)\b",
    re.IGNORECASE,
)


def _files(pattern: str, *folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob(pattern))


def _place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


MODULES = _files("*.py", *PACKAGES, "benchmarks", "tests")
SQL_OF_MEANING = _files("*.sql", "projections")
VIEWS = _files("*.sql", "projections/views")
PROJECTIONS = _files("*.sql", "projections/views", "projections/derived")
EVIDENCE = _files("*.sql", "projections/evidence")


def _code(sql: str) -> str:
    """SQL without its comments and its string literals."""
    return re.sub(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", " ", sql, flags=re.DOTALL)


def _header(sql: str) -> dict[str, str]:
    """The labels of the comment block a file opens with: {"state": "handoff", "grain": "one row per ..."}."""
    labels: dict[str, str] = {}
    label = ""
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        named = re.match(r"-- (\w+):(.*)", line)
        if named:
            label = named[1]
            labels[label] = named[2].strip()
        elif label:
            labels[label] = f"{labels[label]} {line[2:].strip()}".strip()
    return labels


# Of a value whose name ends so, that it is a path.
IS_A_PATH = re.compile(r"(^|[._])(path|file|folder|home|dir|target|parent|meta|where|kept|POM|filename)$")
# Another change of these modules is under way.
PATHS_NOT_YET_QUOTED = {"streams/imports/part.py"}


@pytest.mark.parametrize("path", _files("*.py", *PACKAGES), ids=lambda path: _place(path))
def test_a_command_of_an_error_quotes_its_paths(path: Path) -> None:
    commands = [
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.keyword) and node.arg == "next_command"
    ]
    values = [v.value for node in commands for v in ast.walk(node) if isinstance(v, ast.FormattedValue)]
    bare = [ast.unparse(value) for value in values if IS_A_PATH.search(ast.unparse(value))]
    if _place(path) not in PATHS_NOT_YET_QUOTED:
        assert bare == [], "a folder's name may hold a space: quoted() of schemas/errors.py"


# --- modules ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", MODULES, ids=_place)
def test_a_module_is_named_after_something(path: Path) -> None:
    parts = {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}
    assert not parts & NAMES_THAT_SAY_NOTHING, "name it after what it is about"


@pytest.mark.parametrize("path", MODULES, ids=_place)
def test_a_module_is_short_or_says_why_not(path: Path) -> None:
    text = path.read_text()
    length = len(text.splitlines())
    top = "\n".join(text.splitlines()[:20])
    assert length <= LONGEST_MODULE or REASON_TO_BE_LONG.search(top), (
        f"{length} lines: divide it, or give the reason among its first lines as '# long: ...'"
    )


@pytest.mark.parametrize("path", [path for path in MODULES if path.read_text().strip()], ids=_place)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), "open it with a docstring"


def test_imports_go_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("path", MODULES, ids=_place)
def test_no_module_imports_another_s_private_name(path: Path) -> None:
    found = [
        f"line {node.lineno}: {node.module}.{alias.name}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PACKAGES
        for alias in node.names
        if any(re.match(r"_(?!_)", part) for part in (*node.module.split("."), alias.name))
    ]
    assert not found, "make the name public, or use what is"


# --- errors -------------------------------------------------------------------------------------

# What a next command begins with: a program, a variable that is set, or an option of the command that failed.
PROGRAMS = "baton|make|mv|rm|cp|chmod|less|ls|git|df|ps|fuser|curl|mvn|apt|brew|docker|export|unset"
COMMAND = re.compile(rf"({PROGRAMS})( |$)|[A-Z_]+=|--[a-z]", re.ASCII)
RAISING = _files("*.py", *PACKAGES, "benchmarks")


def _called(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def _first_words(node: ast.expr) -> list[str]:
    """What an expression of text begins with, each way it can turn out; a name is not looked into."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return _first_words(node.values[0])
    if isinstance(node, ast.BinOp):
        return _first_words(node.left)
    if isinstance(node, ast.IfExp):
        return [*_first_words(node.body), *_first_words(node.orelse)]
    return []


def _assigned(nodes: list[ast.AST], name: str) -> Iterator[ast.expr]:
    """What a module assigns to a variable, alone or in a tuple: an error may get its command from there."""
    for node in nodes:
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            is_tuple = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
            pairs = zip(target.elts, value.elts, strict=True) if is_tuple else [(target, value)]
            yield from (each for to, each in pairs if isinstance(to, ast.Name) and to.id == name)


@pytest.mark.parametrize("path", RAISING, ids=_place)
def test_an_error_says_the_next_command(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    errors = [node for node in nodes if _called(node, "BatonError")]
    given = [node for node in nodes if isinstance(node, ast.keyword) and node.arg == "next_command"]
    for error in errors:
        assert isinstance(error, ast.Call)
        assert {"next_command"} & {keyword.arg for keyword in error.keywords}, f"line {error.lineno}: none"
    prose = [
        words
        for value in [*(keyword.value for keyword in given), *_assigned(nodes, "next_command")]
        for words in _first_words(value)
        if not COMMAND.match(words)
    ]
    assert not prose, "begin with the command, and put the rest behind it in parentheses"


# --- SQL ----------------------------------------------------------------------------------------


def test_there_are_projections_to_check() -> None:
    assert PROJECTIONS


@pytest.mark.parametrize("path", SQL_OF_MEANING, ids=_place)
def test_time_comes_in_as_as_of_and_never_from_the_clock(path: Path) -> None:
    found = READS_THE_CLOCK.search(_code(path.read_text()))
    assert found is None, f"{found and found[0]!r}: take $as_of, or the answer cannot be had again"


def test_no_window_is_over_everything() -> None:
    """DuckDB 1.5.5, asked so of no rows, may fail and take the whole database with it (duckdb#22352)."""
    written = (path for path in (*SQL_OF_MEANING, *MODULES) if path != Path(__file__))
    found = [path for path in written if re.search(r"\bover \(\s*\)", path.read_text())]
    assert not found, "write: over (partition by true)"


@pytest.mark.parametrize("path", PROJECTIONS, ids=_place)
def test_a_projection_opens_with_what_it_says(path: Path) -> None:
    header = _header(path.read_text())
    kind = path.parent.name.removesuffix("s")
    assert next(iter(header), None) == kind, f"the first line is '-- {kind}: {path.stem}'"
    assert header[kind].split()[0] == path.stem, "the name in the header is the name of the file"
    empty = [label for label in ("grain", "key", "reads", "says") if not header.get(label)]
    assert not empty, f"missing in the header: {empty}"


def _ctes(sql: str) -> list[str]:
    return CTE.findall(_code(sql))


def test_ctes_are_found_and_windows_are_not() -> None:
    sql = """
        with recursive a as (select 1), -- b as (
        c (x, y) as materialized (select ', d as (', lag(x) over e from a window e as (order by x), f as (
            partition by y)),
        g as (with h as (select 1) from h)
        select * from a
    """
    assert _ctes(sql) == ["a", "c", "g", "h"]


@pytest.mark.parametrize("path", VIEWS, ids=_place)
def test_a_view_is_short_enough_to_read(path: Path) -> None:
    sql = path.read_text()
    lines = sql.splitlines()
    body = next(number for number, line in enumerate(lines) if not line.startswith("--"))
    length, ctes = len(lines) - body, len(_ctes(sql))
    assert length <= LONGEST_VIEW and ctes <= MOST_CTES, (
        f"{length} lines of SQL and {ctes} CTEs, of at most {LONGEST_VIEW} and {MOST_CTES}:"
        " make a view of its own of what has a name in the field"
    )


@pytest.mark.parametrize("path", SQL_OF_MEANING, ids=_place)
def test_a_cte_is_named_after_its_rows(path: Path) -> None:
    bad = [name for name in _ctes(path.read_text()) if NOT_A_NAME_OF_ROWS & set(name.split("_"))]
    assert not bad, f"{bad}: name them in the field's words, as what their rows are"


@pytest.mark.parametrize("path", EVIDENCE, ids=_place)
def test_evidence_opens_with_what_stands_behind_a_row(path: Path) -> None:
    header = _header(path.read_text())
    assert list(header) == ["evidence", "says"], "the lines are '-- evidence: NAME' and '-- says: ...'"
    assert header["evidence"] == path.stem and header["says"]
    assert (ROOT / "projections" / "views" / path.name).exists(), "it is that of a view"


# --- what is shipped ----------------------------------------------------------------------------


def test_the_wheel_holds_the_product_and_nothing_else() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert tuple(build["targets"]["wheel"]["packages"]) == PACKAGES


# --- dependencies -------------------------------------------------------------------------------

LOCKS = ("requirements.lock", "requirements-bench.lock")


def _locked(name: str) -> Iterator[tuple[str, str]]:
    """(requirement, everything that belongs to it) for each requirement of a lock file."""
    text = (ROOT / name).read_text()
    for block in re.split(r"\n(?=\w)", text):
        yield block.split("==")[0].strip(), block


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_version_is_exact_and_hashed(name: str) -> None:
    loose = [
        requirement
        for requirement, block in _locked(name)
        if not re.match(r"[\w.\[\],-]+==\S+", block) or "--hash=sha256:" not in block
    ]
    assert not loose


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_index(name: str) -> None:
    text = (ROOT / name).read_text()
    for trace in ("://", "--index-url", "--extra-index-url", "--find-links", "--trusted-host", " @ "):
        assert trace not in text, f"{trace!r}: where packages come from is the reader's choice"


def test_the_lock_holds_every_dependency_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["test"],
        *project["build-system"]["requires"],
    ]
    locked = {requirement for requirement, _ in _locked("requirements.lock")}
    names = {re.split(r"[\[<>=~! ]", line)[0] for line in wanted}
    assert names <= locked, "run `make lock`"


# --- Docker -------------------------------------------------------------------------------------

COMPOSE = ROOT / "docker-compose.yml"


def test_docker_and_maven_bring_the_same_kafka() -> None:
    pom = (ROOT / "streams" / "local" / "pom.xml").read_text()
    jars = re.search(r"<artifactId>kafka_[\d.]+</artifactId>\s*<version>([\d.]+)</version>", pom)
    image = re.search(r"image: apache/kafka:([\d.]+)", COMPOSE.read_text())
    assert jars and image and jars[1] == image[1]


def test_docker_publishes_on_loopback_only_and_keeps_the_log() -> None:
    text = COMPOSE.read_text()
    published = re.findall(r'^ {6}- "([\d.:]*\d+:\d+)"', text, re.MULTILINE)
    assert published and all(port.startswith("127.0.0.1:") for port in published)
    assert 'KAFKA_LOG_RETENTION_MS: "-1"' in text and 'KAFKA_LOG_RETENTION_BYTES: "-1"' in text
    assert "condition: service_healthy" in text and "healthcheck:" in text


def test_the_image_runs_as_nobody_in_particular() -> None:
    text = (ROOT / "Dockerfile").read_text()
    users = re.findall(r"^USER (\S+)", text, re.MULTILINE)
    assert users and users[-1] not in ("0", "root")
    assert "--require-hashes" in text


def test_docker_itself_accepts_the_file() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not here")
    run = subprocess.run(
        [docker, "compose", "-f", COMPOSE, "config", "--quiet"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
