"""Records between the subscription and the lane: bounded in number and bytes, and never waited for by the poll loop."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from aiokafka import ConsumerRecord

from worker.settings import Lanes


class Flow(Protocol):
    """The stream of records of one partition, as its lane steers it."""

    def read_from(self, offset: int) -> None:
        """Hand over records from this offset on."""

    def pause(self) -> None:
        """Hand over nothing for a while."""

    def resume(self) -> None:
        """Go on handing over."""

    def tell(self, offset: int) -> None:
        """Tell the group's tools how far the lane is published, sooner or later."""

    async def tick(self) -> None:
        """Put a tick at the end of the partition."""


class Buffer:
    """What was read of one partition and is not decided. Closed until `open`; closed, it drops what it is offered."""

    def __init__(self, flow: Flow, limits: Lanes) -> None:
        self._flow = flow
        self._limits = limits
        self._records: deque[ConsumerRecord] = deque()
        self._bytes = 0
        self._next_offset: int | None = None
        self._is_paused = True
        self._is_ending = False
        self._unreadable: Exception | None = None
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._records)

    @property
    def next_offset(self) -> int | None:
        """What comes next from the subscription; None while closed."""
        return self._next_offset

    def open(self, offset: int) -> None:
        """Read on from an offset."""
        self._next_offset = offset
        self._is_paused = False
        self._flow.read_from(offset)

    def close(self) -> None:
        """Drop everything: it is read again from wherever `open` says."""
        self._next_offset = self._unreadable = None
        self._records.clear()
        self._bytes = 0
        self._flow.pause()
        self._is_paused = True

    def end(self) -> None:
        """Hand out no more."""
        self._is_ending = True
        self._changed.set()

    def offer(self, records: Sequence[ConsumerRecord]) -> None:
        """Take records in the order of the log; never blocks."""
        if self._next_offset is None or self._is_ending:
            return
        fresh = [record for record in records if record.offset >= self._next_offset]
        if not fresh:
            return
        self._next_offset = fresh[-1].offset + 1
        self._records.extend(fresh)
        self._bytes += sum(map(_size, fresh))
        if not self._is_paused and self._is_full(1):
            self._is_paused = True
            self._flow.pause()
        self._changed.set()

    def fail(self, error: Exception) -> None:
        """Raise this once what was read before is handed out: what follows in the log could not be read."""
        self._unreadable = error
        self._changed.set()

    async def wait(self) -> bool:
        """Until there is something to take; False when nothing more is wanted."""
        while not self._records and not self._is_ending:
            if self._unreadable is not None:
                raise self._unreadable
            self._changed.clear()
            await self._changed.wait()
        return not self._is_ending

    def take(self) -> list[ConsumerRecord]:
        """What is there, at most a batch of it."""
        batch: list[ConsumerRecord] = []
        room = self._limits.batch_bytes_max
        while self._records and len(batch) < self._limits.batch_records_max:
            size = _size(self._records[0])
            if batch and size > room:
                break
            batch.append(self._records.popleft())
            room -= size
            self._bytes -= size
        if self._is_paused and not self._is_full(2):
            self._is_paused = False
            self._flow.resume()
        return batch

    def _is_full(self, parts: int) -> bool:
        """Whether it holds as much as it may, or half of it, or a third."""
        limits = self._limits
        return len(self._records) * parts >= limits.queue_records_max or self._bytes * parts >= limits.queue_bytes_max


def _size(record: ConsumerRecord) -> int:
    return len(record.value or b"") + sum(len(value or b"") for _, value in record.headers)
