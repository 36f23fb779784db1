"""The server dies under load and comes back: in an orderly way, cut off, killed whole or in part."""

import asyncio
import os
import signal
from collections.abc import Callable

import psutil
import pytest

from tests.faults.postgres.scenario import decided, faults, says_why
from tests.faults.postgres.servers import ROLE, answers, ask
from tests.system.deployment import Deployment
from tests.system.provision import PARTITIONS
from worker.embedded import EmbeddedError, Postgres

HEAL_SECONDS = 30
AWAY = "onnect|the database system is (shutting down|starting up|in recovery)"
KILLED_SECONDS_MAX = 30


def kill_the_postmaster_alone(server: Postgres) -> None:
    """What it started lives on for a moment; until all of that is gone no other postmaster starts on the data."""
    children = psutil.Process(server.pid).children(recursive=True)
    os.kill(server.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(children, KILLED_SECONDS_MAX)
    if alive:
        raise EmbeddedError(f"processes {alive} outlive their postmaster", remedy="Kill them")
    server.kill()


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(Postgres.stop, marks=pytest.mark.slow),
        Postgres.stop_immediately,
        Postgres.kill,
        pytest.param(kill_the_postmaster_alone, marks=pytest.mark.slow),
    ],
    ids=lambda end: end.__name__.replace("_", " "),
)
async def test_a_server_that_goes_away_under_load_is_named_and_work_goes_on_when_it_is_back(
    server: Postgres, deployment: Deployment, runtime_url: str, end: Callable[[Postgres], None]
) -> None:
    with deployment.worker(DATABASE__URL=runtime_url, LANES__BACKOFF_SECONDS_MAX="1") as worker:
        async with faults(deployment, worker, heals_in_seconds=HEAL_SECONDS):
            await asyncio.to_thread(end, server)
            await says_why(worker, AWAY, count=PARTITIONS)
            await asyncio.to_thread(server.start)


@pytest.mark.slow
async def test_a_server_that_is_killed_and_started_again_five_times_under_load_loses_nothing(
    server: Postgres, deployment: Deployment, runtime_url: str
) -> None:
    with deployment.worker(DATABASE__URL=runtime_url) as one, deployment.worker(DATABASE__URL=runtime_url) as other:
        async with faults(deployment, one, other, heals_in_seconds=2 * HEAL_SECONDS) as traffic:
            for end in (Postgres.kill, Postgres.stop_immediately, Postgres.kill, Postgres.stop, Postgres.kill):
                await asyncio.to_thread(end, server)
                await asyncio.to_thread(server.start)
                await traffic.at_least(traffic.sent.total() + 200)


@pytest.mark.slow
async def test_a_session_that_is_killed_takes_all_others_along_and_work_goes_on_by_itself(
    deployment: Deployment, runtime_url: str
) -> None:
    url = deployment.settings.database.url
    with deployment.worker(DATABASE__URL=runtime_url, LANES__BACKOFF_SECONDS_MAX="1") as worker:
        async with faults(deployment, worker, heals_in_seconds=HEAL_SECONDS) as traffic:
            for _ in range(3):
                await decided(deployment, traffic.sent.total())
                (pid, *_), *_ = await ask(url, f"SELECT pid FROM pg_stat_activity WHERE usename = '{ROLE}'")  # noqa: S608
                os.kill(pid, signal.SIGKILL)
                await answers(url)
        waits = worker.said("lane_waits")

    assert len(waits) >= PARTITIONS
