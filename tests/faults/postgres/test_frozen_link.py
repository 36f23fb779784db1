"""A network that swallows everything: sockets stay open, and nobody says that anything is wrong."""

import asyncio
import signal

import pytest

from tests.faults.postgres.scenario import decided, faults, is_live, says_why, told
from tests.faults.postgres.servers import through
from tests.system.deployment import Deployment
from tests.system.provision import PARTITIONS
from tests.system.relay import relay
from worker.embedded import Postgres

SHORT = {
    "DATABASE__COMMAND_TIMEOUT_SECONDS": "2",
    "DATABASE__IDLE_IN_TRANSACTION_SECONDS_MAX": "2",
    "LANES__BACKOFF_SECONDS_MAX": "1",
}
HEAL_SECONDS = 30
SILENT = "Timeout|timeout"


@pytest.mark.slow
async def test_a_link_that_freezes_under_load_is_noticed_by_its_silence_and_survived(
    server: Postgres, deployment: Deployment, runtime_url: str
) -> None:
    with relay(f"127.0.0.1:{server.port}") as network:
        network.let()
        with deployment.worker(DATABASE__URL=through(network.port, runtime_url), **SHORT) as worker:
            async with faults(deployment, worker, heals_in_seconds=HEAL_SECONDS):
                network.freeze()
                await says_why(worker, SILENT, count=PARTITIONS, seconds=30)
                network.thaw()


@pytest.mark.slow
async def test_lanes_of_a_worker_behind_a_frozen_link_are_taken_by_one_that_is_not(
    server: Postgres, deployment: Deployment, runtime_url: str
) -> None:
    with relay(f"127.0.0.1:{server.port}") as network:
        network.let()
        with (
            deployment.worker(DATABASE__URL=runtime_url, **SHORT) as other,
            deployment.worker(DATABASE__URL=through(network.port, runtime_url), **SHORT) as frozen,
        ):
            await told(frozen, "lane_runs")
            async with faults(deployment, other, heals_in_seconds=HEAL_SECONDS) as traffic:
                network.freeze()
                await says_why(frozen, SILENT)
                frozen.send(signal.SIGTERM)
                await decided(deployment, traffic.sent.total())
            assert await asyncio.to_thread(frozen.died) == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_link_that_is_frozen_for_a_minute_is_survived_with_the_settings_as_they_come(
    server: Postgres, deployment: Deployment, runtime_url: str
) -> None:
    with relay(f"127.0.0.1:{server.port}") as network:
        network.let()
        with deployment.worker(DATABASE__URL=through(network.port, runtime_url)) as worker:
            async with faults(deployment, worker, heals_in_seconds=2 * HEAL_SECONDS):
                network.freeze()
                await asyncio.sleep(60)
                assert is_live(worker)
                await says_why(worker, SILENT, count=PARTITIONS)
                network.thaw()
