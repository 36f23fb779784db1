"""The topics that records are published to again: where a key belongs in them, and what they hold already."""

import sqlite3
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from worker.broker.log import LogReader
from worker.lane.sending import TopicNames
from worker.recovery.republish.order import ALL, Order
from worker.settings import Settings
from worker.wire.outgoing import Outgoing, Topic
from worker.wire.partitions import partition_of_key

_GONE: Final = -1
"""In place of a sequence: the key's newest record is a tombstone."""
_UNKNOWN: Final = -2
"""The key's newest record is none that a worker wrote: anything of ours is better."""


class Targets(TopicNames):
    """Real names and partition counts of the topics that an order goes to.

    Records of one's own topics go where the worker puts them, those of others where their partitions say.
    """

    def __init__(self, settings: Settings, order: Order, present: Mapping[str, int]) -> None:
        """`present` are the topics of the cluster with their partitions."""
        super().__init__(settings)
        self._own = TopicNames(settings)
        self.name = {topic: order.name(topic, settings) for topic in ALL}
        own = settings.topics.partitions
        self.counts = {
            topic: own if order.is_own(topic, settings) else present.get(self.name[topic], own) for topic in ALL
        }

    def log_of(self, topic: Topic, key: bytes | None) -> TopicPartition:
        """Where a record of this key belongs. A record without a key goes to partition 0."""
        partition = 0 if key is None else partition_of_key(key, self.counts[topic])
        return TopicPartition(self.name[topic], partition)

    def own_log_of(self, topic: Topic, key: bytes) -> TopicPartition:
        """Where the worker puts a record of this key, wherever this order goes."""
        return self._own.log_of(topic, key)

    def logs(self, topics: Iterable[Topic]) -> list[TopicPartition]:
        """Every partition of these topics, each once."""
        found = {TopicPartition(self.name[topic], n): None for topic in topics for n in range(self.counts[topic])}
        return list(found)


async def records_in(reader: LogReader, targets: Targets, topics: Iterable[Topic]) -> dict[Topic, int]:
    """How many offsets each topic holds, markers and compacted records included: 0 is a topic that is empty."""
    found = {}
    for topic in topics:
        ranges = [await reader.range_of(log) for log in targets.logs([topic])]
        found[topic] = sum(held.end - held.start for held in ranges)
    return found


class Standing:
    """What topics of states hold: of each key the sequence and the bytes of its newest record. On disk, not in memory.

    Not for two tasks at once.
    """

    def __init__(self, consumer: AIOKafkaConsumer, uncommitted: AIOKafkaConsumer, targets: Targets) -> None:
        """Two consumers that are connected and read by position; the first reads committed records only."""
        self._consumer = consumer
        self._uncommitted = uncommitted
        self._targets = targets
        self._topics: dict[str, Topic] = {}
        self._logs: list[TopicPartition] = []
        self._kept = sqlite3.connect("", isolation_level=None)  # a file of its own that goes with it
        self._kept.execute("CREATE TABLE states (topic, key, sequence, hash, PRIMARY KEY (topic, key)) WITHOUT ROWID")

    async def open(self, topics: Iterable[Topic]) -> None:
        """Read these topics from their beginning."""
        self._topics = {self._targets.name[topic]: topic for topic in topics}
        self._logs = self._targets.logs(self._topics.values())
        if self._logs:
            self._consumer.assign(self._logs)
            await self._consumer.seek_to_beginning(*self._logs)
            await self.read_on()

    async def read_on(self) -> int:
        """Read what came since. Waits until everything that is there now is decided; returns how many there were."""
        if not self._logs:
            return 0
        ends = await self._uncommitted.end_offsets(self._logs)
        count = 0
        while any([await self._consumer.position(log) < ends[log] for log in self._logs]):
            for log, records in (await self._consumer.getmany(timeout_ms=100)).items():
                topic = self._topics[log.topic]
                self._keep([(topic, record.key, record.value) for record in records])
                count += len(records)
        return count

    def take(self, published: Iterable[Outgoing]) -> None:
        """These were published by ourselves."""
        self._keep([(record.topic, record.key, record.value) for record in published])

    def why_not(self, record: Outgoing) -> str | None:
        """Why a state must not be published, or need not be; None if it is to be."""
        query = "SELECT sequence, hash FROM states WHERE topic = ? AND key = ?"
        found = self._kept.execute(query, (record.topic.value, record.key)).fetchone()
        if found is None:
            return None
        sequence, hash_ = found
        ours = sequence_of(record.value)
        if hash_ == _hash(record.value):
            return "alreadyThere"
        if sequence == _GONE:
            return "older"
        return "older" if ours != _GONE and sequence > ours else None

    def close(self) -> None:
        """Let go of the disk."""
        self._kept.close()

    def _keep(self, records: Iterable[tuple[Topic, bytes | None, bytes | None]]) -> None:
        rows = [(topic.value, key, sequence_of(value), _hash(value)) for topic, key, value in records]
        self._kept.executemany("INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?)", rows)


def sequence_of(value: bytes | None) -> int:
    """The sequence of a state; below every sequence for a tombstone and for what no worker wrote."""
    if value is None:
        return _GONE
    try:
        sequence = orjson.loads(value)["sequence"]
    except (ValueError, TypeError, KeyError):
        return _UNKNOWN
    return sequence if type(sequence) is int and 0 <= sequence < 1 << 63 else _UNKNOWN


def _hash(value: bytes | None) -> bytes:
    return b"" if value is None else blake2b(value, digest_size=16).digest()
