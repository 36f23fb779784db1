"""Databases and deployments for as long as a block lasts, for whoever shares one among several tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from tests.system.deployment import Deployment
from tests.system.stacks import Addresses
from worker.broker import clients, topics
from worker.settings import Settings

PARTITIONS = 3
TOPICS = ("commands", "account_events", "binding_events", "command_results", "accounts", "payers", "horizons")


@asynccontextmanager
async def own_database(stack: Addresses, template: str | None, installation: str | None = None) -> AsyncIterator[str]:
    """A copy of a database, empty without one. `installation` makes it the same installation as another."""
    name = f"test_{uuid4().hex}"
    await say(stack.database_url, f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
    url = url_of(stack, name)
    if template:
        identity = f"'{installation}'" if installation else "gen_random_uuid()"
        await say(url, f"UPDATE installation SET id = {identity}")  # noqa: S608 - of our own making
    yield url
    await say(stack.database_url, f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def own_deployment(stack: Addresses, database_url: str, **settings: str) -> AsyncIterator[Deployment]:
    """Topics and group of its own on a database. Settings by their names, `BILLING_` left out."""
    prefix = f"test-{uuid4().hex[:8]}"
    environment = {
        "BILLING_KAFKA__BOOTSTRAP_SERVERS": stack.bootstrap_servers,
        "BILLING_KAFKA__GROUP_ID": prefix,
        "BILLING_KAFKA__SESSION_TIMEOUT_MS": "6000",
        "BILLING_DATABASE__URL": database_url,
        "BILLING_DATABASE__IDLE_IN_TRANSACTION_SECONDS_MAX": "3",
        "BILLING_HTTP__PORT": "0",
        "BILLING_LOG__FORMAT": "json",
        "BILLING_TOPICS__PARTITIONS": str(PARTITIONS),
        **{f"BILLING_TOPICS__{name.upper()}": f"{prefix}.{name}" for name in (*TOPICS, "dead_letters")},
        **{f"BILLING_{name}": value for name, value in settings.items()},
    }
    read = settings_of(environment)
    admin = clients.admin(read.kafka)
    await admin.start()
    try:
        await topics.apply(admin, await topics.compare(admin, topics.plan(read)))
        yield Deployment(read, environment)
        await admin.delete_topics([plan.name for plan in topics.plan(read)])
    finally:
        await admin.close()


@asynccontextmanager
async def unprepared(stack: Addresses, deployment: Deployment) -> AsyncIterator[Deployment]:
    """Names of topics, of a role, and an empty database, for whoever prepares them; what they made is removed after."""
    prefix, role = f"test-{uuid4().hex[:8]}", f"worker_{uuid4().hex[:8]}"
    async with own_database(stack, None) as owner_url:
        url = make_url(owner_url).set(username=role, password="secret")  # noqa: S106
        environment = deployment.environment | {
            "BILLING_DATABASE__OWNER_URL": owner_url,
            "BILLING_DATABASE__URL": url.render_as_string(hide_password=False),
            **{f"BILLING_TOPICS__{name.upper()}": f"{prefix}.{name}" for name in (*TOPICS, "dead_letters")},
        }
        settings = settings_of(environment)
        yield Deployment(settings, environment)
        admin = clients.admin(settings.kafka)
        await admin.start()
        await admin.delete_topics([plan.name for plan in topics.plan(settings)])
        await admin.close()
    async with deployment.engine() as engine, engine.begin() as connection:
        await connection.exec_driver_sql(f"DROP ROLE {role}")


def settings_of(environment: dict[str, str]) -> Settings:
    """The settings that a worker of this environment has."""
    sections: dict[str, dict[str, str]] = {}
    for variable, value in environment.items():
        section, name = variable.removeprefix("BILLING_").lower().split("__")
        sections.setdefault(section, {})[name] = value
    return Settings.model_validate(sections)


def url_of(stack: Addresses, database: str) -> str:
    """A database of the server."""
    return make_url(stack.database_url).set(database=database).render_as_string(hide_password=False)


async def say(url: str, statement: str) -> None:
    """One statement to a database, outside any transaction."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()
