"""Transactions that commit after later ones: whoever reads an outbox by number, or waits for the oldest, is caught."""

import signal

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.faults.postgres.scenario import decided, faults
from tests.faults.postgres.servers import ask
from tests.faults.signals import stopped
from tests.system.deployment import Deployment
from tests.system.settling import until
from worker.failpoints import Failpoint

HEAL_SECONDS = 60
"""The group waits 6 s for who was stopped; the rest is taking over."""

PATIENT = {"DATABASE__IDLE_IN_TRANSACTION_SECONDS_MAX": "60", "LANES__BACKOFF_SECONDS_MAX": "1"}
OPEN = """
SELECT 1 FROM pg_stat_activity WHERE application_name = 'billing-worker'
AND state = 'idle in transaction' AND xact_start < clock_timestamp() - interval '1 second'
"""


@pytest.mark.slow
async def test_a_transaction_that_commits_after_later_ones_is_published_and_not_skipped(
    deployment: Deployment, runtime_url: str
) -> None:
    url = deployment.settings.database.url
    stops = f'{{"{Failpoint.BEFORE_COMMIT}": "stop@20"}}'
    with (
        deployment.worker(DATABASE__URL=runtime_url, **PATIENT) as heir,
        deployment.worker(DATABASE__URL=runtime_url, TESTING__FAILPOINTS=stops, **PATIENT) as late,
    ):
        async with faults(deployment, heir, late, heals_in_seconds=HEAL_SECONDS):
            await stopped(late.pid)
            began, taken = await positions(url), len(heir.said("lane_runs"))

            async def others_have_gone_on() -> bool:
                now = await positions(url)
                return any(now[lane] > began[lane] for lane in began)

            await until(others_have_gone_on, "later transactions of other lanes are committed and published")

            async def is_still_open() -> bool:
                return bool(await ask(url, OPEN))

            await until(is_still_open, "its transaction has been open for a while", seconds=5)
            assert len(heir.said("lane_runs")) == taken, "nobody has taken its lanes meanwhile"
            late.send(signal.SIGCONT)


async def positions(url: str) -> dict[int, int]:
    """Through where each lane is published, as far as the database knows."""
    return {row.partition: row.published for row in await ask(url, "SELECT partition, published FROM lanes")}


@pytest.mark.slow
async def test_a_transaction_that_stays_open_longer_than_all_others_holds_up_nobody(
    deployment: Deployment, runtime_url: str
) -> None:
    engine = create_async_engine(deployment.settings.database.url, isolation_level="REPEATABLE READ")
    with deployment.worker(DATABASE__URL=runtime_url) as worker:
        async with engine.connect() as oldest:
            await oldest.execute(text("SELECT pg_current_xact_id()"))
            async with faults(deployment, worker, heals_in_seconds=HEAL_SECONDS) as traffic:
                await decided(deployment, traffic.sent.total() + 200)
            assert await oldest.scalar(text("SELECT count(*) FROM journal")) == 0, "it saw nothing of all that"
        assert worker.said("lane_waits") == []
    await engine.dispose()
