import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.store import inbox, lanes
from worker.store.inbox import InboxRow, Remembered
from worker.store.lanes import Fingerprint, Lane, LaneUnknown, Moved

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


async def move(connection: AsyncConnection, *, epoch: int = 1, expected_offset: int = 7, next_offset: int = 9) -> bool:
    moved = await lanes.move(
        connection,
        3,
        epoch=epoch,
        expected_offset=expected_offset,
        next_offset=next_offset,
        latest_at=NOON,
        fingerprint=Fingerprint(8, 1_700_000_000_000, b"hash"),
        published=7,
        horizon_offset=2,
    )
    assert moved is None or abs(moved.now - datetime.now(UTC)) < timedelta(minutes=1)
    return moved is not None


async def test_whoever_moves_a_lane_is_told_what_was_answered_before(connection: AsyncConnection) -> None:
    lane = await lanes.take(connection, 3, first_offset=7)
    answers = [InboxRow("acme", f"c{n}", b"hash", 3, n, NOON, "accepted", b"{}") for n in range(3)]
    await inbox.append(connection, answers)
    ids = [("acme", "c0"), ("acme", "c2"), ("acme", "c3"), ("globex", "c1")]

    async def move_on() -> Moved | None:
        after = {"next_offset": 9, "latest_at": NOON, "fingerprint": None, "published": 7, "horizon_offset": None}
        return await lanes.move(connection, 3, epoch=lane.epoch, expected_offset=7, ids=ids, **after)  # type: ignore[arg-type]

    moved, elsewhere = await move_on(), await move_on()

    assert moved is not None
    assert moved.answered == dict.fromkeys([("acme", "c0"), ("acme", "c2")], Remembered(b"hash", "accepted", b"{}"))
    assert elsewhere is None


async def test_a_lane_begins_where_it_is_told_to(connection: AsyncConnection) -> None:
    lane = await lanes.take(connection, 3, first_offset=7)

    assert lane == Lane(3, 1, 7, lanes.BEFORE_ALL, None, 7, None, None)
    assert await lanes.read(connection, 3) == lane
    assert await lanes.read(connection, 4) is None


async def test_a_lane_that_nobody_took_begins_nowhere_by_itself(connection: AsyncConnection) -> None:
    with pytest.raises(LaneUnknown):
        await lanes.take(connection, 3, first_offset=None)


@pytest.mark.parametrize("first_offset", [None, 0])
async def test_whoever_takes_a_lane_finds_it_where_it_was_left(
    connection: AsyncConnection, first_offset: int | None
) -> None:
    await lanes.take(connection, 3, first_offset=7)
    assert await move(connection)

    lane = await lanes.take(connection, 3, first_offset=first_offset)

    assert lane == Lane(3, 2, 9, NOON, Fingerprint(8, 1_700_000_000_000, b"hash"), 7, 2, None)
    assert await lanes.read_all(connection) == [lane]


async def test_the_former_owner_moves_nothing(connection: AsyncConnection) -> None:
    await lanes.take(connection, 3, first_offset=7)
    await lanes.take(connection, 3, first_offset=None)

    assert not await move(connection, epoch=1)
    assert not await lanes.stop(connection, 3, 1, "log re-created")
    assert await move(connection, epoch=2)


async def test_a_batch_is_not_done_twice(connection: AsyncConnection) -> None:
    await lanes.take(connection, 3, first_offset=7)
    assert await move(connection)

    assert not await move(connection)


async def test_of_two_who_move_a_lane_at_once_one_wins(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await lanes.take(connection, 3, first_offset=7)

    async def race() -> bool:
        async with engine.begin() as connection:
            return await move(connection)

    assert sorted(await asyncio.gather(race(), race())) == [False, True]


async def test_taking_a_lane_waits_for_the_batch_in_flight(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await lanes.take(connection, 3, first_offset=7)

    async def take() -> Lane:
        async with engine.begin() as connection:
            return await lanes.take(connection, 3, first_offset=None)

    async with engine.begin() as connection:
        assert await move(connection)
        taking = asyncio.create_task(take())
        await asyncio.sleep(0.1)
        assert not taking.done()
    assert (await taking).next_offset == 9


async def test_a_stopped_lane_says_why_until_it_may_go_on(connection: AsyncConnection) -> None:
    await lanes.take(connection, 3, first_offset=7)

    assert await lanes.stop(connection, 3, 1, "the log is shorter than it was")
    stopped = await lanes.read(connection, 3)
    assert await lanes.stop(connection, 3, 1, None)
    going = await lanes.read(connection, 3)

    assert stopped is not None
    assert stopped.stopped == "the log is shorter than it was"
    assert going is not None
    assert going.stopped is None
