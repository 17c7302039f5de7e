"""Follows which playbooks are in force, from what the sink commits, for the agents of every worker."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from projections.agreement import InForce
from streams.kafka.producer import Producer
from streams.reactions.rule_board import RuleBoard
from streams.worker.shutdown import wait_for_stop
from warehouse.warehouse import Warehouse

LOOK_SECONDS = 0.5
_KNOWN = """
select (select count(*) from log.playbook_proposed), (select count(*) from log.playbook_signed)
"""


class RulesWatch:
    """Puts the playbooks of a warehouse on the board, and publishes them. Looks only when one was proposed or
    signed since."""

    def __init__(self, warehouse: Warehouse, board: RuleBoard, producer: Producer) -> None:
        self.warehouse = warehouse
        self.connection = warehouse.cursor()
        self.board = board
        self.producer = producer
        self._known: list[tuple[int, ...]] | None = None
        self._is_published = False

    def look(self) -> tuple[InForce, ...] | None:
        """The playbooks; None when nothing was proposed or signed since the last look."""
        known = self.connection.execute(_KNOWN).fetchall()
        if known == self._known:
            return None
        self._known = known
        return tuple(self.warehouse.authority.agreement(self.connection).periods)

    async def apply(self, periods: tuple[InForce, ...] | None) -> None:
        """Put them on the board; other workers are informed."""
        is_new = periods is not None and self.board.put(periods)
        if is_new or not self._is_published:
            self._is_published = True
            await self.producer.deliver([self.board.message()])

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until `stop`."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "rules") as pool:
            while not stop.is_set():
                await self.apply(await loop.run_in_executor(pool, self.look))
                await wait_for_stop(stop, LOOK_SECONDS)
