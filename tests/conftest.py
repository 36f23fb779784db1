"""A real Kafka and a real PostgreSQL for every test that asks, and a deployment of its own for each."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from tests.system.deployment import Deployment
from tests.system.provision import own_database, own_deployment, say, url_of
from tests.system.stacks import Addresses, provide
from worker.store import schema


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs that tests start: what a shell runs in the background ignores it by inheritance."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """Given addresses, else containers if asked for, else embedded servers."""
    with provide(os.environ.get("BILLING_STACK", "embedded"), tmp_path_factory.mktemp("stack")) as addresses:
        yield addresses


@pytest.fixture(scope="session")
async def migrated(stack: Addresses) -> str:
    """The name of a database that every test's own is a copy of."""
    name = f"template_{uuid4().hex[:8]}"
    await say(stack.database_url, f"CREATE DATABASE {name}")
    await schema.upgrade(url_of(stack, name))
    return name


@pytest.fixture
async def database_url(stack: Addresses, migrated: str) -> AsyncIterator[str]:
    """A migrated database of the test's own, an installation of its own."""
    async with own_database(stack, migrated) as url:
        yield url


@pytest.fixture
async def deployment(stack: Addresses, database_url: str) -> AsyncIterator[Deployment]:
    """Topics, group and database of the test's own."""
    async with own_deployment(stack, database_url) as deployment:
        yield deployment
