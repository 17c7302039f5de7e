"""Events given twice, and ids that stand for two things: a mistake of the source that no reader can mend."""

from __future__ import annotations

from hashlib import blake2b
from uuid import UUID

from schemas.catalogue import EventType
from schemas.field_checks import shown
from schemas.validation import ContractViolation, Record, event_identity

_LINE_BITS = 40


class Copies:
    """Remembers what each id of a file stood for: some 150 bytes an event, and no event itself."""

    def __init__(self) -> None:
        self.count = 0
        self._seen: dict[int, int] = {}

    def note(self, event: EventType, record: Record, line: int) -> None:
        """Count the event when it is a copy: the same type, id and content, whenever it was recorded.

        Raises ContractViolation when an earlier line says something else under the same type and id: only
        one of the two would ever count.
        """
        name = f"{event.name}\0{record['event_id']}".encode()
        key = int.from_bytes(blake2b(name, digest_size=8).digest(), "big")
        content = UUID(event_identity(event, record)).int >> 64
        seen = self._seen.setdefault(key, content << _LINE_BITS | line)
        earlier = seen & (1 << _LINE_BITS) - 1
        if earlier == line:
            return
        if seen >> _LINE_BITS != content:
            named = shown(record["event_id"])
            why = f"{named} stands for something else on line {earlier}; one id is one event"
            raise ContractViolation("event_id", why, event.name)
        self.count += 1
