"""A database that was restored to a minute ago: the topics know more than it does.

What was published is the truth, so a lane must not decide those commands again: it folds them, and goes on from there.
"""

import asyncio
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.backlog import binds, publish, publish_all
from tests.faults.postgres.scenario import decided, no_fault_was_taken_for_a_defect, ready, told
from tests.faults.postgres.servers import ask
from tests.system.checker import check
from tests.system.checker.answers import Answer
from tests.system.deployment import Deployment
from tests.system.load import load
from tests.system.provision import PARTITIONS
from tests.system.watched import Seen, watched
from worker.embedded import Postgres

HEALS_IN_SECONDS = 240
OTHER_RULES = {"RULES__PAYMENT_PROFILE_REQUIRED": "false", "RULES__PROJECT_REGISTRY": "strict"}


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


async def positions(deployment: Deployment) -> dict[int, int]:
    """Where each lane stands."""
    rows = await ask(deployment.settings.database.url, "SELECT partition, next_offset FROM lanes")
    return {row.partition: row.next_offset for row in rows}


async def check_all(deployment: Deployment, seen: Seen, sent: Counter[str] | None = None) -> None:
    """Every claim. Who asked the older database before it was brought up was told that the answer is not final yet."""
    await seen.leave()
    seen.answers = [answer for answer in seen.answers if is_final(answer)]
    await check(deployment, sent, seen)


def is_final(answer: Answer) -> bool:
    return answer.through is not None and answer.through >= answer.question.at


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rounds", [pytest.param(0, id="before anything"), pytest.param(10, id="to a minute ago")])
async def test_a_database_that_is_older_than_the_topics_is_brought_to_what_they_say_and_goes_on(
    server: Postgres, deployment: Deployment, runtime_url: str, tmp_path: Path, rounds: int
) -> None:
    if rounds:
        with deployment.worker(DATABASE__URL=runtime_url):
            await publish(deployment, rounds)
            await deployment.answers(HEALS_IN_SECONDS)
    await asyncio.to_thread(back_up, server, tmp_path / "backup")
    async with watched(deployment) as seen:
        with deployment.worker(DATABASE__URL=runtime_url):
            await publish_all(deployment, binds("since", "since", "main"))
            await deployment.answers(HEALS_IN_SECONDS)
        published = await positions(deployment)

        await asyncio.to_thread(restore, server, tmp_path / "backup")

        with deployment.worker(DATABASE__URL=runtime_url, **OTHER_RULES) as worker:
            await told(worker, "lane_runs", PARTITIONS, HEALS_IN_SECONDS)
            folded = {each["lane"]: each["through"] for each in worker.said("folded")}
            assert folded.items() <= published.items()
            assert folded
            await publish_all(deployment, binds("later", "later", "main"))
            await deployment.answers(HEALS_IN_SECONDS)
            await check_all(deployment, seen)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_database_that_is_restored_under_a_worker_while_commands_come_in_loses_and_doubles_nothing(
    server: Postgres, deployment: Deployment, runtime_url: str, tmp_path: Path
) -> None:
    with deployment.worker(DATABASE__URL=runtime_url, LANES__BACKOFF_SECONDS_MAX="1") as worker:
        await ready(worker, seconds=HEALS_IN_SECONDS)
        async with watched(deployment) as seen:
            async with load(deployment, rate=30) as traffic:
                await decided(deployment, 100, HEALS_IN_SECONDS)
                await asyncio.to_thread(back_up, server, tmp_path / "backup")
                await decided(deployment, traffic.sent.total() + 100, HEALS_IN_SECONDS)
                await asyncio.to_thread(restore, server, tmp_path / "backup")
                await told(worker, "folded", 1, HEALS_IN_SECONDS)
            await traffic.resolve()
            await deployment.answers(HEALS_IN_SECONDS)
            await ready(worker, seconds=HEALS_IN_SECONDS)
            await check_all(deployment, seen, traffic.sent)
            await no_fault_was_taken_for_a_defect(deployment, worker)
        assert worker.said("database_older")
