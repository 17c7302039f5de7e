"""Files as people save them: every row is read, or reported with its line and its text."""

from __future__ import annotations

import csv
import io
import shlex
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.errors import BatonError
from streams.imports import csv_file
from streams.imports import part as parts
from streams.imports.failed_rows import FailedRow
from streams.imports.reading import assigned, header_of, parts_of
from streams.imports.suggestion import suggest
from streams.mapping.language import FileRule
from streams.mapping.reader import parse_mapping


def _read(
    path: Path, data: bytes, **how: str
) -> tuple[list[tuple[object, ...]], list[tuple[int, str]], list[int]]:
    """(rows, (line, text) of each, lines of those that cannot be read)."""
    path.write_bytes(data)
    file = FileRule("any", ("*",), ("a",), **how)  # type: ignore[arg-type]
    rows, places, unread = [], [], []
    for found in parts_of(path, file):
        rows += found.frame.drop("_row").rows()
        where = found.places(range(found.frame.height))
        places += [where[row] for row in range(found.frame.height)]
        unread += [bad.line for bad in found.unread]
    return rows, places, unread


@pytest.mark.parametrize(
    ("data", "how", "rows", "lines", "unread"),
    [
        (b"a,b\n1,2\n3,4\n", {}, [("1", "2"), ("3", "4")], [2, 3], []),
        (b"a,b\r\n1,2\r\n3,4", {}, [("1", "2"), ("3", "4")], [2, 3], []),
        (b"\xef\xbb\xbfa,b\n1,2\n", {}, [("1", "2")], [2], []),
        (b'a,b\n1,"x\ny"\n3,4\n', {}, [("1", "x\ny"), ("3", "4")], [2, 4], []),
        (b'a,b\n1,"x ""y"", z"\n', {}, [("1", 'x "y", z')], [2], []),
        (b'"a\nb",b\n1,2\n', {}, [("1", "2")], [3], []),
        (b"a,b\n\n1,2\n\n\n3,4\n", {}, [("1", "2"), ("3", "4")], [3, 6], []),
        (b"a,b\n1\n1,2,3\n5,6\n", {}, [("5", "6")], [4], [2, 3]),
        (b'a,b\n1,"2"\n3\n', {}, [("1", "2")], [2], [3]),
        (b"a;b\n1;2,5\n", {"delimiter": ";"}, [("1", "2,5")], [2], []),
        (
            b'a|b\n1|5" pipe\n2|6" pipe\n',
            {"delimiter": "|", "quote": ""},
            [("1", '5" pipe'), ("2", '6" pipe')],
            [2, 3],
            [],
        ),
        ("a,b\nä,€\n".encode("windows-1252"), {"encoding": "windows-1252"}, [("ä", "€")], [2], []),
        ("a,b\nä,2\n".encode("utf-16"), {}, [("ä", "2")], [2], []),
        (b"a,b\n", {}, [], [], []),
    ],
)
def test_a_csv_file(
    tmp_path: Path,
    data: bytes,
    how: dict[str, str],
    rows: list[tuple[str, ...]],
    lines: list[int],
    unread: list[int],
) -> None:
    found, places, bad = _read(tmp_path / "x.csv", data, **how)
    assert ([tuple(value or "" for value in row) for row in found], [line for line, _ in places], bad) == (
        rows,
        lines,
        unread,
    )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it has no header"),
        (b"a,a\n1,2\n", "names 'a' twice"),
        (b"a\n\xff\n", "is not utf-8"),
    ],
)
def test_a_file_that_is_no_table_says_why(tmp_path: Path, data: bytes, why: str) -> None:
    with pytest.raises(BatonError) as caught:
        _read(tmp_path / "x.csv", data)
    assert why in caught.value.why


def test_a_file_that_is_no_workbook_or_parquet_says_so_in_one_line(tmp_path: Path) -> None:
    for name in ("x.xlsx", "x.parquet"):
        with pytest.raises(BatonError, match="cannot be read") as caught:
            _read(tmp_path / name, b"nonsense")
        assert len(caught.value.why.splitlines()) == 1
        assert "Context" not in caught.value.why


def test_a_folder_is_no_file_and_what_to_run_can_be_pasted(tmp_path: Path) -> None:
    folder = tmp_path / "Bob's exports"
    folder.mkdir()
    rule = FileRule("any", ("*",), ("a",))
    rules = parse_mapping("""
        [mapping]
        source = "x"
        [file.any]
        key = "a"
        [[event]]
        type = "LeadCaptured"
        from = "any"
        set = { lead_id = "{a}", occurred_on = "{a}" }
    """)
    for looking in (
        lambda: assigned([folder], rules),
        lambda: suggest([folder]),
        lambda: header_of(folder, FileRule("any", ("*",), ("a",), "csv")),
    ):
        with pytest.raises(BatonError) as caught:
            looking()
        assert caught.value.why == "it is a folder; name the files in it"
        command = caught.value.next_command
        assert shlex.split(command) == ["baton", "import", f"{folder}/*.csv", "--suggest"]
    (folder / "my deals.csv").write_text("a\n1\n")
    with pytest.raises(BatonError) as caught:
        list(parts_of(folder / "my deals.csv", rule, ["b"]))
    assert shlex.split(caught.value.next_command, comments=True)[1] == str(folder / "my deals.csv")


def test_a_name_with_a_newline_stays_on_its_line(tmp_path: Path) -> None:
    row = FailedRow("two\nlines.csv", 3, "", "a\x1bb", "x", "is wrong", "x", "any", None)
    assert str(row) == r'two\nlines.csv:3: a\x1bb "x" is wrong'
    with pytest.raises(BatonError) as caught:
        _read(tmp_path / "two\nlines.csv", b"")
    assert caught.value.where.endswith(r"two\nlines.csv")


texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=6
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(texts, texts, texts), max_size=30), st.integers(20, 200))
def test_rows_and_their_places_do_not_depend_on_where_parts_end(
    rows: list[tuple[str, ...]], size: int
) -> None:
    """Whatever the texts hold, each row is what csv wrote, and stands where csv put it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    lines, line = [], 2
    writer.writerow(["a", "b", "c"])
    for row in rows:
        lines.append(line)
        before = out.tell()
        writer.writerow(row)
        line += out.getvalue()[before:].count("\n")
    usual = parts.PART_BYTES
    parts.PART_BYTES = size
    try:
        with tempfile.TemporaryDirectory() as folder:
            found, places, unread = _read(Path(folder) / "x.csv", out.getvalue().encode())
    finally:
        parts.PART_BYTES = usual
    kept = [number for number, row in enumerate(rows) if any(value.strip() for value in row)]
    assert [
        tuple(value or "" for value in row) for row in found if any((value or "").strip() for value in row)
    ] == [rows[number] for number in kept]
    assert not unread
    assert [
        place[0] for place, row in zip(places, found, strict=True) if any((v or "").strip() for v in row)
    ] == [lines[number] for number in kept]


def _by_csv(text: str) -> tuple[list[tuple[int, list[str]]], list[int]]:
    """(line and values of every row that says something, lines that are in none), by Python's csv module."""
    lines = text.split("\n")
    reader = csv.reader(io.StringIO(text, newline="\n"), strict=True)
    rows: list[tuple[int, list[str]]] = []
    bad: list[int] = []
    before = 0
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return rows, bad
        except csv.Error:
            bad += [n + 1 for n in range(before, reader.line_num) if lines[n].strip()]
            before = reader.line_num
            continue
        if any(value.strip() for value in row):
            if len(row) == 2:
                rows.append((before + 1, row))
            else:
                bad.append(before + 1)
        before = reader.line_num


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(["a", '"', '"', '""', ",", ',"', '",', "\n", "\r\n", "\r", "é", " "]), max_size=40
    ),
    st.integers(4, 60),
)
@example(["\r", " "], 4)
@example(["1", ",", '"', "Acme", "\n", "2,x\n3,y\n"], 60)
@example(["1", ",", '"', "Web", "\n", "2,Web\n", '3,"Web"\n4,x\n'], 60)
def test_a_row_whose_quotes_are_wrong_is_reported_and_never_becomes_a_value(
    tokens: list[str], size: int
) -> None:
    """Python's csv module in strict mode says which rows there are, wherever parts end."""
    text = "p,q\n" + "".join(tokens)
    usual = parts.PART_BYTES
    parts.PART_BYTES = size
    try:
        with tempfile.TemporaryDirectory() as folder:
            found, places, unread = _read(Path(folder) / "x.csv", text.encode())
    finally:
        parts.PART_BYTES = usual
    whole = text if text.endswith("\n") else text + "\n"
    rows, bad = _by_csv(whole)
    said = [
        (place[0], ["" if v is None else str(v) for v in row])
        for place, row in zip(places, found, strict=True)
    ]
    assert [each for each in said if any(value.strip() for value in each[1])] == rows[1:]
    assert unread == bad


@pytest.mark.parametrize(
    ("rows", "failed"),
    [
        (
            '1,"Acme\n2,x\n3,y\n',
            {
                2: "cannot be read: a quote is opened here and never closed",
                3: "cannot be separated from what line 2 leaves open",
                4: "cannot be separated from what line 2 leaves open",
            },
        ),
        (
            '1,"Web\n2,Web\n3,"Web"\n4,x\n',
            {
                2: "cannot be read: text stands behind a closing quote; a quote is opened here and not"
                " closed, or one inside a value is not written twice",
                3: "cannot be separated from what line 2 leaves open",
                4: "cannot be separated from what line 2 leaves open",
            },
        ),
    ],
)
def test_every_line_behind_an_open_quote_fails_with_its_reason(
    tmp_path: Path, rows: str, failed: dict[int, str]
) -> None:
    (tmp_path / "x.csv").write_text("a,b\n" + rows)
    found = list(parts_of(tmp_path / "x.csv", FileRule("any", ("*",), ("a",))))
    assert {bad.line: bad.why for part in found for bad in part.unread} == failed


def test_a_header_or_a_row_without_end_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BatonError) as caught:
        _read(tmp_path / "x.csv", b'a,"b\n1,2\n')
    assert caught.value.why == "its header cannot be read: a quote is opened here and never closed"
    monkeypatch.setattr(parts, "PART_BYTES", 100)
    monkeypatch.setattr(csv_file, "LONGEST_ROW", 1000)
    with pytest.raises(BatonError) as caught:
        _read(tmp_path / "x.csv", b'a,b\n1,2\n3,"4\n' + b"5,6\n" * 1000)
    assert "the row in line 3 is over" in caught.value.why


@pytest.mark.parametrize("beside", ["", "no JSON\n"])
@pytest.mark.parametrize(
    ("row", "why"),
    [
        (r'{"id": "\ud800x"}', r"\ud800 is half of a surrogate pair, and no character"),
        (r'{"id": "1", "note": "\uDE00"}', r"\ude00 is half of a surrogate pair, and no character"),
        (r'{"id": "\\ud83d\ude00"}', r"\ude00 is half of a surrogate pair, and no character"),
        ('{"id": NaN}', "NaN and Infinity are no numbers of JSON, nor is one beyond 1e308"),
        ('{"id": 1e400}', "NaN and Infinity are no numbers of JSON, nor is one beyond 1e308"),
        ('{"id": "1", "id": "2"}', "'id' is named twice in one object"),
        ('{"id": null, "id" : "2"}', "'id' is named twice in one object"),
    ],
)
def test_a_line_of_json_that_readers_take_differently_fails(
    tmp_path: Path, row: str, why: str, beside: str
) -> None:
    """Whatever stands beside it; a pair of surrogates, and a name that is a value too, are fine."""
    good = r'{"id": "\ud83d\ude00", "note": "id"}' + "\n" + '{"id": null, "note": "x"}\n'
    (tmp_path / "x.jsonl").write_text(f"{good}{row}\n{beside}")
    (found,) = parts_of(tmp_path / "x.jsonl", FileRule("any", ("*",), ("id",)), ["id"])
    assert found.frame["id"].to_list() == ["\U0001f600", None]
    assert (found.unread[0].line, found.unread[0].why) == (3, f"is not JSON: {why}")


def test_a_file_too_wide_to_be_a_table_says_so_before_it_is_looked_at(tmp_path: Path) -> None:
    names = ",".join(map(str, range(parts.MOST_COLUMNS + 1)))
    keys = ", ".join(f'"{name}": 1' for name in names.split(","))
    for name, text in (("x.csv", names), ("x.jsonl", f"{{{keys}}}")):
        (tmp_path / name).write_text(text + "\n")
        with pytest.raises(BatonError) as caught:
            header_of(tmp_path / name, FileRule("any", ("*",), ("a",)))
        assert "it has 16,385 columns, and at most 16,384 are read" in caught.value.why


def test_the_fields_of_nested_json_have_paths(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"a": 1, "b": {"c": "x"}}\n')
    assert header_of(tmp_path / "x.jsonl", FileRule("any", ("*",), ("a",))) == ["a", "b.c"]
