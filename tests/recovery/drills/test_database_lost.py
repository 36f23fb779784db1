"""The page's "The database is lost", to the letter, while publishers go on and subscribers notice nothing."""

import pytest

from tests.recovery.drills.databases import drop, make
from tests.recovery.drills.operator import operator
from tests.recovery.drills.traffic import RATE, goes_on, nothing_is_lost_or_doubled
from tests.system.deployment import Deployment
from tests.system.load import load
from tests.system.stacks import Addresses
from tests.system.watched import watched

SECTION = "The database is lost"


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_database_that_was_dropped_amid_traffic_is_what_it_was_and_goes_on(
    stack: Addresses, deployment: Deployment
) -> None:
    url = deployment.settings.database.url
    async with operator(deployment) as somebody, watched(deployment) as seen:
        somebody.run()
        async with load(deployment, rate=RATE) as traffic:
            await goes_on(deployment)
            at = await somebody.complete_through()
            before = await somebody.digest(at)
            await goes_on(deployment)
            await drop(stack, url)
            await somebody.stop_the_workers()
            await make(stack, url)

            await somebody.follow(SECTION)

            assert await somebody.digest(at) == before
            await goes_on(deployment)
        await nothing_is_lost_or_doubled(deployment, traffic, seen)
        await somebody.type([["verify", "--topics"]])
        assert await somebody.digest(at) == before
