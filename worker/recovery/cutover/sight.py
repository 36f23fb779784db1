"""Lanes as they are between two workers: what their rows say, and what the topics hold of them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.broker import clients
from worker.broker.log import LogRange, LogReader, open_reader
from worker.lane.errors import LaneStopped
from worker.lane.kafka import KafkaTopics
from worker.lane.parts import Parts
from worker.lane.sending import TopicNames
from worker.lane.watermark import Watermark, is_unknown_cut_over, read_watermark
from worker.settings import Settings
from worker.store import audit
from worker.store.database import PostgresDatabase
from worker.store.installation import Installation
from worker.store.lanes import Lane
from worker.wire.incoming import read
from worker.wire.request import Tick
from worker.wire.writer import Writer

UNDECIDED_MAX: Final = 1_000
"""More than so many commands past a position are not counted."""


@dataclass(frozen=True, slots=True)
class LaneSight:
    """One lane as it was seen. `undecided` are commands at or past its position, `is_held` is by an open transaction.

    `trouble` is why a worker would not publish on: the topics and the row contradict each other. `is_told`: a cut-over
    that was broken off has told the topics of this lane already.
    """

    partition: int
    row: Lane | None
    bounds: LogRange
    undecided: int
    is_held: bool
    watermark: Watermark | None
    trouble: str | None
    is_told: bool = False

    @property
    def published(self) -> int | None:
        """Through which offset the lane is published, None if that cannot be told."""
        if self.trouble is not None or self.row is None:
            return None
        return self.watermark.offset if self.watermark else self.row.published

    def undrained(self) -> list[str]:
        """Why the lane is not drained; nothing if it is."""
        row, name = self.row, f"lane {self.partition}"
        if row is None:
            return [f"{name}: no worker ever took it, and its log holds commands"] if self.undecided else []
        # A cut-over that was broken off, or whose database was set back, may stop lanes only until it is done again.
        if row.stopped is not None and not (self.trouble is None and is_unknown_cut_over(row.stopped)):
            return [f"{name} is stopped: {row.stopped}"]
        if not self.bounds.start <= row.next_offset <= self.bounds.end:
            return [f"{name} stands at {row.next_offset}, its log is [{self.bounds.start}, {self.bounds.end})"]
        why = [f"{name}: {self.trouble}"] if self.trouble is not None else []
        if self.is_held:
            why.append(f"{name}: a publisher's transaction is open at the end of its log")
        # No worker can decide them by the old number any more: by the new one they are answered, if only by a refusal.
        if self.undecided and not self.is_told:
            more = "at least " if self.undecided >= UNDECIDED_MAX else ""
            why.append(f"{name}: {more}{self.undecided} commands are not decided")
        published = self.published
        if published is not None and published < row.next_offset:
            why.append(f"{name} has decided through {row.next_offset} and published through {published}")
        if published is not None and published > row.next_offset:
            why.append(f"{name} stands at {row.next_offset}, older than the topics, which tell of {published}")
        return why

    def unknown(self) -> list[str]:
        """Why a lane without a row must not begin: the topics know more of it than that a cut-over began it."""
        told = self.watermark.offset if self.watermark else self.bounds.start
        name = f"lane {self.partition}"
        if self.trouble is not None:
            return [f"{name}: {self.trouble}"]
        if told > self.bounds.start:
            return [
                f"{name} has decided through {told}, and this database knows nothing of it: an old backup? `rebuild`"
            ]
        return []


async def members_of(admin: AIOKafkaAdminClient, group_id: str) -> list[str]:
    """Who is in the consumer group, each by client and host."""
    members = []
    for answer in await admin.describe_consumer_groups([group_id]):
        for _error, _group, _state, _kind, _protocol, found, *_ in answer.groups:
            members += [f"{client} at {host}" for _, client, host, *_ in found]
    return sorted(members)


class Sight:
    """Looks at lanes, with the eyes of a worker that would take them over."""

    def __init__(self, parts: Parts, reader: LogReader, consumer: AIOKafkaConsumer, wanted: int | None = None) -> None:
        """`wanted` are the partitions that are to be declared."""
        self.parts = parts
        self._wanted = wanted
        self.reader = reader
        self._consumer = consumer

    def log_of(self, partition: int) -> TopicPartition:
        """The lane's commands."""
        return TopicPartition(self.parts.settings.topics.commands, partition)

    async def ends(self, partitions: int) -> Mapping[int, int]:
        """Where each log of commands ends, ticks and open transactions included."""
        return {number: (await self.reader.range_of(self.log_of(number))).end for number in range(partitions)}

    async def lane(self, partition: int, row: Lane | None) -> LaneSight:
        """One lane as it is now."""
        log = self.log_of(partition)
        bounds = await self.reader.range_of(log)
        stable = (await self._consumer.end_offsets([log]))[log]
        first = max(bounds.start, row.next_offset if row else 0)
        undecided = await self._undecided(log, first, stable)
        watermark, trouble = None, None
        try:
            watermark = await read_watermark(self.parts, self.reader, partition, row)
        except LaneStopped as stopped:
            trouble = str(stopped)
        told = watermark.declared if watermark is not None else None
        is_told = self._wanted is not None and told == self._wanted
        return LaneSight(partition, row, bounds, undecided, stable < bounds.end, watermark, trouble, is_told)

    async def _undecided(self, log: TopicPartition, first: int, end: int) -> int:
        """How many records other than ticks lie there. A tick that a worker left behind when it went is no command."""
        if first >= end:
            return 0
        count, limit = 0, self.parts.settings.lanes.command_bytes_max
        self._consumer.assign([log])
        self._consumer.seek(log, first)
        while count < UNDECIDED_MAX and await self._consumer.position(log) < end:
            for records in (await self._consumer.getmany(log, timeout_ms=200)).values():
                for record in records:
                    what = read(record, partitions=self.parts.partitions, record_bytes_max=limit)
                    count += record.offset < end and not isinstance(what, Tick)
        return min(count, UNDECIDED_MAX)


@asynccontextmanager
async def sight(
    settings: Settings, engine: AsyncEngine, declared: Installation, wanted: int | None = None
) -> AsyncIterator[Sight]:
    """Eyes on the topics, connected: a worker's, or one's that will find `wanted` partitions declared."""
    names = TopicNames(settings)
    async with engine.connect() as connection:
        cut_overs = await audit.cut_overs(connection)
    parts = Parts(
        settings=settings,
        database=PostgresDatabase(engine, declared.id, settings.rules.as_rules()),
        topics=KafkaTopics(settings, names, declared.id),
        installation=declared.id,
        partitions=wanted or declared.partitions or settings.topics.partitions,
        names=names,
        writer=Writer(declared.id, settings.publishing.source),
        cut_overs=cut_overs,
    )
    async with open_reader(settings.kafka) as reader, clients.consuming(settings.kafka) as consumer:
        yield Sight(parts, reader, consumer, wanted)
