"""What these tests break is their own: each module has a broker to itself. PostgreSQL is everybody's."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.faults.kafka.brokers import Broker, own_broker
from tests.system.deployment import Deployment
from tests.system.provision import own_deployment
from tests.system.stacks import Addresses

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the tests' own clients, which suffer with the worker's


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that may be killed."""
    with own_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
async def deployment(broker: Broker, stack: Addresses, database_url: str) -> AsyncIterator[Deployment]:
    """Topics and group on the module's broker, and a database of the test's own.

    When the test has ended the broker is put in order again, so that the topics can be deleted.
    """
    addresses = Addresses(broker.kafka.bootstrap_servers, stack.database_url)
    async with own_deployment(addresses, database_url) as deployment:
        yield deployment
        await asyncio.to_thread(broker.mend)
