"""The page's "The database is older than the topics", to the letter, with a backup that was taken amid traffic."""

from pathlib import Path

import pytest

from tests.recovery.drills.databases import back_up, restore
from tests.recovery.drills.operator import operator
from tests.recovery.drills.traffic import RATE, goes_on, nothing_is_lost_or_doubled
from tests.system.deployment import Deployment
from tests.system.load import load
from tests.system.provision import own_database
from tests.system.stacks import Addresses
from tests.system.watched import watched

SECTION = "The database is older than the topics"


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_backup_that_was_taken_amid_traffic_is_brought_up_to_the_topics_and_goes_on(
    stack: Addresses, deployment: Deployment, tmp_path: Path
) -> None:
    url, backup = deployment.settings.database.url, tmp_path / "backup"
    async with operator(deployment) as somebody, watched(deployment) as seen:
        somebody.run()
        async with load(deployment, rate=RATE) as traffic:
            await goes_on(deployment)
            await back_up(url, backup)
            await goes_on(deployment)
            at = await somebody.complete_through()
            before = await somebody.digest(at)
            await goes_on(deployment)
            await somebody.stop_the_workers()
            await restore(stack, url, backup)
            assert await somebody.digest(at) != before

            await somebody.follow(SECTION)

            older, folded = somebody.worker.said("database_older"), somebody.worker.said("folded")
            assert {event["lane"] for event in folded} <= {event["lane"] for event in older}
            assert all(event["offset"] < event["published"] for event in older)
            assert folded
            assert await somebody.digest(at) == before
            await goes_on(deployment)
        await nothing_is_lost_or_doubled(deployment, traffic, seen)
        await somebody.stop_the_workers()
        in_the_end = await somebody.digest()
    async with own_database(stack, None) as empty, operator(deployment, BILLING_DATABASE__URL=empty) as other:
        await other.type([["migrate"], ["rebuild", "--yes"]])
        assert await other.digest() == in_the_end
        assert await other.digest(at) == before
