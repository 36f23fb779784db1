"""A database that is older than the topics: what was published is folded, and nothing of it is decided again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import make_url

from tests.recovery.lanes import on_database, take_all_over
from tests.recovery.standing import differences, rows_of
from tests.system.deployment import Deployment
from tests.system.provision import own_database
from tests.system.stacks import Addresses
from tests.system.traffic import traffic

ORGANIZATIONS = tuple(f"org-{number}" for number in range(5))
SECONDS_MAX = 240
OTHER_RULES = {"payment_profile_required": False, "project_registry": "strict", "suspension_notice_seconds": 5}


@asynccontextmanager
async def backup(stack: Addresses, deployment: Deployment) -> AsyncIterator[str]:
    """A copy of the deployment's database as it is now; nobody may be connected."""
    ((installation,),) = await deployment.rows("SELECT id FROM installation")
    name = make_url(deployment.settings.database.url).database
    async with own_database(stack, name, installation=str(installation)) as url:
        yield url


async def send(deployment: Deployment, seed: int, count: int) -> None:
    await deployment.publish_many(traffic(seed, ORGANIZATIONS, count))


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_an_older_database_is_brought_to_what_was_published_whatever_the_rules_are_now(
    stack: Addresses, deployment: Deployment
) -> None:
    await send(deployment, 1, 300)
    with deployment.worker():
        await deployment.answers(SECONDS_MAX)
    async with backup(stack, deployment) as older:
        with deployment.worker(LANES__TICK_SECONDS="0.5"):
            await send(deployment, 2, 600)
            await deployment.publish("org-1", b"not a command", None)
            await deployment.answers(SECONDS_MAX)
        assert differences(await rows_of(deployment.settings.database.url), await rows_of(older))

        lanes = await take_all_over(on_database(deployment, older, **OTHER_RULES))

        assert differences(await rows_of(deployment.settings.database.url), await rows_of(older)) == []
        epochs = dict(await deployment.rows("SELECT partition, epoch FROM lanes"))
        assert all(lane.epoch > epochs[lane.partition] for lane in lanes)
