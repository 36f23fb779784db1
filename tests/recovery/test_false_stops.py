"""A lane stops for what is so, and not for what another one publishes meanwhile; and the row knows why at once."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError

from tests.recovery.lanes import parts_of
from tests.system.deployment import Deployment
from tests.system.settling import until
from worker import metrics
from worker.lane.lane import Lane
from worker.lane.parts import Parts
from worker.lane.ports import GroupOffset, Reader
from worker.lane.progress import LaneState
from worker.lane.publisher import Handover
from worker.lane.takeover import TakenOver, take_over
from worker.lane.watermark import read_watermark

LANE = 0
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

Act = Callable[[], Awaitable[None]]


class Slow:
    """What a worker sees of the topics, who is so slow that others act after something was read."""

    def __init__(self, parts: Parts, reader: Reader, after: str, act: Act) -> None:
        self._parts, self._reader, self._after, self._act = parts, reader, after, act

    async def newest_of_key(self, log: TopicPartition, key: bytes, hint: int | None = None) -> ConsumerRecord | None:
        found = await self._reader.newest_of_key(log, key, hint)
        await self._pass_by("horizon")
        return found

    async def group_offset(self, partition: int) -> GroupOffset:
        found = await self._parts.topics.group_offset(partition)
        await self._pass_by("group's offset")
        return found

    async def _pass_by(self, what: str) -> None:
        if what == self._after:
            self._after = ""
            await self._act()


async def has_coordinator(parts: Parts) -> bool:
    """A worker that has a lane has it of the group."""
    try:
        await parts.topics.group_offset(LANE)
    except GroupCoordinatorNotAvailableError:
        return False
    return True


@asynccontextmanager
async def taken(parts: Parts) -> AsyncIterator[TakenOver]:
    await until(lambda: has_coordinator(parts), "the group has its coordinator")
    owned = await take_over(parts, LANE, None)
    try:
        yield owned
    finally:
        await owned.publisher.stop()


async def publish_through(parts: Parts, owned: TakenOver, offset: int) -> None:
    """As after a batch whose commands brought nothing about, until everybody is told."""
    reached = replace(owned.lane, next_offset=offset, latest_at=NOON)
    await owned.publisher.publish([Handover([], offset, parts.horizon(reached))])

    async def is_told() -> bool:
        return (await parts.topics.group_offset(LANE)).offset == offset

    await until(is_told, "the group's offset is there")


def alarms() -> float:
    return float(cast("Any", metrics.GROUP_OFFSETS_MOVED)._value.get())  # noqa: SLF001 - it has no other way to be asked


@pytest.mark.parametrize("after", ["horizon", "group's offset"])
@pytest.mark.parametrize("before", [0, 3])
async def test_what_another_publishes_meanwhile_neither_stops_the_lane_nor_raises_an_alarm(
    deployment: Deployment, after: str, before: int
) -> None:
    async with parts_of(deployment.settings) as parts, taken(parts) as heir, parts.topics.reader() as reader:
        if before:
            await publish_through(parts, heir, before)
        known = await parts.database.read_lane(LANE)
        slow: Any = Slow(parts, reader, after, lambda: publish_through(parts, heir, before + 2))
        was = alarms()

        watermark = await read_watermark(replace(parts, topics=slow), slow, LANE, known)

        told = watermark.offset if watermark else 0
        assert told == (before + 2 if after == "group's offset" else before)
        assert alarms() == was


async def test_whoever_hears_that_a_lane_has_stopped_finds_the_reason_in_its_row(deployment: Deployment) -> None:
    async with parts_of(deployment.settings) as parts:
        await parts.database.take_lane(LANE, first_offset=0)
        nowhere: Any = None

        class Watched:
            """The database, and what the lane had said of itself when it was asked to note the reason."""

            states: ClassVar[list[LaneState]] = []

            async def stop_lane(self, partition: int, epoch: int | None, reason: str | None) -> None:
                await parts.database.stop_lane(partition, epoch, reason)
                self.states.append(lane.progress.state)

        watched: Any = Watched()
        lane = Lane(replace(parts, database=watched), LANE, nowhere)

        await lane._stop("the log starts at 9")  # noqa: SLF001 - what brings it about is tested elsewhere

        row = await parts.database.read_lane(LANE)
        assert row is not None
        assert row.stopped == lane.progress.cause == "the log starts at 9"
        assert lane.progress.state is LaneState.STOPPED
        assert LaneState.STOPPED not in Watched.states != []
