"""A Kafka and a PostgreSQL with TLS, for all tests of security; the certificates are made for the run."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.engine import make_url

from tests.security.certificates import Authority
from tests.security.servers import ADMIN, OWNER_PASSWORD, WITH_TLS, SecuredKafka, secured_kafka, secured_postgres
from tests.system.deployment import Deployment
from tests.system.provision import PARTITIONS, TOPICS, say, settings_of
from worker.broker import clients, topics
from worker.embedded import Postgres
from worker.embedded.postgres import OWNER
from worker.store import schema


@dataclass(frozen=True)
class Place:
    """A database and topics of a test's own: settings by everybody's need, but for who comes to Kafka and how."""

    kafka: SecuredKafka
    common: dict[str, str]

    def deployment(self, reaching: dict[str, str]) -> Deployment:
        """As somebody who reaches Kafka so."""
        environment = self.common | reaching
        return Deployment(settings_of(environment), environment)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SecuredKafka]:
    with secured_kafka(tmp_path_factory.mktemp("secured") / "kafka", authority) as running:
        yield running


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Postgres]:
    if find_spec(WITH_TLS.package) is None:
        pytest.skip("there is no PostgreSQL with TLS for this system in a wheel")
    with secured_postgres(tmp_path_factory.mktemp("secured") / "postgres", authority) as running:
        yield running


@pytest.fixture(scope="session")
async def owner_password(postgres: Postgres) -> str:
    """One that can be looked for: elsewhere it is the name of the role."""
    await say(postgres.url("postgres", user="postgres"), f"ALTER ROLE {OWNER} PASSWORD '{OWNER_PASSWORD}'")
    return OWNER_PASSWORD


@pytest.fixture
def reaching_postgres(authority: Authority, tmp_path: Path, postgres: Postgres, owner_password: str) -> dict[str, str]:
    """The settings of somebody who reaches the database with TLS, and whose password is in a file."""
    password = tmp_path / "database-password"
    password.write_text(f"{owner_password}\n")
    return {
        "BILLING_DATABASE__URL": make_url(postgres.url())._replace(password=None).render_as_string(),
        "BILLING_DATABASE__PASSWORD_FILE": str(password),
        "BILLING_DATABASE__TLS": "verify-full",
        "BILLING_DATABASE__CA_FILE": str(authority.file),
    }


@pytest.fixture
async def place(kafka: SecuredKafka, postgres: Postgres, reaching_postgres: dict[str, str]) -> AsyncIterator[Place]:
    """Topics, group and migrated database of the test's own."""
    prefix = f"test-{uuid4().hex[:8]}"
    await postgres.create_database(prefix)
    url = make_url(reaching_postgres["BILLING_DATABASE__URL"]).set(database=prefix).render_as_string()
    common = reaching_postgres | {
        "BILLING_DATABASE__URL": url,
        "BILLING_DATABASE__IDLE_IN_TRANSACTION_SECONDS_MAX": "3",
        "BILLING_KAFKA__GROUP_ID": prefix,
        "BILLING_KAFKA__SESSION_TIMEOUT_MS": "6000",
        "BILLING_HTTP__PORT": "0",
        "BILLING_LOG__FORMAT": "json",
        "BILLING_TOPICS__PARTITIONS": str(PARTITIONS),
        **{f"BILLING_TOPICS__{name.upper()}": f"{prefix}.{name}" for name in (*TOPICS, "dead_letters")},
    }
    as_admin = settings_of(common | kafka.environment(ADMIN))
    await schema.upgrade(as_admin.database.url)
    admin = clients.admin(as_admin.kafka)
    await admin.start()
    try:
        await topics.apply(admin, await topics.compare(admin, topics.plan(as_admin)))
        yield Place(kafka, common)
        await admin.delete_topics([plan.name for plan in topics.plan(as_admin)])
    finally:
        await admin.close()
    await postgres.drop_database(prefix)
