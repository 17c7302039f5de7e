"""What agents share that decide by the playbook's rules, with a table of what they know."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from schemas.codec import RegistryLookup
from streams.kafka.names import NO_PREFIX, Names
from streams.reactions.measurements import BeforeAck, Deliver, Event
from streams.reactions.rule_board import RuleBoard


class Store(Protocol):
    """A table with a changelog: values that JSON can hold, by key."""

    def get(self, key: str) -> Any: ...

    def put(self, key: str, value: Any) -> None: ...

    def items(self) -> Iterable[tuple[str, Any]]: ...


@dataclass(kw_only=True)
class RuleAgent(ABC):
    """An agent over obligations. clock: now, for rules that time alone makes hold."""

    store: Store
    board: RuleBoard
    deliver: Deliver
    before_ack: BeforeAck
    clock: Callable[[], datetime]
    registry: RegistryLookup | None = None
    names: Names = NO_PREFIX

    async def agent(self, events: AsyncIterable[Event]) -> AsyncIterator[None]:
        """Take each record; the same again changes nothing. Alerts are in Kafka before the table records
        them: a crash in between sends them again, with the same ids."""
        async for event in events:
            async with self.before_ack():
                await self._take(event)
            yield

    @abstractmethod
    async def _take(self, event: Event) -> None:
        """Decide by one record, and record what was said."""
