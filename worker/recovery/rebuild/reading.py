"""Reading the topics that a database is rebuilt from: partition by partition, and commands by their place."""

from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from worker.broker import clients
from worker.broker.log import LogRange, LogReader
from worker.settings import Settings
from worker.wire.horizons import Horizon, horizon_key, read_horizon
from worker.wire.incoming import content_of
from worker.wire.outgoing import Topic
from worker.wire.partitions import partition_of_key

RECORDS_AT_ONCE: Final = 2_000
_POLL_MS: Final = 500
_FETCH_BYTES_MAX: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Unit:
    """One partition of a topic, up to where it ended when the run was planned."""

    topic: Topic
    log: TopicPartition
    start: int
    end: int

    @property
    def count(self) -> int:
        """How many offsets it has: records, and markers of transactions."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Published:
    """A lane as its topics know it. `seen_at` is where its horizon lies."""

    partition: int
    horizon: Horizon
    seen_at: int


def consumer(settings: Settings) -> AIOKafkaConsumer:
    """A consumer of one partition at a time, that fetches little ahead. Not started."""
    return clients.consumer(
        settings.kafka, fetch_max_bytes=_FETCH_BYTES_MAX, max_partition_fetch_bytes=_FETCH_BYTES_MAX
    )


async def read_partition(
    reader: AIOKafkaConsumer, unit: Unit, first: int, *, records_max: int = RECORDS_AT_ONCE
) -> AsyncGenerator[tuple[Sequence[ConsumerRecord], int], None]:
    """The committed records of a partition from an offset on, and how far it is read with them."""
    reader.assign([unit.log])
    reader.seek(unit.log, max(first, unit.start))
    while await reader.position(unit.log) < unit.end:
        for records in (await _take(reader, unit.log, records_max)).values():
            wanted = [record for record in records if record.offset < unit.end]
            yield wanted, min(records[-1].offset + 1, unit.end)
    yield (), unit.end


async def _take(reader: AIOKafkaConsumer, log: TopicPartition, records_max: int) -> dict[Any, list[ConsumerRecord]]:
    """What comes next; what the topic has let go of meanwhile, since its time was over, is passed by."""
    try:
        taken: dict[Any, list[ConsumerRecord]] = await reader.getmany(log, timeout_ms=_POLL_MS, max_records=records_max)
    except OffsetOutOfRangeError:
        start = (await reader.beginning_offsets([log]))[log]
        if start <= await reader.position(log):
            raise
        reader.seek(log, start)
        return {}
    return taken


async def lanes_of(settings: Settings, logs: LogReader, partitions: int) -> list[Published]:
    """Every lane that ever published, as its newest horizon tells."""
    name = settings.topics.horizons
    found = []
    for partition in range(partitions):
        key = horizon_key(settings.topics.commands, partition)
        log = TopicPartition(name, partition_of_key(key, settings.topics.partitions))
        record = await logs.newest_of_key(log, key)
        horizon = read_horizon(record.value) if record is not None else None
        if record is not None and horizon is not None:
            found.append(Published(partition, horizon, record.offset))
    return found


async def unit_of(logs: LogReader, topic: Topic, log: TopicPartition) -> Unit:
    """A partition as it is now, open transactions included: nothing of those is read that is not committed."""
    bounds: LogRange = await logs.range_of(log)
    return Unit(topic, log, bounds.start, bounds.end)


class Commands:
    """The commands that their topic still has, by their place; each lane is read forward."""

    def __init__(self, reader: AIOKafkaConsumer, units: dict[int, Unit], bytes_max: int) -> None:
        self._reader = reader
        self._units = units
        self._bytes_max = bytes_max
        self._positions: dict[int, int] = {}

    async def hashes(self, lane: int, offsets: Collection[int]) -> dict[int, bytes]:
        """The hashes of the contents of these commands; nothing for those that are gone or not readable."""
        unit = self._units.get(lane)
        if unit is None or not offsets:
            return {}
        wanted = frozenset(offsets)
        last = max(wanted)
        first = max(unit.start, min(wanted), self._positions.get(lane, 0))
        found: dict[int, bytes] = {}
        if first > last:
            return found
        async for records, position in read_partition(self._reader, _until(unit, last + 1), first):
            for record in records:
                if record.offset in wanted and (content_hash := content_of(record, self._bytes_max)) is not None:
                    found[record.offset] = content_hash
            self._positions[lane] = position
        return found


def _until(unit: Unit, end: int) -> Unit:
    return Unit(unit.topic, unit.log, unit.start, min(unit.end, end))
