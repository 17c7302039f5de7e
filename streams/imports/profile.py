"""What the columns of a file look like: keys, days, money, statuses, by their names and the first rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, islice, product
from pathlib import Path

import polars as pl

from schemas.codec import ROW
from schemas.vocabulary import CURRENCIES
from streams.imports.part import FORMATS, existing, utf8_pieces
from streams.imports.reading import header_of, parts_of
from streams.mapping.language import FileRule, Value
from streams.mapping.moments import DAY_FORMATS, TIME_FORMATS, ambiguous_pair, read_days, read_instants
from streams.mapping.texts import number_text

SAMPLE_ROWS = 20_000
# Of each file; to look at one takes some milliseconds.
MOST_PROFILED = 1_000
_MOST_PAIRS = 200
DELIMITERS = ",;\t|"
FIT = 0.9
LIKELY = 0.7
SAME = 0.002
_SIGN = r"(?:[\p{Sc}%]|R\$|[A-Z]{3}|kr|zł)?"
_NUMBER = rf"^{_SIGN}\s*[+-]?\d[\d.,' ]*\s*{_SIGN}$"


@dataclass(frozen=True)
class Column:
    """One column. share_missing and share_distinct are of the sampled rows; formats: those that read nearly
    all of its texts, each alone or two together; numbers: (decimal, thousands) marks that do."""

    name: str
    share_missing: float
    share_distinct: float
    examples: tuple[str, ...]
    words: tuple[str, ...] = ()
    formats: tuple[tuple[str, ...], ...] = ()
    is_instant: bool = False
    has_zone: bool = False
    numbers: tuple[tuple[str, str], ...] = ()
    is_currency: bool = False

    def is_called(self, *parts: str) -> bool:
        if _snake(self.name).startswith(("has_", "is_")):
            return False
        return any(
            part in re.split(r"[^a-z0-9]+", _snake(self.name)) or part == _snake(self.name) for part in parts
        )


@dataclass(frozen=True)
class FileProfile:
    """A file, how it is read, and its columns; `values`: the distinct texts of each, of the sample;
    `left_out`: how many columns behind the first MOST_PROFILED."""

    path: Path
    file: FileRule
    columns: tuple[Column, ...]
    values: dict[str, frozenset[str]] = field(default_factory=dict)
    pair: tuple[str, str] | None = None
    left_out: int = 0

    @property
    def name(self) -> str:
        return self.file.name


def _snake(text: str) -> str:
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def file_name(path: Path) -> str:
    """What a mapping calls a file: its name without the date of one export."""
    name = re.sub(r"[_-]?(19|20)\d\d[-_]?\d*[-_]?\d*", "", _snake(path.stem))
    return re.sub(r"^(\d)", r"f\1", name.strip("_")) or "records"


def profile(path: Path) -> FileProfile:
    """Look at the header and the first rows of a file. Raises BatonError for one that cannot be read."""
    file = _dialect(existing(path))
    every = header_of(path, file)
    header = every[:MOST_PROFILED]
    first = next(iter(parts_of(path, file, header)), None)
    nothing = pl.DataFrame(schema=dict.fromkeys(header, pl.String()))
    frame = nothing if first is None else first.frame.head(SAMPLE_ROWS).drop(ROW)
    columns = tuple(_column(frame[name]) for name in header)
    values = {
        c.name: frozenset(_texts(frame[c.name]).drop_nulls().unique().to_list())
        for c in columns
        if c.share_distinct > 0.02 or c.is_called("id")
    }
    return FileProfile(path, file, columns, values, _pair(frame, columns), len(every) - len(header))


def _pair(frame: pl.DataFrame, columns: Sequence[Column]) -> tuple[str, str] | None:
    """A day and a word that name a row together, such as those of a daily report."""
    days = [c.name for c in columns if c.formats and not c.share_missing]
    words = [
        c.name for c in columns if c.words and not c.formats and not c.share_missing and not c.is_currency
    ]
    pairs = islice(product(days, words), _MOST_PAIRS)
    return next((p for p in pairs if not frame.select(p).is_duplicated().any()), None)


def _dialect(path: Path) -> FileRule:
    """How a CSV file is read: the encoding its bytes fit, the delimiter its lines share."""
    name = file_name(path)
    kind = FORMATS.get(path.suffix.lower(), "")
    if kind not in ("csv", ""):
        return FileRule(name, (f"*{path.stem}*",), ())
    encoding, text = "utf-8", ""
    for encoding in ("utf-8", "windows-1252"):
        try:
            text = next(utf8_pieces(path, encoding))[0].decode()
            break
        except Exception:  # the bytes are not in it, whoever says so
            continue
    lines = [line for line in text.splitlines()[:50] if line]
    counts = {mark: [line.count(mark) for line in lines] for mark in DELIMITERS}
    steady = {mark: found[0] for mark, found in counts.items() if found and found[0] and _is_steady(found)}
    delimiter = max(steady, key=lambda mark: steady[mark]) if steady else ","
    return FileRule(name, (f"*{path.stem}*",), (), "" if kind else "csv", delimiter, encoding=encoding)


def _is_steady(counts: Sequence[int]) -> bool:
    """Whether most lines have as many as the header."""
    return sum(count >= counts[0] for count in counts) >= FIT * len(counts)


def _texts(series: pl.Series) -> pl.Series:
    texts = series.cast(pl.String, strict=False).str.strip_chars()
    return (
        texts.to_frame("t")
        .select(pl.when(~pl.col("t").is_in(["", "NULL", "N/A"])).then(pl.col("t")))
        .to_series()
    )


def _column(series: pl.Series) -> Column:
    texts = _texts(series)
    there = texts.drop_nulls()
    count = max(1, len(there))
    distinct = there.unique(maintain_order=True)
    words = (
        tuple(there.value_counts(sort=True, name="n").head(40).to_series(0).to_list())
        if len(distinct) <= 40
        else ()
    )
    made = Column(
        series.name,
        texts.null_count() / max(1, len(texts)),
        len(distinct) / count,
        tuple(distinct.head(3).to_list()),
        words,
        is_currency=bool(len(distinct)) and all(word in CURRENCIES for word in distinct.head(200)),
    )
    if not len(there):
        return made
    if series.dtype.is_temporal():
        is_instant = isinstance(series.dtype, pl.Datetime)
        zoned = isinstance(series.dtype, pl.Datetime) and series.dtype.time_zone is not None
        return replace(made, formats=(("iso",),), is_instant=is_instant, has_zone=zoned)
    sample = distinct.sample(min(len(distinct), 2000), seed=1) if len(distinct) > 2000 else distinct
    formats, is_instant, zoned = _formats(sample)
    if formats:
        return replace(made, formats=formats, is_instant=is_instant, has_zone=zoned)
    return replace(made, numbers=_numbers(sample))


def _formats(texts: pl.Series) -> tuple[tuple[tuple[str, ...], ...], bool, bool]:
    """(formats that read most, alone or two together; whether they have the time; whether a zone)."""
    if _share(texts.str.contains(r"\d{1,4}[-/. ]|[A-Z][a-z]{2} \d")) < LIKELY:
        return (), False, False
    is_timed = _share(texts.str.contains(r"\d:\d\d")) > 0.5
    fits: dict[tuple[str, ...], pl.Series] = {}
    for fmt in TIME_FORMATS if is_timed else DAY_FORMATS:
        value = Value("", (), formats=(fmt,), time="00:00", twice="earlier")
        found = read_instants(texts, value, "UTC") if is_timed else read_days(texts, value, "UTC")
        if found.null_count() < len(found):
            fits[(fmt,)] = found.is_not_null()
    for first, second in combinations(list(fits), 2):
        if not ambiguous_pair((*first, *second)):
            fits[(*first, *second)] = fits[first] | fits[second]
    best = max(map(_share, fits.values()), default=0)
    if best < LIKELY:
        return (), False, False
    able = [formats for formats, fit in fits.items() if _share(fit) > best - SAME]
    fewest = min(map(len, able))
    zoned = is_timed and _share(texts.str.contains(r"(Z|[+-]\d\d:?\d\d)$")) > 0.5
    return tuple(formats for formats in able if len(formats) == fewest), is_timed, zoned


def _share(flags: pl.Series) -> float:
    mean = flags.mean()
    return float(mean) if isinstance(mean, int | float) else 0.0


def _numbers(texts: pl.Series) -> tuple[tuple[str, str], ...]:
    """(decimal, thousands) by which most are numbers; several when nothing decides."""
    if _share(texts.str.contains(_NUMBER)) < LIKELY:
        return ()
    bare = texts.str.replace_all(r"[^\d.,' +-]", "").str.strip_chars().alias("text").to_frame()
    shares = {
        (decimal, thousands): _share(
            bare.select(
                number_text(pl.col("text"), Value("", (), decimal=decimal, thousands=thousands)).is_not_null()
            ).to_series()
        )
        for decimal in (".", ",")
        for thousands in ("", ",", ".", "'", " ")
        if decimal != thousands
    }
    best = max(shares.values())
    if best < LIKELY:
        return ()
    able = [marks for marks, share in shares.items() if share > best - SAME]
    if not bare["text"].str.contains(r"[.,]").any():
        return ((".", ""),)
    return tuple(dict(reversed(able)).items())  # the simplest for each decimal mark


def shared_key(a: FileProfile, b: FileProfile) -> tuple[str, str, float] | None:
    """(column of a, column of b, share of a's values that b has): where rows of a probably find rows of b."""
    best: tuple[str, str, float] | None = None
    for ours in a.columns:
        for theirs in b.columns:
            mine, others = a.values.get(ours.name), b.values.get(theirs.name)
            if (
                not mine
                or not others
                or theirs.share_distinct < FIT
                or theirs.formats
                or theirs.numbers
                and not theirs.is_called("id")
            ):
                continue
            share = len(mine & others) / len(mine)
            if len(mine & others) >= 2 and share > 0.01 and (best is None or share > best[2]):
                best = ours.name, theirs.name, share
    return best
