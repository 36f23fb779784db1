"""Which lanes are this worker's: what the group assigns is taken over, what it revokes is drained first."""

import asyncio
from collections.abc import Sequence

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener

from worker import metrics
from worker.failpoints import Failpoint, pass_by
from worker.lane.intake import Intake
from worker.lane.lane import Lane
from worker.lane.parts import Parts
from worker.lane.progress import LaneState

log = structlog.get_logger(__name__)


class Ownership(ConsumerRebalanceListener):
    """The lanes of one worker. Call `attach` before the intake starts."""

    def __init__(self, parts: Parts) -> None:
        self.lanes: dict[int, Lane] = {}
        self.fenced = asyncio.Event()
        self.assigned = asyncio.Event()
        self._parts = parts
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._intake: Intake | None = None

    def attach(self, intake: Intake) -> None:
        """The intake whose partitions these are."""
        self._intake = intake

    def offer(self, partition: int, records: Sequence[ConsumerRecord]) -> None:
        """Records for a lane; those of a lane that is not ours any more are dropped."""
        if lane := self.lanes.get(partition):
            lane.offer(records)

    def cannot_read(self, partition: int, error: Exception) -> None:
        """What follows in a lane's log cannot be read."""
        if lane := self.lanes.get(partition):
            lane.cannot_read(error)

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Only begins the take-overs: heartbeats stop while a callback runs."""
        await pass_by(Failpoint.ASSIGNED)
        metrics.REBALANCES.inc()
        intake = self._intake
        if intake is None or intake.consumer is None:
            return
        for log_ in assigned:
            # A provisional position: without one the client complains of the partition even while it is paused.
            intake.consumer.seek(log_, 0)
            intake.consumer.pause(log_)
            self._begin(log_.partition, intake)
        self.assigned.set()

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Awaited before the group goes on: the next owner finds everything published."""
        await pass_by(Failpoint.REVOKED)
        await self.release([log_.partition for log_ in revoked])
        await pass_by(Failpoint.DRAINED)

    async def release(self, partitions: Sequence[int] | None = None) -> None:
        """Drain lanes (default: all), for a bounded time; what is not done by then the next owner does."""
        leaving = [
            partition
            for partition in (list(self.lanes) if partitions is None else partitions)
            if partition in self._tasks
        ]
        tasks = [self._tasks.pop(partition) for partition in leaving]
        for partition in leaving:
            lane = self.lanes.pop(partition)
            lane.drain()
            if lane.progress.state is not LaneState.RUNNING:
                tasks[leaving.index(partition)].cancel()
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._parts.settings.lanes.drain_seconds_max)
        for task in late:
            task.cancel()
        if late:
            log.warning("lanes_not_drained", lanes=len(late))
            await asyncio.wait(late)

    def _begin(self, partition: int, intake: Intake) -> None:
        lane = Lane(self._parts, partition, intake.flow(partition))
        task = asyncio.create_task(lane.run(), name=f"lane-{partition}")
        task.add_done_callback(lambda _: self._ended(lane))
        self.lanes[partition], self._tasks[partition] = lane, task

    def _ended(self, lane: Lane) -> None:
        if lane.progress.state is LaneState.FENCED and self.lanes.get(lane.partition) is lane:
            self.fenced.set()
