"""Reading a log by position: its range, one record of it, the newest record of a key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from worker.broker.clients import consuming
from worker.settings import Kafka

WINDOW_RECORDS = 512
"""How far from the end the search for a key's newest record begins; it quadruples until it finds one."""

_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class LogRange:
    """The offsets that a log holds: `[start, end)`."""

    start: int
    end: int


class LogReader:
    """Reads logs outside every group. Not for two tasks at once."""

    def __init__(self, committed: AIOKafkaConsumer, uncommitted: AIOKafkaConsumer) -> None:
        self._committed = committed
        self._uncommitted = uncommitted

    def rest(self) -> None:
        """Read nothing on, until something is asked for again."""
        self._committed.unsubscribe()
        self._uncommitted.unsubscribe()

    async def range_of(self, log: TopicPartition) -> LogRange:
        """What the log holds, open transactions included."""
        start = (await self._uncommitted.beginning_offsets([log]))[log]
        end = (await self._uncommitted.end_offsets([log]))[log]
        return LogRange(start, end)

    async def record_at(self, log: TopicPartition, offset: int) -> ConsumerRecord | None:
        """The record at an offset, or None if there is none exactly there (a transaction marker, say)."""
        async for record in self._read(self._uncommitted, log, offset, offset + 1):
            return record if record.offset == offset else None
        return None

    async def newest_of_key(self, log: TopicPartition, key: bytes, hint: int | None = None) -> ConsumerRecord | None:
        """The newest committed record of a key, or None.

        `hint` is an offset where one was seen. What others have open in the same log is waited for: a record of
        this key may lie committed behind it, and to miss it would be to publish again.
        """
        bounds = await self.range_of(log)
        await self._committed_through(log, bounds.end)
        if hint is not None and bounds.start <= hint < bounds.end:
            found = await self._newest_in(log, key, hint, bounds.end)
            if found is not None:
                return found
        window, end = WINDOW_RECORDS, bounds.end
        while end > bounds.start:
            first = max(bounds.start, end - window)
            found = await self._newest_in(log, key, first, end)
            if found is not None:
                return found
            window, end = window * 4, first
        return None

    async def _committed_through(self, log: TopicPartition, end: int) -> None:
        while (await self._committed.end_offsets([log]))[log] < end:  # noqa: ASYNC110 - only asking the broker tells
            await asyncio.sleep(_POLL_SECONDS)

    async def _newest_in(self, log: TopicPartition, key: bytes, first: int, end: int) -> ConsumerRecord | None:
        newest = None
        async for record in self._read(self._committed, log, first, end):
            if record.key == key:
                newest = record
        return newest

    @staticmethod
    async def _read(
        reader: AIOKafkaConsumer, log: TopicPartition, first: int, end: int
    ) -> AsyncIterator[ConsumerRecord]:
        """The records in `[first, end)`. Ends at `end` also when markers or compaction left no record there."""
        reader.assign([log])
        reader.seek(log, first)
        while await reader.position(log) < end:
            for records in (await reader.getmany(log, timeout_ms=200)).values():
                for record in records:
                    if record.offset >= end:
                        return
                    yield record


@asynccontextmanager
async def open_reader(kafka: Kafka, *, wait_ms: int = 100) -> AsyncIterator[LogReader]:
    """A reader, connected. So long the broker waits for more at the end of a log, and with it whoever goes on."""
    async with AsyncExitStack() as stack:
        committed = await stack.enter_async_context(
            consuming(kafka, isolation="read_committed", fetch_max_wait_ms=wait_ms)
        )
        uncommitted = await stack.enter_async_context(
            consuming(kafka, isolation="read_uncommitted", fetch_max_wait_ms=wait_ms)
        )
        yield LogReader(committed, uncommitted)
