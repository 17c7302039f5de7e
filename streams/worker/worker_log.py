"""The worker's log: warnings only, and none of them by the thousand."""

from __future__ import annotations

import logging
import time

QUIET_SECONDS = 60.0

# The first group on a new cluster finds no coordinator for a moment; it asks again until there is one.
_SAYS_NOTHING = ("aiokafka.consumer.group_coordinator",)


class OncePerMinute(logging.Filter):
    """Lets a message through once a minute, with the number of times it was said meanwhile.

    While a broker is away each of its clients says so ten times a second. Two messages are the same when
    logger and template are, whatever the values in them.
    """

    def __init__(self, quiet_seconds: float = QUIET_SECONDS) -> None:
        super().__init__()
        self.quiet_seconds = quiet_seconds
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """True for the records to write."""
        key = (record.name, str(record.msg))
        said_at, held_back = self._said.get(key, (-self.quiet_seconds, 0))
        now = time.monotonic()
        if now - said_at < self.quiet_seconds:
            self._said[key] = (said_at, held_back + 1)
            return False
        self._said[key] = (now, 0)
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
    for name in _SAYS_NOTHING:
        logging.getLogger(name).setLevel(logging.CRITICAL)
