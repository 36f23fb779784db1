"""A release that brings a migration is rolled out while the one before works on, as the page on deploying says."""

import asyncio
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.deploy.later import REVISION, ROOT, later_release
from tests.faults.course import course
from tests.faults.lanes import own_lanes
from tests.faults.test_rolling_restarts import end
from tests.system.deployment import Around, Deployment, WorkerProcess
from tests.system.load import Load, load
from tests.system.settling import until
from worker.store import revisions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

READY_SECONDS = 90
HEAL_SECONDS = 90
MIGRATE_SECONDS_MAX = 120
RATE = 40
EXPANDS = [
    "ALTER TABLE accounts ADD COLUMN later text",
    "ALTER TABLE bindings ADD COLUMN later text NOT NULL DEFAULT 'no'",
    "ALTER TABLE journal ADD COLUMN later text",
    "CREATE TABLE later (what text)",
]


async def waits_for_the_schema(worker: WorkerProcess, *said: str) -> bool:
    """Whether it says that the database is not as it needs it."""
    _, waiting = await asyncio.to_thread(worker.readiness)
    return all(each in waiting.get("database", "") for each in said)


async def goes_on(traffic: Load) -> None:
    """Let something more be published."""
    await traffic.at_least(traffic.sent.total() + 200)


def migrate(deployment: Deployment, release: Path) -> str:
    """What `billing-worker migrate` of a release says."""
    done = subprocess.run(
        [sys.executable, "-m", "worker", "migrate"],
        cwd=release,
        env=os.environ | deployment.environment,
        capture_output=True,
        text=True,
        timeout=MIGRATE_SECONDS_MAX,
        check=True,
    )
    return done.stdout + done.stderr


async def test_the_next_release_waits_for_its_migration_and_works_beside_this_one_after_it(
    deployment: Deployment, tmp_path: Path
) -> None:
    release = later_release(tmp_path, *EXPANDS)
    ours = revisions.head_revision()
    async with course(deployment) as ran:
        with deployment.worker() as old:
            await asyncio.to_thread(old.wait_ready, READY_SECONDS)
            async with load(deployment, rate=RATE) as traffic:
                await traffic.at_least(200)
                with deployment.worker(Around(release)) as new:
                    says = partial(
                        waits_for_the_schema, new, f"schema is {ours}, not {REVISION}", "billing-worker migrate"
                    )
                    await until(says, "the new one waits for its schema", READY_SECONDS)
                    await goes_on(traffic)

                    said = await asyncio.to_thread(migrate, deployment, release)
                    assert f"applied {REVISION}" in said
                    await until(partial(own_lanes, old, new), "both own lanes", READY_SECONDS)
                    await goes_on(traffic)
                    assert not old.said("lane_waits"), "who works already is not disturbed"

                    await end(old)
                    await goes_on(traffic)
                    await asyncio.to_thread(new.wait_ready, READY_SECONDS)
                    with deployment.worker() as back:
                        await until(partial(own_lanes, back), "one of this release begins again", READY_SECONDS)
                        await goes_on(traffic)
            with deployment.worker(Around(release)):
                await deployment.answers(HEAL_SECONDS)
        ran.sent += traffic.sent


async def test_a_worker_of_this_release_waits_where_a_later_migration_did_more_than_add_and_says_so(
    deployment: Deployment, tmp_path: Path
) -> None:
    release = later_release(tmp_path, *EXPANDS, only_adds=False)
    await asyncio.to_thread(migrate, deployment, release)

    with deployment.worker() as old:
        says = partial(
            waits_for_the_schema, old, f"schema is {REVISION}, not {revisions.head_revision()}", "run that release"
        )
        await until(says, "it waits", READY_SECONDS)
        assert not old.said("lane_runs")
        with deployment.worker(Around(release)) as new:
            await asyncio.to_thread(new.wait_ready, READY_SECONDS)


async def test_migrating_with_this_release_leaves_a_later_schema_alone(deployment: Deployment, tmp_path: Path) -> None:
    await asyncio.to_thread(migrate, deployment, later_release(tmp_path, *EXPANDS))

    said = await asyncio.to_thread(migrate, deployment, ROOT)

    assert "nothing to do" in said
    assert REVISION in said
