"""The only broker dies, again and again, or for long."""

import asyncio
import re
import time
from pathlib import Path

import pytest

from tests.faults.kafka.brokers import Broker
from tests.faults.kafka.trial import end, is_live, not_ready, ready, trial
from tests.system.checker import check
from tests.system.deployment import Deployment, WorkerProcess
from tests.system.provision import PARTITIONS
from tests.system.settling import until

AWAY_SECONDS = 75
NOTICED_SECONDS = 45
"""A transaction under way has its time (20 s), an idle lane its tick (10 s) and the time of a request (15 s)."""
MIB = 1024 * 1024


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_broker_killed_and_restarted_five_times_under_load_costs_time_and_nothing_else(
    broker: Broker, deployment: Deployment
) -> None:
    with deployment.worker() as first, deployment.worker() as second:
        async with trial(deployment, first, second, heals_in_seconds=60) as traffic:
            for _ in range(5):
                broker.kafka.kill()
                await asyncio.to_thread(broker.kafka.start)
                await traffic.at_least(traffic.sent.total() + 100)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_without_any_broker_for_a_minute_a_worker_lives_says_so_and_does_not_grow(
    broker: Broker, deployment: Deployment
) -> None:
    with deployment.worker() as worker:
        async with trial(deployment, worker, heals_in_seconds=60, rate=1_000) as traffic:
            await traffic.at_least(1_000)
            broker.kafka.kill()
            gone_at = time.monotonic()
            causes = await not_ready(worker, PARTITIONS, NOTICED_SECONDS)
            await asyncio.sleep(NOTICED_SECONDS - (time.monotonic() - gone_at))
            before = memory(worker)
            while time.monotonic() < gone_at + AWAY_SECONDS:
                assert is_live(worker)
                assert not worker.readiness()[0]
                await asyncio.sleep(1)
            grown = memory(worker) - before
            await asyncio.to_thread(broker.kafka.start)

    assert all(re.search("Kafka|Connect|Node|within 20 s", cause) for cause in causes.values()), causes
    assert grown < 5 * MIB


def memory(worker: WorkerProcess) -> int:
    """What the process has in memory, in bytes."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{worker.pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


@pytest.mark.slow
async def test_a_worker_that_has_nothing_to_do_notices_too_and_its_lane_time_goes_on_when_the_broker_is_back(
    broker: Broker, deployment: Deployment
) -> None:
    with deployment.worker(LANES__TICK_SECONDS="1") as worker:
        await ready(worker)
        await until(lambda: have_ticked(deployment, 2), "every lane has ticked")
        broker.kafka.kill()
        causes = await not_ready(worker, PARTITIONS, NOTICED_SECONDS)
        assert is_live(worker)
        await asyncio.to_thread(broker.kafka.start)
        before = len(await deployment.read("horizons"))
        await until(lambda: have_ticked(deployment, before + 2), "every lane ticks again", 30)
        await ready(worker, seconds=10)
        await end(worker)

    assert len(causes) == PARTITIONS
    await check(deployment)


async def have_ticked(deployment: Deployment, times: int) -> bool:
    """Whether every lane's horizon was written so often."""
    keys = [record.key for record in await deployment.read("horizons")]
    return len(set(keys)) == PARTITIONS and min(keys.count(key) for key in keys) >= times
