"""Most tests share one database, and each takes back what it did; whoever commits or races has one of its own."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from tests.system.stacks import Addresses
from worker.store.engine import create_engine

FILL_SECONDS_MAX = 120.0
"""Some tests fill tables with hundreds of thousands of rows, which a busy machine takes its time for."""


async def say_to_server(server: URL, *statements: str) -> None:
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            for statement in statements:
                await connection.execute(text(statement))
    finally:
        await engine.dispose()


@pytest.fixture(scope="session")
def server(stack: Addresses) -> URL:
    """A server as whoever may create databases and roles there."""
    return make_url(stack.database_url)


@pytest.fixture(scope="session")
def template(migrated: str) -> str:
    return migrated


@pytest.fixture
async def empty_database(server: URL) -> AsyncIterator[str]:
    name = f"store_{uuid4().hex}"
    await say_to_server(server, f"CREATE DATABASE {name}")
    yield server.set(database=name).render_as_string(hide_password=False)
    await say_to_server(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(database_url: str) -> str:
    """The URL of a migrated database of the test's own."""
    return database_url


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database, connections_max=24, command_seconds_max=FILL_SECONDS_MAX)
    yield engine
    await engine.dispose()


@pytest.fixture(scope="session")
async def shared(server: URL, template: str) -> AsyncIterator[AsyncEngine]:
    """A migrated database in which nobody commits."""
    name = f"store_{uuid4().hex}"
    await say_to_server(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    engine = create_engine(
        server.set(database=name).render_as_string(hide_password=False), command_seconds_max=FILL_SECONDS_MAX
    )
    yield engine
    await engine.dispose()
    await say_to_server(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def connection(shared: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that is rolled back at the end."""
    async with shared.connect() as connection:
        yield connection
