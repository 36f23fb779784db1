"""A batch, its publishing and a take-over are cancelled wherever they wait: nothing is half done, nothing is lost."""

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka import ConsumerRecord

from tests.faults.backlog import ORGANIZATIONS, publish
from tests.faults.cancelling import cancelled_at
from tests.faults.course import course
from tests.faults.inside import Inside, inside, log_of
from tests.system.deployment import Deployment
from tests.system.provision import PARTITIONS
from worker.lane.batch import Standing, settle
from worker.lane.publisher import Handover
from worker.lane.takeover import TakenOver, take_over
from worker.wire.partitions import partition_of

pytestmark = pytest.mark.timeout(300)

LANE = partition_of(ORGANIZATIONS[0], PARTITIONS)
BATCH_RECORDS = 4
HEAL_SECONDS = 90

WAITS_MIN = {"settle": 6, "publish": 2, "take over": 20}
"""With fewer waits than these, something was not tried."""


async def test_a_batch_cancelled_wherever_it_waits_is_decided_as_a_whole_or_not_at_all(deployment: Deployment) -> None:
    async with course(deployment) as ran, inside(deployment) as worker:
        ran.sent += await publish(deployment, rounds=60)
        log = await log_of(deployment, LANE)
        taken = await take_over(worker.parts, LANE, None)
        await taken.publisher.stop()
        at, is_cancelled = 0, True
        while is_cancelled:
            at += 1
            standing = await _standing(worker, taken)
            records = _next_batch(log, standing)
            is_cancelled = await cancelled_at(at, _settle(worker, standing, records, []))
            await worker.nothing_is_left_behind()
            await _is_whole(deployment, standing, records)
        assert at > WAITS_MIN["settle"]
        await _heal(deployment)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_publishing_that_is_cancelled_wherever_it_waits_is_made_good_by_the_next_take_over(
    each_mode: Deployment,
) -> None:
    async with course(each_mode) as ran, inside(each_mode) as worker:
        ran.sent += await publish(each_mode, rounds=120)
        log = await log_of(each_mode, LANE)
        at, is_cancelled = 0, True
        while is_cancelled:
            at += 1
            taken = await take_over(worker.parts, LANE, None)
            standing = Standing(taken.lane, taken.due_at)
            handovers: list[Handover] = []
            await _settle(worker, standing, _next_batch(log, standing), handovers)
            is_cancelled = await cancelled_at(at, _publish(taken, handovers))
            await taken.publisher.stop()
            await worker.nothing_is_left_behind()
        assert at > WAITS_MIN["publish"]
        await _heal(each_mode)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_take_over_cancelled_wherever_it_waits_is_made_good_by_the_next_one(each_mode: Deployment) -> None:
    async with course(each_mode) as ran, inside(each_mode) as worker:
        ran.sent += await publish(each_mode, rounds=600)
        log = await log_of(each_mode, LANE)
        taken = await take_over(worker.parts, LANE, None)
        await taken.publisher.stop()
        at, is_cancelled = 0, True
        while is_cancelled:
            at += 1
            standing = await _standing(worker, taken)
            await _settle(worker, standing, _next_batch(log, standing), [])  # something to publish from the journal
            is_cancelled = await cancelled_at(at, _take_over(worker))
            await worker.nothing_is_left_behind()
        assert at > WAITS_MIN["take over"]
        await _heal(each_mode)


async def _settle(
    worker: Inside, standing: Standing, records: Sequence[ConsumerRecord], handovers: list[Handover]
) -> None:
    async for _, handover in settle(worker.parts, standing, records):
        handovers.append(handover)


async def _publish(taken: TakenOver, handovers: list[Handover]) -> None:
    await taken.publisher.publish(handovers)


async def _take_over(worker: Inside) -> None:
    taken = await take_over(worker.parts, LANE, None)
    await taken.publisher.stop()


async def _standing(worker: Inside, taken: TakenOver) -> Standing:
    """Where the lane stands, as its owner."""
    row = await worker.parts.database.read_lane(LANE)
    assert row is not None
    return Standing(row, taken.due_at)


def _next_batch(log: Sequence[ConsumerRecord], standing: Standing) -> Sequence[ConsumerRecord]:
    position = standing.row.next_offset
    records = [record for record in log if record.offset >= position][:BATCH_RECORDS]
    assert len(records) == BATCH_RECORDS, "the backlog is too short for so many waits"
    return records


async def _is_whole(deployment: Deployment, before: Standing, records: Sequence[ConsumerRecord]) -> None:
    """Position, journal and inbox have moved by the whole batch, or none of them has moved."""
    ((position,),) = await deployment.rows(f"SELECT next_offset FROM lanes WHERE partition = {LANE}")  # noqa: S608
    first, last = before.row.next_offset, records[-1].offset
    saved = [
        {offset for (offset,) in await deployment.rows(f'SELECT "offset" FROM {table} WHERE {among}')}  # noqa: S608
        for table in ("inbox", "journal")
        for among in (f'lane = {LANE} AND "offset" >= {first}',)
    ]
    whole = {record.offset for record in records} if position == last + 1 else set()
    assert position in {first, last + 1}
    assert saved == [whole, whole]


async def _heal(deployment: Deployment) -> None:
    """A worker finds what was left, and goes on."""
    with deployment.worker() as worker:
        await asyncio.to_thread(worker.wait_ready, HEAL_SECONDS)
        await deployment.answers(HEAL_SECONDS)
