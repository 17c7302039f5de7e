"""What a sink writes through: each batch is committed, then the states that have outgrown are folded."""

from __future__ import annotations

from collections.abc import Mapping

from warehouse.commit import Batch
from warehouse.compaction import Compaction
from warehouse.warehouse import Warehouse


class WarehouseWriter:
    """Writes batches into a warehouse, through connections of its own."""

    max_batch_records = 20_000

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._committer = warehouse.committer()
        self._compaction = Compaction(warehouse.cursor())

    def next_offsets(self) -> Mapping[tuple[str, int], int]:
        return self._warehouse.next_offsets()

    def write(self, batch: Batch) -> None:
        self._committer.commit(batch)
        self._compaction.compact_outgrown()
