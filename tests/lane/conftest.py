"""One deployment for a whole module of tests that only look at what one worker left behind."""

from collections.abc import AsyncIterator

import pytest

from tests.system.deployment import Deployment
from tests.system.provision import own_database, own_deployment
from tests.system.stacks import Addresses


@pytest.fixture(scope="module")
async def shared(stack: Addresses, migrated: str) -> AsyncIterator[Deployment]:
    """Topics, group and database that the tests of one module share."""
    async with own_database(stack, migrated) as database_url, own_deployment(stack, database_url) as deployment:
        yield deployment
