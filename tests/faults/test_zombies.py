"""A worker that is stopped past its session and continued does no harm: its lanes are another's by then."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest

from tests.faults import stopped_copy
from tests.faults.backlog import binds, publish, publish_all
from tests.faults.course import course
from tests.faults.lanes import has_come_back
from tests.faults.signals import stopped
from tests.system.deployment import Deployment
from tests.system.load import load
from tests.system.settling import until
from worker.failpoints import Failpoint

pytestmark = pytest.mark.timeout(300)

HEAL_SECONDS = 90
"""From the stop to the last answer: the session of 6 s, then the database's limit of 3 s where a row was locked."""

RECOVER_SECONDS = 90
"""From being continued until the zombie is of use again."""

SESSION_SECONDS = 6
RATE = 40
"""Commands a second. Much falls due among them, so they are decided one by one, and pile up while nobody works."""

PLACES = [
    Failpoint.BEFORE_COMMIT,
    *(pytest.param(place, marks=pytest.mark.slow) for place in (Failpoint.AFTER_COMMIT, Failpoint.INSIDE_TRANSACTION)),
]


@pytest.mark.parametrize("place", PLACES)
async def test_a_worker_stopped_past_its_session_comes_back_as_a_zombie_and_does_no_harm(
    each_mode: Deployment, place: Failpoint
) -> None:
    """Stopped before COMMIT it holds the lane's row until the server ends its transaction."""
    stops = f'{{"{place}": "stop@3"}}'
    async with course(each_mode) as ran:
        ran.sent += await publish(each_mode, rounds=60)
        with each_mode.worker(TESTING__FAILPOINTS=stops, LANES__BATCH_RECORDS_MAX="50") as zombie:
            await stopped(zombie.pid)
            with each_mode.worker():
                await each_mode.answers(HEAL_SECONDS)
                zombie.send(signal.SIGCONT)
                await until(lambda: has_come_back(zombie), "the zombie is of use again", RECOVER_SECONDS)
                ran.sent += await publish_all(each_mode, binds("late", "late", "main"))
                await each_mode.answers(HEAL_SECONDS)


@pytest.mark.slow
async def test_a_zombie_that_has_no_heir_any_more_takes_its_lanes_back(each_mode: Deployment) -> None:
    """It first writes what it had in flight; at least once, its horizon comes behind the heir's, and tells of less."""
    stops = f'{{"{Failpoint.INSIDE_TRANSACTION}": "stop@3"}}'
    async with course(each_mode) as ran:
        ran.sent += await publish(each_mode, rounds=60)
        with each_mode.worker(TESTING__FAILPOINTS=stops, LANES__BATCH_RECORDS_MAX="50") as zombie:
            await stopped(zombie.pid)
            with each_mode.worker() as heir:
                await each_mode.answers(HEAL_SECONDS)
                ran.sent += await publish_all(each_mode, binds("between", "between", "main"))
                await each_mode.answers(HEAL_SECONDS)
                heir.send(signal.SIGKILL)
                await asyncio.to_thread(heir.died)
            zombie.send(signal.SIGCONT)
            ran.sent += await publish_all(each_mode, binds("late", "late", "main"))
            await each_mode.answers(HEAL_SECONDS)


@pytest.mark.slow
async def test_a_worker_stopped_in_the_midst_of_a_copy_does_not_keep_its_lanes(deployment: Deployment) -> None:
    """Who waits for the rest of a COPY is neither idle nor to be cancelled: no limit of the server ends the session."""
    async with course(deployment) as ran:
        ran.sent += await publish(deployment, rounds=5)
        with deployment.worker():
            await deployment.answers(HEAL_SECONDS)
        with half_a_copy(deployment) as copying:
            await stopped(copying.pid)
            ran.sent += await publish_all(deployment, binds("late", "late", "main"))
            with deployment.worker() as heir:
                await deployment.answers(HEAL_SECONDS)
                assert heir.said("stopped_copy_ended")
            copying.send_signal(signal.SIGCONT)
            _, told = copying.communicate(timeout=RECOVER_SECONDS)

    assert b"connection is closed" in told


@contextmanager
def half_a_copy(deployment: Deployment) -> Iterator[subprocess.Popen[bytes]]:
    """A process that stops in the midst of saving, with the lanes' rows locked."""
    database = deployment.settings.database
    arguments = [database.url, str(database.idle_in_transaction_seconds_max)]
    with subprocess.Popen([sys.executable, stopped_copy.__file__, *arguments], stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_workers_stopped_at_any_moment_again_and_again_under_load_do_no_harm(each_mode: Deployment) -> None:
    random = Random(20261122)  # noqa: S311 - repeatable, not secret
    async with course(each_mode) as ran:
        with each_mode.worker() as first, each_mode.worker() as second:
            async with load(each_mode, rate=RATE) as traffic:
                await traffic.at_least(200)
                for number in range(6):
                    victim = (first, second)[number % 2]
                    victim.send(signal.SIGSTOP)
                    await asyncio.sleep(random.uniform(1, 2 * SESSION_SECONDS))
                    victim.send(signal.SIGCONT)
                    await traffic.at_least(traffic.sent.total() + 100)
            for worker in (first, second):
                await asyncio.to_thread(worker.wait_ready, RECOVER_SECONDS)
            await each_mode.answers(HEAL_SECONDS)
        ran.sent += traffic.sent

    assert not traffic.unknown
