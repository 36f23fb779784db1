import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from worker.embedded import Postgres
from worker.store import schema
from worker.store.engine import create_engine

TEMPLATE = f"store_template_{uuid4().hex[:8]}"


async def say_to_server(server: URL, *statements: str) -> None:
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            for statement in statements:
                await connection.execute(text(statement))
    finally:
        await engine.dispose()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """A server as whoever may create databases and roles there."""
    if url := os.environ.get("BILLING_DATABASE__URL"):
        yield make_url(url)
        return
    postgres = Postgres(Path(tmp_path_factory.mktemp("store")) / "postgres", settings={"fsync": "off"})
    postgres.start()
    try:
        yield make_url(postgres.url("postgres", user="postgres"))
    finally:
        postgres.stop()


@pytest.fixture(scope="session")
async def template(server: URL) -> AsyncIterator[str]:
    await say_to_server(server, f"CREATE DATABASE {TEMPLATE}")
    await schema.upgrade(server.set(database=TEMPLATE).render_as_string(hide_password=False))
    yield TEMPLATE
    await say_to_server(server, f"DROP DATABASE {TEMPLATE} WITH (FORCE)")


@pytest.fixture
async def empty_database(server: URL) -> AsyncIterator[str]:
    name = f"store_{uuid4().hex}"
    await say_to_server(server, f"CREATE DATABASE {name}")
    yield server.set(database=name).render_as_string(hide_password=False)
    await say_to_server(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(server: URL, template: str) -> AsyncIterator[str]:
    """The URL of a migrated database of the test's own."""
    name = f"store_{uuid4().hex}"
    await say_to_server(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.set(database=name).render_as_string(hide_password=False)
    await say_to_server(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database, connections_max=24)
    yield engine
    await engine.dispose()


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with engine.connect() as connection:
        yield connection
