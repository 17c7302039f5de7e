"""What a sink writes through."""

from __future__ import annotations

from collections.abc import Mapping

from warehouse.commit import Batch, Mark
from warehouse.warehouse import Warehouse


class WarehouseWriter:
    """Writes batches into a warehouse, through a connection of its own."""

    max_batch_records = 20_000

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._committer = warehouse.committer()

    def next_offsets(self) -> Mapping[tuple[str, int], int]:
        return self._warehouse.next_offsets()

    def marks(self) -> Mapping[tuple[str, int], Mark]:
        return self._warehouse.marks()

    def write(self, batch: Batch) -> None:
        self._committer.commit(batch)
