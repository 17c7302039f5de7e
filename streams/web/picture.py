"""A picture of the page, by a Chromium of this machine when it has one."""

from __future__ import annotations

from pathlib import Path

from streams.local.browser import run_browser

WIDTH, HEIGHT = 1440, 1500
# How long scripts may draw before the picture is taken.
DRAWING_MS = 4_000


def take_picture(url: str, file: Path) -> bool:
    """Write a PNG of the page at an address; False when no browser is here, or it fails."""
    is_taken = run_browser(
        url,
        "--hide-scrollbars",
        f"--window-size={WIDTH},{HEIGHT}",
        f"--timeout={DRAWING_MS}",
        f"--screenshot={file}",
    )
    return is_taken and file.exists()
