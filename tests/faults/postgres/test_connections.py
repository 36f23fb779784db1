"""Connections that are not to be had: because all are taken, or because the role may have only so many."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from tests.faults.postgres.scenario import decided, faults, ready, says_why
from tests.faults.postgres.servers import ROLE, ask
from tests.system.deployment import Deployment
from tests.system.provision import PARTITIONS

HEAL_SECONDS = 20
SLOW = pytest.mark.slow
NONE_LEFT = "connection slots|too many clients"
OF_WORKERS = f"FROM pg_stat_activity WHERE usename = '{ROLE}' AND application_name = 'billing-worker'"


@pytest.fixture(scope="module")
def server_settings() -> dict[str, str]:
    """Few enough to take them all."""
    return {"max_connections": "20"}


@asynccontextmanager
async def all_taken(deployment: Deployment, runtime_url: str) -> AsyncIterator[None]:
    """Somebody else has every connection that ordinary roles may have, and the workers have none."""
    async with AsyncExitStack() as taken:
        workers = 1
        while workers:
            await ask(deployment.settings.database.url, f"SELECT pg_terminate_backend(pid) {OF_WORKERS}")
            while connection := await connect(runtime_url):
                taken.push_async_callback(connection.close)
            ((workers,),) = await ask(deployment.settings.database.url, f"SELECT count(*) {OF_WORKERS}")
        yield


async def connect(url: str) -> asyncpg.Connection | None:
    """A connection, None if there is none to be had."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        return await asyncpg.connect(plain)
    except asyncpg.TooManyConnectionsError:
        return None


async def test_a_worker_that_gets_no_connection_says_so_and_goes_on_when_there_are_some(
    deployment: Deployment, runtime_url: str
) -> None:
    with deployment.worker(DATABASE__URL=runtime_url, LANES__BACKOFF_SECONDS_MAX="1") as worker:
        async with faults(deployment, worker, heals_in_seconds=HEAL_SECONDS), all_taken(deployment, runtime_url):
            await says_why(worker, NONE_LEFT, count=PARTITIONS)


@pytest.mark.slow
async def test_a_worker_that_starts_where_all_connections_are_taken_waits_for_one(
    deployment: Deployment, runtime_url: str
) -> None:
    async with AsyncExitStack() as taken:
        await taken.enter_async_context(all_taken(deployment, runtime_url))
        with deployment.worker(DATABASE__URL=runtime_url) as worker:
            await says_why(worker, NONE_LEFT, part="database")
            await taken.aclose()
            await ready(worker, seconds=HEAL_SECONDS)


@pytest.mark.parametrize(
    ("limit", "unlimited", "why", "lanes"),
    [
        ("CONNECTION LIMIT 0", "CONNECTION LIMIT -1", "too many connections for role", PARTITIONS),
        # too few for a pool of this size: lanes take turns in getting none
        pytest.param("CONNECTION LIMIT 2", "CONNECTION LIMIT -1", "too many connections for role", 1, marks=SLOW),
        pytest.param("NOLOGIN", "LOGIN", "not permitted to log in", PARTITIONS, marks=SLOW),
    ],
    ids=["none", "too few", "no login"],
)
async def test_a_role_that_may_not_connect_as_it_wants_is_named_and_work_goes_on_when_it_may(
    deployment: Deployment, runtime_url: str, limit: str, unlimited: str, why: str, lanes: int
) -> None:
    url = deployment.settings.database.url
    with deployment.worker(DATABASE__URL=runtime_url, LANES__BACKOFF_SECONDS_MAX="1") as worker:
        async with faults(deployment, worker, heals_in_seconds=HEAL_SECONDS):
            await ask(url, f"ALTER ROLE {ROLE} {limit}")
            await ask(url, f"SELECT pg_terminate_backend(pid) {OF_WORKERS}")
            await says_why(worker, why, count=lanes)
            await ask(url, f"ALTER ROLE {ROLE} {unlimited}")


@SLOW
async def test_a_pool_as_small_as_what_the_role_may_have_serves_more_lanes_than_that(
    deployment: Deployment, runtime_url: str
) -> None:
    url = deployment.settings.database.url
    await ask(url, f"ALTER ROLE {ROLE} CONNECTION LIMIT {PARTITIONS - 1}")
    try:
        with deployment.worker(DATABASE__URL=runtime_url, DATABASE__POOL_SIZE=str(PARTITIONS - 1)) as worker:
            async with faults(deployment, worker, heals_in_seconds=HEAL_SECONDS) as traffic:
                await decided(deployment, traffic.sent.total() + 300)
            assert worker.said("lane_waits") == []
    finally:
        await ask(url, f"ALTER ROLE {ROLE} CONNECTION LIMIT -1")
