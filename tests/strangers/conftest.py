"""One worker for all strangers, and one lively run whose records they all look at."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.strangers.lively import Run, lively
from tests.system.deployment import Deployment
from tests.system.provision import own_database, own_deployment
from tests.system.stacks import Addresses


@pytest.fixture(scope="package")
async def run(stack: Addresses, migrated: str) -> AsyncIterator[Run]:
    async with lively(stack, migrated) as run:
        yield run


@pytest.fixture(scope="package")
async def served(stack: Addresses, migrated: str) -> AsyncIterator[Deployment]:
    """A deployment with a worker that answers whoever sends commands."""
    async with own_database(stack, migrated) as database_url, own_deployment(stack, database_url) as deployment:
        with deployment.worker() as worker:
            await asyncio.to_thread(worker.wait_ready)
            yield deployment
