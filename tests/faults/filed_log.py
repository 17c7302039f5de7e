"""A Kafka log in one file, for mixes too many to give each a broker: partitions, transactions with their
markers, and the part of aiokafka's consumer that the sink uses.

The sink that reads it is the real one. The log is a small real implementation: one writer appends lines, any
process reads on from where it was, and so a reader can be killed or frozen at any moment without harm to it.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from streams.kafka.topics import PARTITIONS
from tests.faults.running import Record

Place = tuple[str, int]
OPEN, COMMITTED, ABORTED = "open", "committed", "aborted"
FETCHES_THAT_BEGIN_EARLIER = 4
WRITTEN_MS = 1_780_000_000_000


class FiledLog:
    """The log as its writer has it. A line of the file is records, the end of a transaction, or a topic."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partitions = dict(PARTITIONS)
        self._touched: dict[int, set[Place]] = defaultdict(set)
        for topic, count in PARTITIONS.items():
            self._write({"topic": topic, "partitions": count})

    def append(self, records: Sequence[Record], transaction: int = 0) -> None:
        """Write records, in a transaction that must be ended, or (0) in none."""
        lines = [[r.topic, r.partition, _hex(r.key), _hex(r.value)] for r in records]
        self._write({"records": lines, "transaction": transaction})
        if transaction:
            self._touched[transaction] |= {(record.topic, record.partition) for record in records}

    def end(self, transaction: int, outcome: str) -> None:
        """Commit or abort: a marker, which is a record nobody sees, in every partition it touched."""
        places = sorted(self._touched.pop(transaction))
        self._write({"ended": transaction, "outcome": outcome, "places": places})

    def add_partition(self, topic: str) -> None:
        self.partitions[topic] += 1
        self._write({"topic": topic, "partitions": self.partitions[topic]})

    def _write(self, line: Mapping[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")


class LogReader:
    """The log as a reader knows it, of whole lines only; look() reads on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self._outcomes = {0: COMMITTED}
        # Per partition (transaction, key, value) of each offset; a marker has transaction -1.
        self._entries: dict[Place, list[tuple[int, bytes | None, bytes | None]]] = {}

    def look(self) -> None:
        with self._path.open("rb") as file:
            file.seek(self._at)
            found = file.read()
        whole = found[: found.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in map(json.loads, whole.splitlines()):
            if "topic" in line:
                for partition in range(line["partitions"]):
                    self._entries.setdefault((line["topic"], partition), [])
            elif "records" in line:
                self._outcomes.setdefault(line["transaction"], OPEN)
                for topic, partition, key, value in line["records"]:
                    entry = (line["transaction"], _bytes(key), _bytes(value))
                    self._entries[(topic, partition)].append(entry)
            else:
                self._outcomes[line["ended"]] = line["outcome"]
                for topic, partition in line["places"]:
                    self._entries[(topic, partition)].append((-1, None, None))

    def extent(self) -> dict[Place, tuple[int, int]]:
        """(0, last stable offset) of the partitions of topics with facts: all before it is decided."""
        return {p: (0, self.stable(p)) for p in self._entries if not p[0].startswith("funnel.dead")}

    def stable(self, place: Place) -> int:
        entries = self._entries[place]
        unsettled = (n for n, (t, *_) in enumerate(entries) if self._outcomes.get(t) == OPEN)
        return next(unsettled, len(entries))

    def committed(self, place: Place, at: int, most: int) -> Iterator[tuple[int, bytes | None, bytes | None]]:
        """(offset, key, value) of the committed records from an offset on."""
        found = 0
        for offset in range(at, self.stable(place)):
            transaction, key, value = self._entries[place][offset]
            if self._outcomes.get(transaction) == COMMITTED and found < most:
                found += 1
                yield offset, key, value


class FiledConsumer:
    """AIOKafkaConsumer over a filed log, as far as the sink uses it; bootstrap servers: the path.

    Like a broker, which sends batches whole, some of its fetches begin before the offset that was asked for.
    """

    def __init__(self, *, bootstrap_servers: str, **_: Any) -> None:
        self._log = LogReader(Path(bootstrap_servers))
        self._positions: dict[TopicPartition, int] = {}
        self._fetches: Counter[TopicPartition] = Counter()

    async def start(self) -> None:
        self._log.look()

    async def stop(self) -> None:
        """Nothing is held."""

    def assign(self, places: list[TopicPartition]) -> None:
        self._positions = dict.fromkeys(places, 0)

    def seek(self, place: TopicPartition, at: int) -> None:
        self._positions[place] = at

    async def position(self, place: TopicPartition) -> int:
        return self._positions[place]

    def last_stable_offset(self, place: TopicPartition) -> int:
        return self._log.stable((place.topic, place.partition))

    async def getmany(
        self, *places: TopicPartition, timeout_ms: int, max_records: int = 500
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        self._log.look()
        found = {}
        for place in places or list(self._positions):
            records = self._fetch(place, max_records)
            max_records -= len(records)
            if records:
                found[place] = records
            if max_records <= 0:
                break
        await asyncio.sleep(0 if found else min(timeout_ms, 20) / 1000)
        return found

    def _fetch(self, place: TopicPartition, most: int) -> list[ConsumerRecord]:
        topic, partition = place
        self._fetches[place] += 1
        begin = self._positions[place]
        is_early = self._fetches[place] % FETCHES_THAT_BEGIN_EARLIER == 0
        at = max(0, begin - 2) if is_early and most > 2 else begin
        records = [
            ConsumerRecord(
                topic, partition, offset, WRITTEN_MS, 0, key, value, None, 0, len(value or b""), ()
            )
            for offset, key, value in self._log.committed((topic, partition), at, most)
        ]
        has_all = len(records) < most
        end = self._log.stable((topic, partition)) if has_all or not records else records[-1].offset + 1
        self._positions[place] = max(begin, end)
        return records


class FiledWatch:
    """LogWatch over a filed log: partitions that are added are noticed."""

    def __init__(self, path: Path) -> None:
        self._log = LogReader(path)

    def look(self, offsets: Mapping[Place, int]) -> dict[Place, tuple[int, int]]:
        self._log.look()
        return self._log.extent()

    def close(self) -> None:
        """Nothing is held."""


def _hex(content: bytes | None) -> str | None:
    return None if content is None else content.hex()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)
