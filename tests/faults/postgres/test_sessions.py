"""Sessions that end in the midst of a transaction, and COMMITs whose reply never comes."""

import asyncio
import random
import re

import pytest

from tests.faults.postgres.scenario import faults, told
from tests.faults.postgres.servers import ROLE, ask, through
from tests.system.deployment import Deployment
from tests.system.provision import PARTITIONS
from tests.system.relay import relay
from tests.system.settling import until
from worker.embedded import Postgres

HEAL_SECONDS = 30
SEED = 1
COMMIT = re.compile(rb"Q\x00\x00\x00\x0cCOMMIT;\x00")

TERMINATE = f"""
SELECT pid, pg_terminate_backend(pid) FROM (
    SELECT pid FROM pg_stat_activity
    WHERE usename = '{ROLE}' AND state <> 'idle' AND xact_start IS NOT NULL ORDER BY random() LIMIT 1
) AS victim
"""  # noqa: S608 - of our own making


@pytest.mark.slow
async def test_a_session_terminated_in_its_transaction_again_and_again_costs_nothing_but_time(
    deployment: Deployment, runtime_url: str
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    ended = 0
    with deployment.worker(DATABASE__URL=runtime_url, LANES__BACKOFF_SECONDS_MAX="0.3") as worker:
        async with faults(deployment, worker, heals_in_seconds=HEAL_SECONDS, seed=SEED) as traffic:
            while ended < 20 or traffic.sent.total() < 500:
                ended += len(await ask(deployment.settings.database.url, TERMINATE))
                await asyncio.sleep(chance.uniform(0, 0.05))
        waits = worker.said("lane_waits")

    assert len(waits) >= 10, "hardly any of them was in a batch"


async def test_commits_whose_reply_is_lost_are_found_and_count_once(
    server: Postgres, deployment: Deployment, runtime_url: str
) -> None:
    with relay(f"127.0.0.1:{server.port}") as network:
        network.let()
        url = through(network.port, runtime_url)
        with deployment.worker(DATABASE__URL=url, LANES__BACKOFF_SECONDS_MAX="0.3") as worker:
            async with faults(deployment, worker, heals_in_seconds=HEAL_SECONDS):
                network.cut_after(COMMIT, times=20, every=5)

                async def are_lost() -> bool:
                    return network.replies_lost == 20

                await until(are_lost, "twenty replies to COMMIT are lost")
            published_anew = worker.said("journal_published")

    assert len(published_anew) >= 10, "whoever does not know whether it was committed publishes it from the journal"


@pytest.mark.slow
async def test_a_commit_that_takes_a_lane_is_found_when_its_reply_is_lost(
    server: Postgres, deployment: Deployment, runtime_url: str
) -> None:
    with relay(f"127.0.0.1:{server.port}") as network:
        network.let()
        url = through(network.port, runtime_url)
        with deployment.worker(DATABASE__URL=url, LANES__BACKOFF_SECONDS_MAX="0.3") as worker:
            async with faults(deployment, worker, heals_in_seconds=HEAL_SECONDS):
                await ask(deployment.settings.database.url, "UPDATE lanes SET epoch = epoch + 1")
                # nothing can be committed now before the lanes are taken anew
                network.cut_after(COMMIT, times=2 * PARTITIONS)
                await told(worker, "lane_runs", 2 * PARTITIONS)
                assert network.replies_lost == 2 * PARTITIONS
