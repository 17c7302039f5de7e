"""Words that mean something beyond Baton: currencies of ISO 4217 and the names of periods."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

_CODES = Path(__file__).parent / "iso_4217.txt"
CURRENCIES = frozenset(
    code
    for line in _CODES.read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
    for code in line.split()
)
_SIGNS = {"€": "EUR", "$": "USD", "US$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR", "zł": "PLN", "R$": "BRL"}

_MONTH = r"[12][0-9]{3}-(0[1-9]|1[0-2])"
_PERIOD = re.compile(rf"(FY)?[12][0-9]{{3}}(-Q[1-4])?|{_MONTH}")
_YEAR = re.compile(r"[12][0-9]{3}|(?<![0-9])[0-9]{2}(?![0-9])")
_QUARTER = re.compile(r"Q([1-4])", re.IGNORECASE)


def wrong_currency(code: str) -> str | None:
    """Why a code is no currency, with the one that was probably meant; None when it is one."""
    if code in CURRENCIES:
        return None
    if not code:
        return "is empty; write a code of ISO 4217, as in EUR"
    bare = code.strip()
    meant = _SIGNS.get(bare) or next(iter(get_close_matches(bare.upper()[:8], sorted(CURRENCIES), n=1)), "")
    is_certain = bare.upper() in CURRENCIES or bare in _SIGNS
    return "is no currency of ISO 4217, in capitals; " + (
        f"did you mean {meant}?" if is_certain or meant else "write it as in EUR"
    )


def wrong_period(period: str) -> str | None:
    """Why a text names no period, with the one that was probably meant; None when it names one."""
    if _PERIOD.fullmatch(period):
        return None
    year, quarter = _YEAR.search(period), _QUARTER.search(period)
    why = "is no period; write 2026, 2026-Q1, 2026-03, FY2026 or FY2026-Q1"
    if year is None:
        return why
    fiscal = "FY" if period.upper().startswith("FY") else ""
    meant = f"{fiscal}{year[0].rjust(4, '_').replace('__', '20')}{f'-Q{quarter[1]}' if quarter else ''}"
    return f"{why}; did you mean {meant}?"
