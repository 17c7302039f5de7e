"""A picture of the page, by a Chromium of this machine when it has one."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTH, HEIGHT = 1440, 1500
SECONDS = 60.0
# How long scripts may draw before the picture is taken.
DRAWING_MS = 4_000


def take_picture(url: str, file: Path) -> bool:
    """Write a PNG of the page at an address; False when no browser is here, or it fails. The browser's own
    files go to a folder that is removed."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        return False
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser,
            "--headless=new",
            "--disable-gpu",
            "--hide-scrollbars",
            "--no-first-run",
            f"--user-data-dir={profile}",
            f"--window-size={WIDTH},{HEIGHT}",
            f"--timeout={DRAWING_MS}",
            f"--screenshot={file}",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),  # Chromium refuses to run as root with one
            url,
        ]
        try:
            subprocess.run(command, capture_output=True, timeout=SECONDS, check=True)
        except (subprocess.SubprocessError, OSError):
            return False
    return file.exists()
