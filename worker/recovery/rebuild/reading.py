"""Reading the topics that a database is rebuilt from: partition by partition, and commands by their place."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from worker.broker import clients
from worker.broker.log import LogRange, LogReader
from worker.recovery.rebuild.contents import content_of_answered
from worker.settings import Settings
from worker.wire.horizons import Horizon, LaneCounts, horizon_key, read_counts, read_horizon
from worker.wire.outgoing import Topic
from worker.wire.partitions import partition_of_key
from worker.wire.records import PlainRecord

RECORDS_AT_ONCE: Final = 2_000
_SLICE: Final = 200
_POLL_MS: Final = 5
"""Short: where a partition ends with the marker of a transaction nothing comes that could be waited for."""
_WAIT_MS_MAX: Final = 20
"""So long the broker waits for more at the end of a partition, and with it whoever goes on to the next one."""
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
class Page:
    """Records of a partition, and how far it is read with them."""

    unit: Unit
    records: Sequence[PlainRecord]
    position: int


@dataclass(frozen=True, slots=True)
class Published:
    """A lane as its topics know it. `seen_at` is where its horizon lies, `counts` what it tells of partitions.

    Without `seen_at` there was none, and the horizon is what it would tell.
    """

    partition: int
    horizon: Horizon
    seen_at: int | None
    counts: LaneCounts | None = None


def consumer(settings: Settings) -> AIOKafkaConsumer:
    """A consumer of one partition at a time, that fetches little ahead. Not started."""
    return clients.consumer(
        settings.kafka,
        is_plain=True,
        fetch_max_wait_ms=_WAIT_MS_MAX,
        fetch_max_bytes=_FETCH_BYTES_MAX,
        max_partition_fetch_bytes=_FETCH_BYTES_MAX,
    )


async def read_partition(
    reader: AIOKafkaConsumer, unit: Unit, first: int, *, records_max: int = RECORDS_AT_ONCE
) -> AsyncGenerator[tuple[Sequence[PlainRecord], int], None]:
    """The committed records of a partition from an offset on, and how far it is read with them."""
    reader.assign([unit.log])
    reader.seek(unit.log, max(first, unit.start))
    reached = first
    while await reader.position(unit.log) < unit.end:
        for records in (await _take(reader, unit.log, records_max)).values():
            wanted = [record for record in records if record.offset < unit.end]
            reached = min(records[-1].offset + 1, unit.end)
            yield wanted, reached
    if reached < unit.end:
        yield (), unit.end


async def read_all(
    reader: AIOKafkaConsumer, units: Sequence[tuple[Unit, int]], records_max: int
) -> AsyncGenerator[Page, None]:
    """The partitions one after the other, each from an offset on; of each the last page is where it ends."""
    for unit, first in units:
        async for records, position in read_partition(reader, unit, first, records_max=records_max):
            yield Page(unit, records, position)


async def _take(reader: AIOKafkaConsumer, log: TopicPartition, records_max: int) -> dict[Any, list[PlainRecord]]:
    """What comes next; what the topic has let go of meanwhile, since its time was over, is passed by."""
    try:
        taken: dict[Any, list[PlainRecord]] = await reader.getmany(log, timeout_ms=_POLL_MS, max_records=records_max)
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
            found.append(Published(partition, horizon, record.offset, read_counts(record.headers)))
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
        self._left: dict[int, Sequence[PlainRecord]] = {}
        self._read_last: int | None = None

    async def hashes(self, lane: int, offsets: Collection[int]) -> dict[int, bytes]:
        """The hashes of the contents of these commands, which were answered; nothing for those that are gone."""
        unit = self._units.get(lane)
        if unit is None or not offsets:
            return {}
        wanted, last = frozenset(offsets), max(offsets)
        found: dict[int, bytes] = {}
        await self._find(lane, self._left.pop(lane, ()), wanted, found)
        first = self._positions.get(lane, max(unit.start, min(wanted)))
        while first <= last and first < unit.end:
            if self._read_last != lane:
                self._reader.assign([unit.log])
                self._reader.seek(unit.log, first)
                self._read_last = lane
            for records in (await _take(self._reader, unit.log, RECORDS_AT_ONCE)).values():
                await self._find(lane, [record for record in records if record.offset < unit.end], wanted, found)
            first = self._positions[lane] = await self._reader.position(unit.log)
        return found

    async def _find(
        self, lane: int, records: Sequence[PlainRecord], wanted: Collection[int], found: dict[int, bytes]
    ) -> None:
        """Take what is wanted, and keep what lies behind all of that for the next time."""
        last = max(wanted)
        for number, record in enumerate(records):
            if record.offset > last:
                self._left[lane] = records[number:]
                return
            if record.offset in wanted:
                content_hash = content_of_answered(record, self._bytes_max)
                if content_hash is not None:
                    found[record.offset] = content_hash
            if number % _SLICE == 0:
                await asyncio.sleep(0)
