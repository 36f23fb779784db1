"""The page's "The horizons are lost too", to the letter: what the lanes brought about tells where they go on."""

from uuid import uuid4

import pytest

from tests.recovery.drills import page
from tests.recovery.drills.databases import drop, make
from tests.recovery.drills.operator import Operator, operator
from tests.recovery.drills.test_lane_stopped import bring_old_horizons
from tests.recovery.drills.test_topics_lost import delete
from tests.recovery.programs import SECONDS_MAX
from tests.recovery.standing import KEYS, differences, rows_of
from tests.recovery.verified import history
from tests.system.checker import check
from tests.system.deployment import Deployment, command
from tests.system.provision import PARTITIONS, own_database
from tests.system.settling import until
from tests.system.stacks import Addresses

SECTION = "The horizons are lost too"
ORGANIZATIONS = tuple(f"org-{number}" for number in range(5))  # in every lane
TICK_SECONDS = "0.5"
TICKS_BEHIND = 3

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


async def ends_in_ticks(deployment: Deployment) -> None:
    """Every lane has decided ticks behind the last command that brought anything about."""

    async def are_decided() -> bool:
        rows = await deployment.rows(
            'SELECT next_offset - 1 - (SELECT max("offset") FROM journal WHERE lane = partition) AS behind FROM lanes'
        )
        return len(rows) == PARTITIONS and all(row.behind is None or row.behind >= TICKS_BEHIND for row in rows)

    await until(are_decided, "ticks are decided", SECONDS_MAX)


async def refused(somebody: Operator, *arguments: str) -> str:
    await somebody.type([["rebuild", *arguments]], exits=1)
    return somebody.done[-1].stderr


async def test_a_database_and_the_horizons_that_are_lost_together_come_back_and_work_goes_on(
    stack: Addresses, deployment: Deployment
) -> None:
    url = deployment.settings.database.url
    async with operator(deployment) as somebody:
        somebody.run(LANES__TICK_SECONDS=TICK_SECONDS)
        for organization in ORGANIZATIONS:
            await deployment.publish(organization, *history(organization))
        first, second, *_ = ORGANIZATIONS
        await deployment.publish(first, b"nothing of the kind")
        await deployment.publish(second, command(second, "project.unbind", "last", project="unknown"))
        await deployment.answers(SECONDS_MAX)
        await ends_in_ticks(deployment)
        await somebody.stop_the_workers()
        true = await rows_of(url, tables=[table for table in KEYS if table != "lanes"])
        ((installation,),) = await deployment.rows("SELECT id::text FROM installation")
        await delete(deployment, "horizons")
        await drop(stack, url)
        await make(stack, url)

        apply, migrate, dry, *rest = page.commands(SECTION, INSTALLATION=installation, N=str(PARTITIONS))
        await somebody.type([apply, migrate])
        assert f"signed by {installation}" in await refused(somebody)
        of_another = [str(uuid4()) if word == installation else word for word in dry[1:]]
        assert "is of another installation" in await refused(somebody, *of_another)
        assert "there are more than 1 partitions" in await refused(somebody, *dry[1:-1], "1")
        await somebody.type([dry])
        assert await deployment.rows("SELECT 1 FROM accounts") == []
        meant, declared, run, verified = rest
        await somebody.type([meant])
        assert differences(true, await rows_of(url, tables=list(true))) == []
        await somebody.type([declared, run])
        for organization in ORGANIZATIONS:
            await deployment.publish(organization, command(organization, "project.register", "new", project="new"))
        await deployment.answers(SECONDS_MAX)
        await somebody.type([verified])
        await somebody.stop_the_workers()
        await check(deployment)


async def test_horizons_of_an_earlier_time_are_not_taken_for_the_last(
    stack: Addresses, deployment: Deployment, migrated: str
) -> None:
    async with operator(deployment) as somebody:
        somebody.run()
        for part in (slice(0, 9), slice(9, None)):
            await deployment.publish("acme", *list(history("acme"))[part])
            await deployment.answers(SECONDS_MAX)
        await somebody.stop_the_workers()
    await bring_old_horizons(deployment)

    async with (
        own_database(stack, migrated) as empty,
        operator(deployment, BILLING_DATABASE__URL=empty) as somebody,
    ):
        assert "the horizons are of an earlier time" in await refused(somebody, "--yes")
