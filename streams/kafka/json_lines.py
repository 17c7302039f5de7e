"""Events as JSON lines: one object a line, each line bounded, a bad one told with its reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from schemas.validation import ContractViolation

LONGEST_LINE = 1024 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(line number from 1, line). Of an overlong line only the beginning is kept, so memory stays bounded."""
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        rest = line
        while not rest.endswith(b"\n") and rest:
            rest = stream.readline(LONGEST_LINE)
        yield number, line


def parse_line(line: bytes) -> Any:
    """The line's JSON value. Raises ContractViolation, as for an event that breaks the contract."""
    if len(line) > LONGEST_LINE:
        raise ContractViolation("", f"the line is longer than {LONGEST_LINE:,} bytes")
    try:
        return json.loads(line.decode())
    except UnicodeDecodeError as error:
        why = f"the line is not UTF-8: {error.reason} at byte {error.start + 1}"
        raise ContractViolation("", why) from None
    except json.JSONDecodeError as error:
        raise ContractViolation("", f"the line is not JSON: {error.msg} at column {error.colno}") from None
    except (ValueError, RecursionError) as error:
        raise ContractViolation("", f"the line is not JSON that can be read: {error}") from None
