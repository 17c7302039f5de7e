"""What a worker says on stderr: warnings, rate-limited, and what it reports of itself; as text, or as one
JSON object a line for programs that collect logs."""

from __future__ import annotations

import json
import logging
import os
import time
from datetime import UTC, datetime

from schemas.errors import BatonError
from streams.settings import SETTINGS

QUIET_SECONDS = 60.0

# What a worker reports of itself: a line that a person reads as it is.
_REPORT = logging.getLogger("baton.report")
# The first group on a new cluster finds no coordinator for a moment; the client retries until there is one.
# And a busy machine makes a client's turn longer than it likes.
_MUTED = ("aiokafka.consumer.group_coordinator", "kafka.net.selector")


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
        if record.name == _REPORT.name:
            return True
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


class Text(logging.Formatter):
    """For people: time, level and logger before each warning; reports as they are."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One line, or more with a stack trace."""
        return record.getMessage() if record.name == _REPORT.name else super().format(record)


class JsonLines(logging.Formatter):
    """For programs: one JSON object a line, whatever the message holds."""

    def format(self, record: logging.LogRecord) -> str:
        """time (UTC), level, logger and message; of an error also where, why, next and its stack trace."""
        said: dict[str, str | int] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        error = getattr(record, "error", None)
        if isinstance(error, BatonError):
            facts = error.as_dict()
            said |= {"message": facts.pop("error"), **facts}
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


def log_format() -> str:
    """text or json, as BATON_LOG_FORMAT says. Raises BatonError for anything else."""
    [setting] = [setting for setting in SETTINGS if setting.name == "BATON_LOG_FORMAT"]
    return str(setting.value(os.environ))


def set_up_log() -> None:
    """Set up logging for this process: warnings and worse, and reports, on stderr."""
    handler = logging.StreamHandler()
    handler.addFilter(OncePerMinute())
    handler.setFormatter(JsonLines() if log_format() == "json" else Text())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    _REPORT.setLevel(logging.INFO)
    for name in _MUTED:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def report(text: str, level: int = logging.INFO) -> None:
    """Say how this worker does."""
    _REPORT.log(level, "%s", text)


def report_error(error: BatonError) -> None:
    """Say why the worker ends."""
    _REPORT.error("baton: %s", error, extra={"error": error})
