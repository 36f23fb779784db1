"""Minding that a worker gets on: what a supervisor must know, and what only a new process heals.

A client can live, send heartbeats and never hand over a record again (aiokafka #1154, #625). Asking the broker for its
metadata does not show that; a tick that was acknowledged and never came back does.
"""

import asyncio
import time
from typing import NoReturn

import structlog

from worker import metrics
from worker.lane.intake import Intake
from worker.lane.lane import Lane
from worker.lane.ownership import Ownership
from worker.lane.progress import LaneState, now
from worker.lane.stopping import kind_of
from worker.settings import Settings
from worker.store import connections

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0

NAPS = 4
"""In so many pieces it is slept in between: each shows how late the event loop is."""

HELD_FACTOR = 10
"""A publisher's open transaction may hold a log back for as long as the broker lets it (15 minutes by default)."""


class WorkerStuckError(Exception):
    """This process will not get on by itself."""


class Watchdog:
    """Looks at the lanes of one worker from outside."""

    def __init__(self, settings: Settings, ownership: Ownership, intake: Intake) -> None:
        self._limit_seconds = settings.lanes.stall_seconds_max
        self._commands = settings.topics.commands
        self._ownership = ownership
        self._intake = intake
        connections.limit(settings.database.pool_size)

    async def watch(self) -> NoReturn:
        """Look every second. Raises WorkerStuckError when a lane has stood still for too long."""
        while True:
            for _ in range(NAPS):
                due_at = now() + LOOK_SECONDS / NAPS
                await asyncio.sleep(LOOK_SECONDS / NAPS)
                metrics.EVENT_LOOP_LATE_SECONDS.observe(max(0.0, now() - due_at))
            if stuck := self.stuck():
                log.critical("stuck", lanes=stuck, action="ending the process")
                raise WorkerStuckError("; ".join(f"lane {lane} {why}" for lane, why in stuck.items()))

    def stuck(self) -> dict[int, str]:
        """Lanes that have stood still for longer than they may, and how long; or that another process must take."""
        found = {
            partition: f"has not moved for {seconds:.0f} s, though there is something to read"
            for partition, lane in self._ownership.lanes.items()
            if (seconds := lane.progress.stands_still_seconds) > self._limit(partition)
        }
        lanes = self._ownership.lanes.items()
        return found | {number: f"cannot go on: {why}" for number, lane in lanes if (why := lane.progress.outlived)}

    def unready(self) -> dict[str, str]:
        """Lanes that do not work, and why; the topic of commands, if it is gone; the group, if it refuses."""
        found = {"topics": "the topic of commands is gone"} if self._intake.is_topic_gone() else {}
        if self._intake.refusal is not None:
            found["join"] = self._intake.refusal
        for partition, lane in sorted(self._ownership.lanes.items()):
            state, cause = lane.progress.state, lane.progress.cause or lane.progress.doubt
            if state is LaneState.RUNNING and cause is None and lane.progress.stands_still_seconds > LOOK_SECONDS:
                cause = "a publisher's open transaction holds its log" if self._intake.is_held(partition) else None
            if state is not LaneState.RUNNING or cause is not None:
                found[f"lane {partition}"] = f"{state}: {cause or 'in progress'}"
        return found

    def measure(self) -> None:
        """Set the metrics that tell of each lane. Of lanes that went to others nothing is told any more."""
        for gauge in (
            metrics.LANE_STATE,
            metrics.LANE_STOPPED,
            metrics.LANE_LAG,
            metrics.LANE_UNPUBLISHED_SECONDS,
            metrics.LANE_PROGRESS_SECONDS,
            metrics.LANE_HORIZON_SECONDS,
        ):
            gauge.clear()
        for lane in self._ownership.lanes.values():
            self._measure(lane, str(lane.partition))
        consumer = self._intake.consumer
        if consumer is not None:
            metrics.PARTITIONS.set(len(consumer.partitions_for_topic(self._commands) or ()))

    def _measure(self, lane: Lane, label: str) -> None:
        progress, at = lane.progress, now()
        metrics.LANE_STATE.labels(label, progress.state).set(1)
        if progress.state is LaneState.STOPPED:
            metrics.LANE_STOPPED.labels(label, kind_of(progress.cause or "")).set(1)
        metrics.LANE_PROGRESS_SECONDS.labels(label).set(at - progress.moved_at)
        oldest = progress.unpublished[0].since if progress.unpublished else at
        metrics.LANE_UNPUBLISHED_SECONDS.labels(label).set(at - oldest)
        if progress.through is not None:
            metrics.LANE_HORIZON_SECONDS.labels(label).set(max(0.0, time.time() - progress.through))
        end = self._intake.end_of(lane.partition)
        if end is not None and lane.next_offset is not None:
            metrics.LANE_LAG.labels(label).set(max(0, end - lane.next_offset))

    def _limit(self, partition: int) -> float:
        return self._limit_seconds * (HELD_FACTOR if self._intake.is_held(partition) else 1)
