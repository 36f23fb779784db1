"""A database that was restored to a minute ago: the topics know more than it does.

What was published is the truth, so a lane must not decide those commands again. It stops, and says so.
"""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.faults.backlog import binds, publish, publish_all
from tests.faults.postgres.scenario import decided, ready, says_no_until_then, says_why
from tests.faults.postgres.servers import ask
from tests.system.deployment import Deployment, WorkerProcess
from tests.system.load import load
from tests.system.provision import PARTITIONS
from tests.system.settling import until
from worker.embedded import Postgres

OLDER = r"published through (offset )?\d+, but (the database stands at \d+|this database knows nothing of the lane)"
OUTPUTS = ("account_events", "binding_events", "command_results", "accounts", "payers", "horizons", "dead_letters")

Outputs = dict[str, list[tuple[int, int, bytes | None]]]


def back_up(server: Postgres, where: Path) -> None:
    """Keep what the server holds now."""
    server.stop()
    subprocess.run(["cp", "-a", server.data, where], check=True)
    server.start()


def restore(server: Postgres, where: Path) -> None:
    """Forget what came after the backup."""
    server.kill()
    shutil.rmtree(server.data)
    subprocess.run(["cp", "-a", where, server.data], check=True)
    server.start()


async def outputs(deployment: Deployment) -> Outputs:
    """Where each record lies in each topic."""
    return {
        topic: [(record.partition, record.offset, record.value) for record in await deployment.read(topic)]
        for topic in OUTPUTS
    }


async def standing(deployment: Deployment) -> dict[int, tuple[int, str | None]]:
    """Each lane's position, and why it waits for an operator."""
    rows = await ask(deployment.settings.database.url, "SELECT partition, next_offset, stopped FROM lanes")
    return {row.partition: (row.next_offset, row.stopped) for row in rows}


async def check_stopped(deployment: Deployment, worker: WorkerProcess) -> None:
    """Every lane says why it waits, in readiness and in its row, and neither decides nor publishes anything."""
    named = await says_why(worker, f"stopped: .*{OLDER}", count=PARTITIONS)

    async def rows_say_the_same() -> bool:
        rows = await standing(deployment)
        return all(named[f"lane {partition}"] == f"stopped: {why}" for partition, (_, why) in rows.items())

    await until(rows_say_the_same, f"the lanes' rows say what readiness does: {named}", seconds=10)
    rows = await standing(deployment)
    published = await outputs(deployment)
    await publish_all(deployment, binds("later", "later", "main"))
    await says_no_until_then(worker)
    assert await standing(deployment) == rows
    assert await outputs(deployment) == published


@pytest.mark.parametrize(
    "rounds", [pytest.param(0, marks=pytest.mark.slow, id="before anything"), pytest.param(10, id="to a minute ago")]
)
async def test_a_database_that_is_older_than_the_topics_stops_its_lanes_before_they_decide_anything_again(
    server: Postgres, deployment: Deployment, runtime_url: str, tmp_path: Path, rounds: int
) -> None:
    if rounds:
        with deployment.worker(DATABASE__URL=runtime_url):
            await publish(deployment, rounds)
            await deployment.answers()
    await asyncio.to_thread(back_up, server, tmp_path / "backup")
    with deployment.worker(DATABASE__URL=runtime_url):
        await publish_all(deployment, binds("since", "since", "main"))
        await deployment.answers()
    published = await outputs(deployment)

    await asyncio.to_thread(restore, server, tmp_path / "backup")

    with deployment.worker(DATABASE__URL=runtime_url) as worker:
        await check_stopped(deployment, worker)
    assert await outputs(deployment) == published


@pytest.mark.slow
async def test_a_database_that_is_restored_under_a_worker_stops_its_lanes_while_commands_come_in(
    server: Postgres, deployment: Deployment, runtime_url: str, tmp_path: Path
) -> None:
    with deployment.worker(DATABASE__URL=runtime_url, LANES__BACKOFF_SECONDS_MAX="1") as worker:
        await ready(worker)
        async with load(deployment, rate=30) as traffic:
            await decided(deployment, 100)
            await asyncio.to_thread(back_up, server, tmp_path / "backup")
            await decided(deployment, traffic.sent.total() + 100)
            await asyncio.to_thread(restore, server, tmp_path / "backup")
            await check_stopped(deployment, worker)
