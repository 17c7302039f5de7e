"""The worker's log: warnings only, rate-limited."""

from __future__ import annotations

import logging
import time

QUIET_SECONDS = 60.0

# The first group on a new cluster finds no coordinator for a moment; the client retries until there is one.
_MUTED = ("aiokafka.consumer.group_coordinator",)


class OncePerMinute(logging.Filter):
    """Passes a message once a minute, with the number of repetitions in between.

    While a broker is down each of its clients logs it ten times a second. Two messages are the same when
    logger and template are, whatever the values in them.
    """

    def __init__(self, quiet_seconds: float = QUIET_SECONDS) -> None:
        super().__init__()
        self.quiet_seconds = quiet_seconds
        self._logged: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """True for the records to write."""
        key = (record.name, str(record.msg))
        logged_at, held_back = self._logged.get(key, (-self.quiet_seconds, 0))
        now = time.monotonic()
        if now - logged_at < self.quiet_seconds:
            self._logged[key] = (logged_at, held_back + 1)
            return False
        self._logged[key] = (now, 0)
        if held_back:
            record.msg = f"{record.getMessage()} (and {held_back} more like it)"
            record.args = ()
        return True


def log_warnings() -> None:
    """Set up logging for this process: warnings and worse, on stderr."""
    handler = logging.StreamHandler()
    handler.addFilter(OncePerMinute())
    logging.basicConfig(
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=[handler],
    )
    for name in _MUTED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
