"""The life of a lane: take over, then decide and publish side by side, until it is drained, fenced or stopped."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import Protocol

import structlog
from aiokafka import ConsumerRecord

from worker.lane.batch import Standing, settle
from worker.lane.errors import Fenced, LaneStopped, PositionMoved
from worker.lane.faults import cause_of, is_fault
from worker.lane.parts import Parts
from worker.lane.publisher import Handover, Publisher
from worker.lane.takeover import JOURNAL_AHEAD, take_over
from worker.store import journal, lanes
from worker.store.lanes import Lane as LaneRow

log = structlog.get_logger(__name__)

HANDOVERS_MAX = 2
"""How many committed batches wait for publishing while the next is decided."""

BACKOFF_SECONDS_MIN = 0.1

TICK_LOOK_SECONDS = 0.25
"""How often a lane looks whether something falls due."""

TICK_BACK_SECONDS = 0.01
"""How often it looks whether a tick that was sent has come back."""

TICK_LOST_SECONDS = 2.0
"""A tick that has not come back by then is sent again."""


class LaneState(StrEnum):
    """What a lane is doing."""

    TAKING_OVER = "taking over"
    RUNNING = "running"
    WAITING = "waiting"
    STOPPED = "stopped"
    FENCED = "fenced"
    ENDED = "ended"


class Flow(Protocol):
    """The stream of records of one partition, as its lane steers it."""

    def read_from(self, offset: int) -> None:
        """Hand over records from this offset on."""

    def pause(self) -> None:
        """Hand over nothing for a while."""

    def resume(self) -> None:
        """Go on handing over."""

    async def tick(self) -> None:
        """Put a tick at the end of the partition."""


@dataclass(slots=True)
class Progress:
    """What the outside may know of a lane."""

    state: LaneState = LaneState.TAKING_OVER
    cause: str | None = None
    moved_at: float = 0.0


class Lane:
    """One partition, owned by this worker since an assignment."""

    def __init__(self, parts: Parts, partition: int, flow: Flow) -> None:
        self.partition = partition
        self.progress = Progress(moved_at=time.monotonic())
        self.standing: Standing | None = None
        self._parts = parts
        self._limits = parts.settings.lanes
        self._flow = flow
        self._queue: deque[ConsumerRecord] = deque()
        self._wake = asyncio.Event()
        self._draining = False
        self._unreadable: Exception | None = None
        self._next_offset: int | None = None
        self._is_paused = True
        self._published: tuple[int, int | None] = (0, None)
        self._room_until = 0

    def offer(self, records: Sequence[ConsumerRecord]) -> None:
        """Take records in the order of the log; never blocks. What was fetched before the take-over is dropped."""
        if self._next_offset is None or self._draining:
            return
        fresh = [record for record in records if record.offset >= self._next_offset]
        if not fresh:
            return
        self._next_offset = fresh[-1].offset + 1
        self._queue.extend(fresh)
        if len(self._queue) >= self._limits.queue_records_max and not self._is_paused:
            self._is_paused = True
            self._flow.pause()
        self._wake.set()

    def cannot_read(self, error: Exception) -> None:
        """Fail with this, once what was read before is decided: what follows in the log could not be read."""
        self._unreadable = error
        self._wake.set()

    def drain(self) -> None:
        """Finish the batch at hand, publish everything, and end."""
        self._draining = True
        self._wake.set()

    async def run(self) -> None:
        """Live until drained, fenced, or cancelled. Never raises for a fault: it waits and takes over again."""
        epoch: int | None = None
        attempt = 0
        while not self._draining:
            try:
                self.progress.state = LaneState.TAKING_OVER
                taken = await take_over(self._parts, self.partition, epoch)
                epoch, attempt = taken.lane.epoch, 0
                await self._work(Standing(taken.lane, taken.due_at), taken.publisher)
            except PositionMoved:
                log.info("position_moved", lane=self.partition)
            except Fenced:
                self._set(LaneState.FENCED, "another worker owns the lane")
                return
            except LaneStopped as stopped:
                await self._stop(str(stopped))
                return
            except Exception as error:
                self._set(LaneState.WAITING, cause_of(error))
                log.warning("lane_waits", lane=self.partition, cause=cause_of(error), exc_info=not is_fault(error))
                await self._back_off(attempt)
                attempt += 1
            finally:
                self._forget()
        self._set(LaneState.ENDED, None)

    async def _work(self, standing: Standing, publisher: Publisher) -> None:
        """Decide one batch while the one before is being published. Ends when drained, with everything published."""
        row = standing.row
        self.standing, self._next_offset = standing, row.next_offset
        self._room_until = row.next_offset + JOURNAL_AHEAD
        self._published = row.published, row.horizon_offset
        self._flow.read_from(row.next_offset)
        self._is_paused = False
        self._set(LaneState.RUNNING, None)
        log.info("lane_runs", lane=self.partition, epoch=row.epoch, offset=row.next_offset)
        handovers: asyncio.Queue[Handover | None] = asyncio.Queue(HANDOVERS_MAX)
        tasks = [
            asyncio.create_task(self._decide(handovers)),
            asyncio.create_task(self._publish(publisher, handovers)),
        ]
        ticking = asyncio.create_task(self._tick())
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in (*tasks, ticking):
                task.cancel()
            await asyncio.gather(*tasks, ticking, return_exceptions=True)
            await publisher.stop()

    async def _decide(self, handovers: "asyncio.Queue[Handover | None]") -> None:
        while records := await self._next_records():
            assert self.standing is not None  # noqa: S101 - set before this task began
            published, horizon_offset = self._published
            row = replace(self.standing.row, published=published, horizon_offset=horizon_offset)
            standing = replace(self.standing, row=row)
            async for reached, handover in settle(self._parts, standing, records):
                self.standing = reached
                self.progress.moved_at = time.monotonic()
                await handovers.put(handover)
                await self._make_room(reached.row)
        await handovers.put(None)

    async def _make_room(self, row: LaneRow) -> None:
        """Keep the journal's pieces ahead of the position: the way of a batch is no place to make tables."""
        if row.next_offset + JOURNAL_AHEAD // 2 > self._room_until:
            async with self._parts.engine.begin() as connection:
                await journal.ensure_pieces(
                    connection, self.partition, row.next_offset, row.next_offset + JOURNAL_AHEAD
                )
            self._room_until = row.next_offset + JOURNAL_AHEAD

    async def _publish(self, publisher: Publisher, handovers: "asyncio.Queue[Handover | None]") -> None:
        is_last = False
        while not is_last:
            waiting = [await handovers.get()]
            while not handovers.empty():
                waiting.append(handovers.get_nowait())
            is_last = waiting[-1] is None
            if batches := [handover for handover in waiting if handover is not None]:
                self._published = batches[-1].next_offset, await publisher.publish(batches)

    async def _next_records(self) -> list[ConsumerRecord]:
        """What is there, at most a batch of it; empty when the lane is to be drained."""
        while not self._queue and not self._draining:
            if self._unreadable is not None:
                raise self._unreadable
            self._wake.clear()
            await self._wake.wait()
        if self._draining:
            return []
        records = list(islice(self._queue, self._limits.batch_records_max))
        for _ in records:
            self._queue.popleft()
        if self._is_paused and len(self._queue) <= self._limits.queue_records_max // 2:
            self._is_paused = False
            self._flow.resume()
        return records

    async def _tick(self) -> None:
        """Keep lane time going while nobody sends anything, so that due work is done and answers become final."""
        while True:
            if (seconds := self._tick_in_seconds()) > 0:
                # Looked at again and again: a command may have brought something about that falls due sooner.
                await asyncio.sleep(min(seconds, TICK_LOOK_SECONDS))
                continue
            sent_at = time.monotonic()
            try:
                await self._flow.tick()
            except Exception as error:  # noqa: BLE001 - a lost tick is sent again
                log.warning("tick_not_sent", lane=self.partition, cause=cause_of(error))
            await self._moved_since(sent_at)

    async def _moved_since(self, sent_at: float) -> None:
        deadline = sent_at + TICK_LOST_SECONDS
        while self.progress.moved_at < sent_at and time.monotonic() < deadline:  # noqa: ASYNC110 - a time, not an event
            await asyncio.sleep(TICK_BACK_SECONDS)

    def _tick_in_seconds(self) -> float:
        """When a tick is wanted: after a while of silence, or as soon as something is due by lane time.

        Lane time is the broker's: it is reckoned from the last record, for this machine's clock may be wrong.
        """
        silent_seconds = time.monotonic() - self.progress.moved_at
        wanted = self._limits.tick_seconds - silent_seconds
        standing = self.standing
        if standing is not None and standing.due_at is not None and not self._queue:
            due_in_seconds = (standing.due_at - standing.row.latest_at).total_seconds() - silent_seconds
            wanted = min(wanted, due_in_seconds)
        return wanted

    async def _stop(self, reason: str) -> None:
        self._set(LaneState.STOPPED, reason)
        log.error("lane_stopped", lane=self.partition, reason=reason)
        try:
            async with self._parts.engine.begin() as connection:
                row = await lanes.hold(connection, self.partition)
                if row is not None:
                    await lanes.stop(connection, self.partition, row.epoch, reason)
        except Exception as error:  # noqa: BLE001 - it stays stopped whether or not that could be written down
            log.warning("lane_stop_not_saved", lane=self.partition, cause=cause_of(error))

    async def _back_off(self, attempt: int) -> None:
        seconds = min(self._limits.backoff_seconds_max, BACKOFF_SECONDS_MIN * 2**attempt)
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                while not self._draining:
                    await self._wake.wait()
                    self._wake.clear()
        except TimeoutError:
            return

    def _forget(self) -> None:
        """What was read and not decided is read again after the next take-over."""
        self._next_offset = None
        self._unreadable = None
        self._queue.clear()
        self._flow.pause()
        self._is_paused = True

    def _set(self, state: LaneState, cause: str | None) -> None:
        self.progress.state = state
        self.progress.cause = cause
