"""A database that takes no writes, as one that was failed over from."""

import pytest

from tests.faults.postgres.scenario import faults, ready, says_why
from tests.faults.postgres.servers import ask
from tests.system.deployment import Deployment
from tests.system.provision import PARTITIONS
from worker.embedded import Postgres

HEAL_SECONDS = 20


async def test_a_database_that_became_read_only_is_named_and_work_goes_on_when_it_takes_writes_again(
    server: Postgres, deployment: Deployment, runtime_url: str
) -> None:
    url = deployment.settings.database.url
    with deployment.worker(DATABASE__URL=runtime_url, LANES__BACKOFF_SECONDS_MAX="1") as worker:
        async with faults(deployment, worker, heals_in_seconds=HEAL_SECONDS):
            await set_read_only(url, is_so=True)
            await says_why(worker, "read-only transaction", count=PARTITIONS)
            await set_read_only(url, is_so=False)


@pytest.mark.slow
async def test_a_worker_that_starts_on_a_read_only_database_waits_for_one_that_takes_writes(
    server: Postgres, deployment: Deployment, runtime_url: str
) -> None:
    url = deployment.settings.database.url
    await set_read_only(url, is_so=True)
    with deployment.worker(DATABASE__URL=runtime_url, LANES__BACKOFF_SECONDS_MAX="1") as worker:
        await says_why(worker, "read-only transaction", part="database")
        await set_read_only(url, is_so=False)
        await ready(worker, seconds=HEAL_SECONDS)


async def set_read_only(url: str, *, is_so: bool) -> None:
    """For everybody, from the next transaction on."""
    await ask(url, f"ALTER SYSTEM SET default_transaction_read_only = {is_so}")
    await ask(url, "SELECT pg_reload_conf()")
