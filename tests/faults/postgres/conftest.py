"""What these tests break is their own: each module has a PostgreSQL to itself. Kafka is everybody's."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.engine import make_url

from tests.faults.postgres.servers import ROLE, grant, superuser_url
from tests.system.deployment import Deployment
from tests.system.provision import own_database, own_deployment, say, url_of
from tests.system.stacks import Addresses
from worker.embedded import Postgres
from worker.store import schema


@pytest.fixture(scope="module")
def server_settings() -> dict[str, str]:
    """A module with a server of another kind has a fixture of this name."""
    return {}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, server_settings: dict[str, str]) -> Iterator[Postgres]:
    """A server that may be killed."""
    postgres = Postgres(tmp_path_factory.mktemp("server"), settings={"shared_buffers": "64MB"} | server_settings)
    postgres.start()
    yield postgres
    postgres.kill()


@pytest.fixture(scope="module")
async def migrated(server: Postgres) -> str:
    """The name of a database that every test's own is a copy of; the runtime role may use it."""
    url = superuser_url(server)
    await say(url, "CREATE DATABASE template")
    await schema.upgrade(url_of(Addresses("", url), "template"))
    await grant(url_of(Addresses("", url), "template"))
    return "template"


@pytest.fixture
def mended(server: Postgres) -> Iterator[Postgres]:
    """The server, running again when the test has ended, so that its database can be dropped."""
    yield server
    server.resume()
    if not server.running:
        server.start()


@pytest.fixture
async def deployment(stack: Addresses, mended: Postgres, migrated: str) -> AsyncIterator[Deployment]:
    """Topics and group of the test's own, and a database on the module's server, which the test knows as superuser."""
    addresses = Addresses(stack.bootstrap_servers, superuser_url(mended))
    async with own_database(addresses, migrated) as url, own_deployment(addresses, url) as deployment:
        yield deployment


@pytest.fixture
def runtime_url(deployment: Deployment) -> str:
    """The deployment's database for a worker: as the role that changes no tables."""
    url = make_url(deployment.settings.database.url).set(username=ROLE, password=ROLE)
    return url.render_as_string(hide_password=False)
