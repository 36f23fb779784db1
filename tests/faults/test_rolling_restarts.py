"""Workers are asked to end while work is under way, as every release does: the others go on, and nothing is lost."""

import asyncio
import signal
import time
from contextlib import ExitStack

import pytest

from tests.faults.course import course
from tests.faults.lanes import decided, published
from tests.system.deployment import Deployment, WorkerProcess
from tests.system.load import load

pytestmark = pytest.mark.timeout(300)

END_SECONDS = 15
"""From SIGTERM to the end of the process: five seconds to drain, the rest for a busy machine."""

READY_SECONDS = 90
HEAL_SECONDS = 90
RATE = 40
"""Commands a second. Much falls due among them, so they are decided one by one, and pile up while nobody works."""
WORKERS = 3
ROUNDS = 5


async def end(worker: WorkerProcess) -> None:
    """Ask it to end, and see that it does so in order and in time."""
    asked_at = time.monotonic()
    worker.send(signal.SIGTERM)
    assert await asyncio.to_thread(worker.died) == 0
    assert time.monotonic() < asked_at + END_SECONDS
    assert not worker.said("lanes_not_drained")


async def test_a_worker_that_is_asked_to_end_under_load_has_published_all_that_it_decided(
    each_mode: Deployment,
) -> None:
    async with course(each_mode) as ran:
        async with load(each_mode, rate=RATE) as traffic:
            with each_mode.worker() as first:
                await asyncio.to_thread(first.wait_ready, READY_SECONDS)
                await traffic.at_least(200)
                await end(first)
                assert await published(each_mode) == await decided(each_mode)
            with each_mode.worker() as second:
                await asyncio.to_thread(second.wait_ready, READY_SECONDS)
                await end(second)
        with each_mode.worker():
            await each_mode.answers(HEAL_SECONDS)
        ran.sent += traffic.sent

    assert ran.figures.repeated == 0, "whoever ends in order repeats nothing"


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_three_workers_restarted_one_after_the_other_five_times_under_load_lose_nothing(
    each_mode: Deployment,
) -> None:
    async with course(each_mode) as ran:
        with ExitStack() as stack:
            workers = [stack.enter_context(each_mode.worker()) for _ in range(WORKERS)]
            for worker in workers:
                await asyncio.to_thread(worker.wait_ready, READY_SECONDS)
            async with load(each_mode, rate=RATE) as traffic:
                await traffic.at_least(200)
                for _ in range(ROUNDS):
                    for place in range(WORKERS):
                        await end(workers[place])
                        workers[place] = stack.enter_context(each_mode.worker())
                        await asyncio.to_thread(workers[place].wait_ready, READY_SECONDS)
            await each_mode.answers(HEAL_SECONDS)
        ran.sent += traffic.sent

    assert not traffic.unknown
