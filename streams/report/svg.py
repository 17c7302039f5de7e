"""Charts as SVG text: bars, a waterfall, a stacked bar. The same values give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

WIDTH = 720
LABEL, TEXT = 190, 110  # room for the labels on the left and the values on the right
ROW, BAR = 26, 16
INK, RULE = "#1d2733", "#c9d1da"
PLAIN, MISSING, GAINED = "#2f6f9f", "#c2553a", "#3d8a5f"
# Light to dark, so that they differ in grey too.
PARTS = ("#d9e8f2", "#9fc4dd", "#5d97bf", "#2f6f9f", "#17405f", "#c2553a", "#8a8f98", "#3d8a5f")
_LONGEST_LABEL = 30

Row = tuple[str, float, str]  # label, value, value as text


def bars(label: str, rows: Sequence[Row]) -> Markup:
    """A bar for each row, from zero; what is negative is shown as nothing missing."""
    most = max((value for _, value, _ in rows), default=0) or 1
    drawn = []
    for place, (name, value, text) in enumerate(rows):
        length = _room() * max(value, 0) / most
        drawn += [_label(place, name), _bar(place, 0, length, PLAIN), _value(place, length, text)]
    return _chart(label, len(rows), drawn)


def waterfall(label: str, rows: Sequence[Row], total: Row) -> Markup:
    """Each row begins where the one before ended; the last bar is their sum."""
    edges = [0.0]
    for _, value, _ in rows:
        edges.append(edges[-1] + value)
    low, high = min(*edges, total[1], 0), max(*edges, total[1], 0)
    scale = _room() / ((high - low) or 1)
    drawn = [_line((0 - low) * scale, len(rows) + 1)]
    for place, (name, value, text) in enumerate(rows):
        start, end = sorted((edges[place], edges[place + 1]))
        color = MISSING if value > 0 else GAINED
        drawn += [_label(place, name), _bar(place, (start - low) * scale, (end - start) * scale, color)]
        drawn.append(_value(place, (end - low) * scale, text))
    start, end = sorted((0.0, total[1]))
    drawn += [
        _label(len(rows), total[0], is_strong=True),
        _bar(len(rows), (start - low) * scale, (end - start) * scale, INK),
        _value(len(rows), (end - low) * scale, total[2]),
    ]
    return _chart(label, len(rows) + 1, drawn)


def stacked(label: str, names: Sequence[str], rows: Sequence[tuple[str, Sequence[int]]]) -> Markup:
    """A bar for each row, as long as all others, divided by its values; below it the names with their
    colours."""
    drawn = []
    for place, (name, values) in enumerate(rows):
        total, x = sum(values), 0.0
        drawn.append(_label(place, name))
        for value, color in zip(values, _colors(), strict=False):
            length = _room() * value / total if total else 0
            drawn.append(_bar(place, x, length, color))
            x += length
        drawn.append(_value(place, _room(), f"{total:,}"))
    columns = 4
    for place, (name, color) in enumerate(zip(names, _colors(), strict=False)):
        x, y = 170 * (place % columns), ROW * len(rows) + 8 + 18 * (place // columns)
        drawn.append(f'<rect x="{x}" y="{y}" width="10" height="10" fill="{color}"/>')
        drawn.append(f'<text x="{x + 15}" y="{y + 9}">{_short(name)}</text>')
    legend = 12 + 18 * -(-len(names) // columns)
    return _chart(label, len(rows), drawn, legend)


def _chart(label: str, rows: int, drawn: Sequence[str], below: int = 0) -> Markup:
    height = ROW * rows + below
    return Markup(
        f'<svg class="chart" role="img" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' xmlns="http://www.w3.org/2000/svg" font-size="12" fill="{INK}"><title>{escape(label)}</title>'
        f"{''.join(drawn)}</svg>"
    )


def _room() -> int:
    return WIDTH - LABEL - TEXT


def _colors() -> Iterator[str]:
    while True:
        yield from PARTS


def _label(place: int, name: str, is_strong: bool = False) -> str:
    weight = ' font-weight="600"' if is_strong else ""
    return f'<text x="{LABEL - 8}" y="{ROW * place + 17}" text-anchor="end"{weight}>{_short(name)}</text>'


def _bar(place: int, x: float, length: float, color: str) -> str:
    if length <= 0:
        return ""
    y = ROW * place + (ROW - BAR) // 2
    return f'<rect x="{LABEL + x:.1f}" y="{y}" width="{max(length, 0.5):.1f}" height="{BAR}" fill="{color}"/>'


def _value(place: int, x: float, text: str) -> str:
    return f'<text x="{LABEL + x + 6:.1f}" y="{ROW * place + 17}">{escape(text)}</text>'


def _line(x: float, rows: int) -> str:
    return (
        f'<line x1="{LABEL + x:.1f}" y1="0" x2="{LABEL + x:.1f}" y2="{ROW * rows}" stroke="{RULE}"'
        ' stroke-width="1"/>'
    )


def _short(name: str) -> str:
    return str(escape(name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "…"))
