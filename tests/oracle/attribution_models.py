"""How each attribution model divides a win among the sessions before it, in millionths."""

from __future__ import annotations

from collections.abc import Callable

MODELS = ("first", "last", "linear", "position", "w")
WHOLE = 1_000_000


def shares(model: str, sessions: int, lead: int, deal: int) -> list[int]:
    """Millionths for each of the sessions, which sum to a million; the last one takes what rounding leaves.

    lead, deal: position, from 1, of the session in which the lead and the deal were created.
    """
    parts = _MODELS[model](sessions, lead, deal)
    return [*parts[:-1], WHOLE - sum(parts[:-1])]


def _first(sessions: int, lead: int, deal: int) -> list[int]:
    return [WHOLE, *[0] * (sessions - 1)]


def _last(sessions: int, lead: int, deal: int) -> list[int]:
    return [*[0] * (sessions - 1), WHOLE]


def _linear(sessions: int, lead: int, deal: int) -> list[int]:
    return [WHOLE // sessions] * sessions


def _position(sessions: int, lead: int, deal: int) -> list[int]:
    if sessions < 3:
        return _linear(sessions, lead, deal)
    between = sessions - 2
    return [400_000, *[200_000 // between] * between, 400_000]


def _w(sessions: int, lead: int, deal: int) -> list[int]:
    named = (1, lead, deal)
    rest = sessions - len(set(named))
    parts = []
    for position in range(1, sessions + 1):
        times = named.count(position)
        if not rest:
            parts.append(WHOLE * times // 3)
        else:
            parts.append(300_000 * times if times else 100_000 // rest)
    return parts


_MODELS: dict[str, Callable[[int, int, int], list[int]]] = {
    "first": _first,
    "last": _last,
    "linear": _linear,
    "position": _position,
    "w": _w,
}
