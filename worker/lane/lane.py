"""The life of a lane: take over, then decide and publish side by side, until it is drained, fenced or stopped."""

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

import structlog
from aiokafka import ConsumerRecord

from worker import metrics
from worker.broker.closing import uncancelled
from worker.lane.batch import Standing, settle
from worker.lane.buffer import Buffer, Flow
from worker.lane.errors import Fenced, LaneStopped, PositionMoved
from worker.lane.faults import cause_of, is_fault, party_of
from worker.lane.parts import Parts
from worker.lane.progress import LaneState, Progress
from worker.lane.publisher import Handover, Publisher
from worker.lane.takeover import take_over
from worker.lane.ticking import Ticker
from worker.lane.turns import Turn
from worker.store.installation import DeclaredAnew
from worker.store.lanes import Lane as LaneRow

log = structlog.get_logger(__name__)

HANDOVERS_MAX = 1
"""How many committed batches wait for publishing while the next is decided."""

Committed = tuple[Handover, Turn]
"""What is behind COMMIT and not published."""

ROOM_MIN = 50_000
"""With less room in the journal than for so many offsets, more is made."""

BACKOFF_SECONDS_MIN = 0.1


class Lane:
    """One partition, owned by this worker since an assignment."""

    def __init__(self, parts: Parts, partition: int, flow: Flow) -> None:
        self.partition = partition
        self.progress = Progress()
        self._standing: Standing | None = None
        self._parts = parts
        self._limits = parts.settings.lanes
        self._flow = flow
        self._buffer = Buffer(flow, self._limits)
        self._draining = asyncio.Event()
        self._published: tuple[int, int | None] = (0, None)
        self._room_until = 0
        self._epoch: int | None = None
        self._turn: Turn | None = None
        self._turns: set[Turn] = set()

    @property
    def next_offset(self) -> int | None:
        """The first record that is not decided; None before the first take-over."""
        return None if self._standing is None else self._standing.row.next_offset

    def offer(self, records: Sequence[ConsumerRecord]) -> None:
        """Take records in the order of the log; never blocks. What was fetched before the take-over is dropped."""
        self._buffer.offer(records)

    def cannot_read(self, error: Exception) -> None:
        """Fail with this, once what was read before is decided: what follows in the log could not be read."""
        self._buffer.fail(error)

    def drain(self) -> None:
        """Finish the batch at hand, publish everything, and end."""
        self._draining.set()
        self._buffer.end()

    async def run(self) -> None:
        """Live until drained, fenced, or cancelled. Never raises for a fault: it waits and takes over again."""
        while not self._draining.is_set():
            try:
                self.progress.set(LaneState.TAKING_OVER, self.progress.cause)
                taken = await uncancelled(take_over(self._parts, self.partition, self._epoch, on_taken=self._hold))
                self._room_until = taken.room_until
                await self._work(Standing(taken.lane, taken.due_at), taken.publisher)
            except PositionMoved:
                log.info("position_moved", lane=self.partition)
            except Fenced:
                metrics.FENCED.inc()
                self.progress.set(LaneState.FENCED, "another worker owns the lane")
                return
            except LaneStopped as stopped:
                await self._stop(str(stopped))
                return
            except DeclaredAnew as anew:
                self.progress.outlived = str(anew)
                self.progress.set(LaneState.STOPPED, self.progress.outlived)
                return
            except Exception as error:
                metrics.RETRIES.labels(party_of(error)).inc()
                self.progress.set(LaneState.WAITING, cause_of(error))
                log.warning("lane_waits", lane=self.partition, cause=cause_of(error), exc_info=not is_fault(error))
                await self._back_off(self.progress.failures)
                self.progress.failures += 1
            finally:
                self._buffer.close()
        self.progress.set(LaneState.ENDED)

    def _hold(self, epoch: int) -> None:
        self._epoch = epoch

    async def _work(self, standing: Standing, publisher: Publisher) -> None:
        """Decide one batch while the one before is being published. Ends when drained, with everything published."""
        row = standing.row
        has_moved = row.next_offset != self.next_offset
        self._standing = standing
        self._published = row.published, row.horizon_offset
        self.progress.unpublished.clear()
        self.progress.through = None if row.horizon_offset is None else row.latest_at.timestamp()
        self.progress.runs(has_moved=has_moved)
        self._buffer.open(row.next_offset)
        if not publisher.tells_group:
            self._flow.tell(row.next_offset)
        log.info("lane_runs", lane=self.partition, epoch=row.epoch, offset=row.next_offset)
        handovers: asyncio.Queue[Committed | None] = asyncio.Queue(HANDOVERS_MAX)
        deciding = asyncio.create_task(uncancelled(self._decide(standing, handovers)))
        publishing = asyncio.create_task(uncancelled(self._publish(publisher, handovers)))
        ticking = asyncio.create_task(self._ticker(standing).run())
        try:
            done, _ = await asyncio.wait((deciding, publishing), return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
            if (stopped := deciding.result()) is not None:
                raise stopped
        finally:
            for task in (deciding, publishing, ticking):
                task.cancel()
            await asyncio.gather(deciding, publishing, ticking, return_exceptions=True)
            self._turn = None
            while self._turns:
                self._turns.pop().end()
            await publisher.stop()

    async def _decide(self, standing: Standing, handovers: "asyncio.Queue[Committed | None]") -> LaneStopped | None:
        """Until drained; or until the lane has to stop: returns why, for what was decided before is still published."""
        while await self._buffer.wait():
            await self._take_turn()
            records = self._buffer.take()
            published, horizon_offset = self._published
            standing = replace(standing, row=replace(standing.row, published=published, horizon_offset=horizon_offset))
            try:
                async with aclosing(settle(self._parts, standing, records, self._take_turn)) as settled:
                    async for reached, handover in settled:
                        appended_at = _appended_at(records, standing.row.next_offset)
                        self._standing = standing = reached
                        self.progress.committed(appended_at)
                        await handovers.put((handover, self._hand_on_turn()))
                        del handover  # by the time of the next batch it is published
                        await self._make_room(reached.row)
                        if self._draining.is_set():
                            break  # with much due, one batch is many transactions: the rest is the next owner's
            except LaneStopped as stopped:
                await handovers.put(None)
                return stopped
            except (Fenced, PositionMoved):
                raise
            except Exception as error:
                self.progress.doubt = cause_of(error)
                raise
            del records
        await handovers.put(None)
        return None

    async def _take_turn(self) -> None:
        """Have a turn for the batch that is to be decided next."""
        if self._turn is None:
            self._turn = await self._parts.turns.take()
            self._turns.add(self._turn)

    def _hand_on_turn(self) -> Turn:
        turn, self._turn = self._turn, None
        assert turn is not None  # noqa: S101  no transaction begins without
        return turn

    def _end(self, turn: Turn) -> None:
        self._turns.discard(turn)
        turn.end()

    async def _make_room(self, row: LaneRow) -> None:
        """Keep the journal's pieces ahead of the position: the way of a batch is no place to make tables."""
        if row.next_offset + ROOM_MIN > self._room_until:
            self._room_until = await self._parts.database.make_room(self.partition, row.next_offset)

    async def _publish(self, publisher: Publisher, handovers: "asyncio.Queue[Committed | None]") -> None:
        is_last = False
        while not is_last:
            waiting = [await handovers.get()]
            while not handovers.empty():
                waiting.append(handovers.get_nowait())
            is_last = waiting[-1] is None
            committed = [each for each in waiting if each is not None]
            if committed:
                await self._make_visible(publisher, committed)
            # What is published is let go before the next is waited for: with many lanes that adds up.
            del waiting, committed

    async def _make_visible(self, publisher: Publisher, committed: Sequence[Committed]) -> None:
        handovers = [handover for handover, _ in committed]
        last = handovers[-1]
        with metrics.PUBLISH_SECONDS.time():
            self._published = last.next_offset, await publisher.publish(handovers)
        self.progress.published(len(handovers), last.horizon.timestamp_ms / 1000)
        if not publisher.tells_group:
            self._flow.tell(last.next_offset)
        for _, turn in committed:
            self._end(turn)

    def _ticker(self, standing: Standing) -> Ticker:
        return Ticker(
            self.partition,
            self._flow,
            self._buffer,
            self.progress,
            lambda: self._standing or standing,
            idle_seconds=self._limits.tick_seconds,
        )

    async def _stop(self, reason: str) -> None:
        """Written down first: who ends the process when he hears of it has to find the reason in the lane's row.

        If the process ends before that, nobody has heard of it, and the next owner finds the same.
        """
        try:
            await self._parts.database.stop_lane(self.partition, None, reason)
        except Exception as error:  # noqa: BLE001 - it stays stopped whether or not that could be written down
            log.warning("lane_stop_not_saved", lane=self.partition, cause=cause_of(error))
        self.progress.set(LaneState.STOPPED, reason)
        log.error("lane_stopped", lane=self.partition, reason=reason)

    async def _back_off(self, attempt: int) -> None:
        seconds = min(self._limits.backoff_seconds_max, BACKOFF_SECONDS_MIN * 2**attempt)
        try:
            async with asyncio.timeout(seconds):
                await self._draining.wait()
        except TimeoutError:
            return


def _appended_at(records: Sequence[ConsumerRecord], offset: int) -> float:
    """When the first record from an offset on was appended, in seconds since 1970 by the broker's clock."""
    first = records[bisect_left(records, offset, key=lambda record: record.offset)]
    return float(first.timestamp) / 1000
