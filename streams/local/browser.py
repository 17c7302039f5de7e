"""A Chromium of this machine, where there is one: it takes pictures and prints pages without a window."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS = 60.0


def run_browser(url: str, *options: str) -> bool:
    """Open an address without a window; False when no browser is here, or it fails. The browser's own files
    go to a folder that is removed."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        return False
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser,
            "--headless=new",
            "--disable-gpu",
            "--no-first-run",
            f"--user-data-dir={profile}",
            *options,
            *(["--no-sandbox"] if os.geteuid() == 0 else []),  # Chromium refuses to run as root with one
            url,
        ]
        try:
            subprocess.run(command, capture_output=True, timeout=SECONDS, check=True)
        except (subprocess.SubprocessError, OSError):
            return False
    return True
