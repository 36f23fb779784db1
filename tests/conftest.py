"""A real Kafka and a real PostgreSQL for every test that asks, and a deployment of its own for each."""

import os
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from tests.system.deployment import Deployment
from tests.system.stacks import Addresses, provide
from worker.broker import clients, topics
from worker.settings import Settings
from worker.store import schema

PARTITIONS = 3


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """Given addresses, else containers if asked for, else embedded servers."""
    with provide(os.environ.get("BILLING_STACK", "embedded"), tmp_path_factory.mktemp("stack")) as addresses:
        yield addresses


@pytest.fixture(scope="session")
async def migrated(stack: Addresses) -> str:
    """The name of a database that every test's own is a copy of."""
    name = f"template_{uuid4().hex[:8]}"
    await _say(stack.database_url, f"CREATE DATABASE {name}")
    await schema.upgrade(_url(stack, name))
    return name


@pytest.fixture
async def database_url(stack: Addresses, migrated: str) -> AsyncIterator[str]:
    """A migrated database of the test's own, an installation of its own."""
    name = f"test_{uuid4().hex}"
    await _say(stack.database_url, f"CREATE DATABASE {name} TEMPLATE {migrated}")
    await _say(_url(stack, name), "UPDATE installation SET id = gen_random_uuid()")
    yield _url(stack, name)
    await _say(stack.database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def deployment(stack: Addresses, database_url: str) -> AsyncIterator[Deployment]:
    """Topics, group and database of the test's own."""
    prefix = f"test-{uuid4().hex[:8]}"
    names = ("commands", "account_events", "binding_events", "command_results", "accounts", "payers", "horizons")
    environment = {
        "BILLING_KAFKA__BOOTSTRAP_SERVERS": stack.bootstrap_servers,
        "BILLING_KAFKA__GROUP_ID": prefix,
        "BILLING_KAFKA__SESSION_TIMEOUT_MS": "6000",
        "BILLING_DATABASE__URL": database_url,
        "BILLING_DATABASE__IDLE_IN_TRANSACTION_SECONDS_MAX": "3",
        "BILLING_HTTP__PORT": "0",
        "BILLING_LOG__FORMAT": "json",
        "BILLING_TOPICS__PARTITIONS": str(PARTITIONS),
        **{f"BILLING_TOPICS__{name.upper()}": f"{prefix}.{name}" for name in (*names, "dead_letters")},
    }
    settings = _settings(environment)
    admin = clients.admin(settings.kafka)
    await admin.start()
    try:
        await topics.apply(admin, await topics.compare(admin, topics.plan(settings)))
        yield Deployment(settings, environment)
        await admin.delete_topics([plan.name for plan in topics.plan(settings)])
    finally:
        await admin.close()


def _settings(environment: dict[str, str]) -> Settings:
    sections: dict[str, dict[str, str]] = {}
    for variable, value in environment.items():
        section, name = variable.removeprefix("BILLING_").lower().split("__")
        sections.setdefault(section, {})[name] = value
    return Settings.model_validate(sections)


def _url(stack: Addresses, database: str) -> str:
    return make_url(stack.database_url).set(database=database).render_as_string(hide_password=False)


async def _say(url: str, statement: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()
