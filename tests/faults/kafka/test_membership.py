"""Who belongs to the group: workers that come and go all the time, and workers that have nothing to do for long."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import text

from tests.faults.kafka.brokers import Broker
from tests.faults.kafka.lanes import binds, ids_of
from tests.faults.kafka.trial import end, ready, told, trial
from tests.system.checker import check
from tests.system.deployment import Around, Deployment, WorkerProcess, ready_account
from tests.system.provision import own_deployment
from tests.system.stacks import Addresses

IMPATIENT = Around(environment={"PYTHONPATH": str(Path(__file__).with_name("impatient"))})
POLL_SECONDS = 4.0
"""How long an impatient worker may do nothing before its client leaves the group: see `impatient/sitecustomize.py`."""

ORGANIZATION = "org-0"
MEMBERS_MAX = 4
CHANGES = 12


@pytest.fixture
async def one_lane(broker: Broker, stack: Addresses, database_url: str) -> AsyncIterator[Deployment]:
    """A deployment with a single partition: of two workers one is to spare."""
    addresses = Addresses(broker.kafka.bootstrap_servers, stack.database_url)
    async with own_deployment(addresses, database_url, TOPICS__PARTITIONS="1") as deployment:
        yield deployment


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_workers_that_come_and_go_all_the_time_lose_and_double_nothing(deployment: Deployment) -> None:
    random = Random(1)  # noqa: S311 - repeatable, not secret
    with deployment.worker() as steady, ExitStack() as stack:
        async with trial(deployment, steady, heals_in_seconds=90) as traffic:
            members: list[WorkerProcess] = []
            for _ in range(CHANGES):
                if len(members) < MEMBERS_MAX and (not members or random.random() < 0.6):
                    members.append(stack.enter_context(deployment.worker()))
                else:
                    leaving = members.pop(random.randrange(len(members)))
                    leaving.send(random.choice((signal.SIGTERM, signal.SIGKILL)))
                await asyncio.sleep(random.uniform(0.1, 3))
            await traffic.at_least(traffic.sent.total() + 100)
            for member in members:
                member.send(signal.SIGKILL)


@pytest.mark.slow
async def test_a_worker_to_spare_takes_over_also_after_it_had_nothing_to_do_for_long(one_lane: Deployment) -> None:
    deployment = one_lane
    await deployment.publish(ORGANIZATION, ready_account(ORGANIZATION, "main"), *binds(ORGANIZATION, 0, 10))
    with deployment.worker(IMPATIENT) as owner:
        await deployment.answers()
        with deployment.worker(IMPATIENT) as spare:
            await ready(owner, spare)
            await asyncio.sleep(POLL_SECONDS * 2.5)
            heir, dying = (spare, owner) if await owns_the_lane(deployment, owner) else (owner, spare)
            dying.send(signal.SIGKILL)
            assert await asyncio.to_thread(dying.died) == -signal.SIGKILL
            await deployment.publish(ORGANIZATION, *binds(ORGANIZATION, 10, 20))
            await deployment.answers(30)
            await end(heir)

    await check(deployment, ids_of(range(20), 1))


async def owns_the_lane(deployment: Deployment, worker: WorkerProcess) -> bool:
    """Whether the newest epoch is this worker's."""
    ((epoch,),) = await deployment.rows("SELECT epoch FROM lanes")
    return any(run["epoch"] == epoch for run in worker.said("lane_runs"))


@pytest.mark.slow
async def test_a_lane_that_stands_still_for_long_stays_its_workers_and_goes_on(one_lane: Deployment) -> None:
    deployment = one_lane
    small = {"LANES__QUEUE_RECORDS_MAX": "20", "LANES__BATCH_RECORDS_MAX": "20"}
    with deployment.worker(IMPATIENT, **small) as worker:
        await ready(worker)
        await told(worker, "lane_runs")
        async with deployment.engine() as engine, engine.begin() as connection:
            # With a full buffer the partition is paused: there is nothing that may be fetched.
            await connection.execute(text("SELECT 1 FROM lanes FOR UPDATE"))
            await deployment.publish(ORGANIZATION, ready_account(ORGANIZATION, "main"), *binds(ORGANIZATION, 0, 1_000))
            await asyncio.sleep(POLL_SECONDS * 2.5)
        await deployment.answers(60)
        assert {run["epoch"] for run in worker.said("lane_runs")} == {1}
        await end(worker)

    await check(deployment, ids_of(range(1_000), 1))
