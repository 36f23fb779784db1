"""A worker whose event loop stands still for fifteen seconds: it cannot say that it lives, and comes back a zombie."""

import asyncio

import pytest

from tests.faults.backlog import binds, publish, publish_all
from tests.faults.course import course
from tests.faults.lanes import epochs, has_come_back, own_lanes
from tests.system.deployment import Deployment
from tests.system.settling import until
from worker.failpoints import Failpoint

pytestmark = pytest.mark.timeout(300)

HEAL_SECONDS = 90
"""From the block to the last answer; it is 15 s long, and longer than the session and every limit of the database."""

PLACES = [Failpoint.BEFORE_COMMIT, Failpoint.AFTER_COMMIT, Failpoint.INSIDE_TRANSACTION]


def blocks(place: Failpoint) -> dict[str, str]:
    return {"TESTING__FAILPOINTS": f'{{"{place}": "block@3"}}', "LANES__BATCH_RECORDS_MAX": "50"}


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
async def test_a_worker_that_was_blocked_goes_on_by_itself(each_mode: Deployment, place: Failpoint) -> None:
    """Nobody else is there, yet the group and the database have given it up."""
    async with course(each_mode) as ran:
        ran.sent += await publish(each_mode, rounds=60)
        with each_mode.worker(**blocks(place)) as worker:
            await each_mode.answers(HEAL_SECONDS)
            await asyncio.to_thread(worker.wait_ready, HEAL_SECONDS)
            assert max((await epochs(each_mode)).values()) > 1, "the group gave its lanes out anew"
            ran.sent += await publish_all(each_mode, binds("late", "late", "main"))
            await each_mode.answers(HEAL_SECONDS)


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
async def test_another_worker_takes_the_lanes_of_one_that_is_blocked(each_mode: Deployment, place: Failpoint) -> None:
    async with course(each_mode) as ran:
        ran.sent += await publish(each_mode, rounds=60)
        with each_mode.worker(**blocks(place)) as blocked:
            await until(lambda: own_lanes(blocked), "it has begun", HEAL_SECONDS)
            with each_mode.worker() as heir:
                await each_mode.answers(HEAL_SECONDS)
                assert heir.said("lane_runs")
                await until(lambda: has_come_back(blocked), "it is of use again", HEAL_SECONDS)
                ran.sent += await publish_all(each_mode, binds("late", "late", "main"))
                await each_mode.answers(HEAL_SECONDS)
