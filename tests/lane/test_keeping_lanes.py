"""Whoever has a lane keeps it over its own errors, and gives up all of them before it joins the group anew."""

from sqlalchemy import text

from tests.system.checker import check
from tests.system.deployment import Deployment, WorkerProcess, ready_account
from tests.system.settling import until
from worker.wire.partitions import partition_of

PARTITIONS = 3


def runs(worker: WorkerProcess) -> int:
    return sum(event.get("event") == "lane_runs" for event in worker.events())


async def epochs(deployment: Deployment) -> dict[int, int]:
    return dict(tuple(row) for row in await deployment.rows("SELECT partition, epoch FROM lanes"))


async def test_a_take_over_that_failed_once_it_had_the_lane_does_not_take_it_again(deployment: Deployment) -> None:
    await deployment.publish("acme", ready_account("acme", "main"))

    with deployment.worker(TESTING__FAILPOINTS='{"take-over-taken": "raise@1"}') as worker:

        async def all_run() -> bool:
            return runs(worker) >= PARTITIONS

        await until(all_run, "every lane runs")
        await deployment.answers()
        said = [event.get("event") for event in worker.events()]

    assert "lane_waits" in said, "one take-over failed"
    assert await epochs(deployment) == {0: 1, 1: 1, 2: 1}, "workers that took their lanes again would fence each other"
    await check(deployment)


async def test_a_worker_that_lost_one_lane_takes_each_of_its_lanes_once_when_it_has_joined_anew(
    deployment: Deployment,
) -> None:
    lost = partition_of("acme", PARTITIONS)
    await deployment.publish("acme", ready_account("acme", "main"))
    with deployment.worker(LANES__TICK_SECONDS="1") as worker:
        await deployment.answers()

        async with deployment.engine() as engine, engine.begin() as connection:
            await connection.execute(text("UPDATE lanes SET epoch = epoch + 1 WHERE partition = :lost"), {"lost": lost})

        async def all_run_again() -> bool:
            return runs(worker) >= 2 * PARTITIONS

        await until(all_run_again, "every lane runs again")
        taken = await epochs(deployment)
        standing = await _positions(deployment)

        async def all_move() -> bool:
            return all(now > standing[lane] + 3 for lane, now in (await _positions(deployment)).items())

        await until(all_move, "ticks move every lane")
        said = [event.get("event") for event in worker.events()]

    assert taken == {lane: 3 if lane == lost else 2 for lane in range(PARTITIONS)}
    assert await epochs(deployment) == taken
    assert said.count("lane_runs") == 2 * PARTITIONS
    assert "position_moved" not in said, "a lane that was left running moves the row that its successor has"
    await check(deployment)


async def _positions(deployment: Deployment) -> dict[int, int]:
    return dict(tuple(row) for row in await deployment.rows("SELECT partition, next_offset FROM lanes"))
