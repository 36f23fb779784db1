"""A worker that is killed anywhere loses nothing, and doubles nothing for whoever reads committed records."""

import asyncio
import signal

import pytest

from tests.faults.backlog import binds, publish, publish_all
from tests.faults.course import course
from tests.faults.lanes import own_lanes
from tests.system.deployment import Deployment, WorkerProcess
from tests.system.settling import until
from worker.failpoints import Failpoint

pytestmark = pytest.mark.timeout(300)

HEAL_SECONDS = 90
"""From the death to the last answer. The group waits 6 s for the dead worker, the rest is taking over."""

ON_THE_WAY = [
    Failpoint.BEFORE_COMMIT,
    pytest.param(Failpoint.AFTER_COMMIT, marks=pytest.mark.slow),
    Failpoint.INSIDE_TRANSACTION,
    pytest.param(Failpoint.AFTER_TRANSACTION, marks=pytest.mark.slow),
]
TAKE_OVER = [place for place in Failpoint if place.startswith("take-over-")]


def dies(place: Failpoint, times: int = 1) -> dict[str, str]:
    return {"TESTING__FAILPOINTS": f'{{"{place}": "kill@{times}"}}', "LANES__BATCH_RECORDS_MAX": "50"}


async def killed(worker: WorkerProcess) -> bool:
    """Wait for its end; whether it was as armed."""
    return await asyncio.to_thread(worker.died) == -signal.SIGKILL


@pytest.mark.parametrize("place", ON_THE_WAY)
async def test_a_worker_killed_on_the_way_of_a_batch_loses_and_doubles_nothing(
    each_mode: Deployment, place: Failpoint
) -> None:
    async with course(each_mode) as ran:
        ran.sent += await publish(each_mode, rounds=60)
        with each_mode.worker(**dies(place, times=2)) as victim:
            assert await killed(victim)
        with each_mode.worker():
            await each_mode.answers(HEAL_SECONDS)


@pytest.mark.slow
@pytest.mark.parametrize("place", TAKE_OVER)
async def test_a_worker_killed_after_any_step_of_a_take_over_leaves_a_lane_that_the_next_one_takes(
    each_mode: Deployment, place: Failpoint
) -> None:
    async with course(each_mode) as ran:
        ran.sent += await publish(each_mode, rounds=60)
        with each_mode.worker(**dies(Failpoint.AFTER_COMMIT, times=4)) as first:
            assert await killed(first)
        with each_mode.worker(**dies(place)) as second:
            assert await killed(second)
        with each_mode.worker():
            await each_mode.answers(HEAL_SECONDS)


@pytest.mark.slow
@pytest.mark.parametrize("place", [Failpoint.REVOKED, Failpoint.DRAINED])
async def test_a_worker_killed_while_it_gives_its_lanes_away_is_replaced_by_who_came(
    each_mode: Deployment, place: Failpoint
) -> None:
    async with course(each_mode) as ran:
        # The client says so a first time before it joins, when there is nothing to give away.
        with each_mode.worker(**dies(place, times=2)) as leaving:
            await until(lambda: own_lanes(leaving), "it owns lanes")
            ran.sent += await publish(each_mode, rounds=60)
            with each_mode.worker():
                assert await killed(leaving)
                ran.sent += await publish_all(each_mode, binds("late", "late", "main"))
                await each_mode.answers(HEAL_SECONDS)


@pytest.mark.slow
async def test_a_worker_killed_when_it_is_given_lanes_is_replaced_by_who_had_them(each_mode: Deployment) -> None:
    async with course(each_mode) as ran:
        with each_mode.worker() as staying:
            await until(lambda: own_lanes(staying), "it owns lanes")
            ran.sent += await publish(each_mode, rounds=60)
            with each_mode.worker(**dies(Failpoint.ASSIGNED)) as coming:
                assert await killed(coming)
                ran.sent += await publish_all(each_mode, binds("late", "late", "main"))
                await each_mode.answers(HEAL_SECONDS)


@pytest.mark.slow
async def test_two_workers_share_the_lanes_and_one_that_is_killed_is_replaced_by_the_other(
    each_mode: Deployment,
) -> None:
    async with course(each_mode) as ran:
        with each_mode.worker() as first, each_mode.worker() as second:
            await until(lambda: own_lanes(first, second), "both own lanes")
            ran.sent += await publish(each_mode, rounds=100)
            first.send(signal.SIGKILL)
            assert await killed(first)
            ran.sent += await publish_all(each_mode, binds("late", "late", "main"))
            await each_mode.answers(HEAL_SECONDS)
