"""A PostgreSQL with TLS: who it is, is verified; who comes, may come with a certificate; passwords may change."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row
from sqlalchemy.engine import make_url

from tests.cli.conftest import Program
from tests.security.certificates import Authority
from tests.security.servers import CERTIFIED, KEY_PASSWORD, OWNER_PASSWORD
from tests.system.provision import say, settings_of
from worker.embedded import Postgres
from worker.embedded.ports import LOOPBACK
from worker.embedded.postgres import OWNER
from worker.store.engine import create_engine

pytestmark = pytest.mark.timeout(300)

WHO = "SELECT ssl, version, current_user FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


async def asked(environment: dict[str, str], statement: str = WHO) -> Row[Any]:
    """What the database answers to somebody with these settings."""
    engine = create_engine(settings_of(environment).database.url)
    try:
        async with engine.connect() as connection:
            return (await connection.exec_driver_sql(statement)).one()
    finally:
        await engine.dispose()


async def test_the_connection_is_encrypted_and_the_password_comes_from_its_file(
    reaching_postgres: dict[str, str],
) -> None:
    assert await asked(reaching_postgres) == (True, "TLSv1.3", OWNER)


def written(directory: Path, password: str) -> str:
    """The file that holds a password."""
    file = directory / "password"
    file.write_text(f"{password}\n")
    return str(file)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("another authority", "its certificate is not to be trusted"),
        ("the authorities of the system", "its certificate is not to be trusted"),
        ("another name", "its certificate is of another name"),
        ("no TLS", "no encryption"),
        ("another password", "BILLING_DATABASE__PASSWORD_FILE names"),
    ],
)
async def test_who_is_not_who_he_should_be_is_refused_in_words_that_say_what_to_do(
    what: str, said: str, reaching_postgres: dict[str, str], tmp_path: Path, postgres: Postgres
) -> None:
    environment = dict(reaching_postgres)
    url = make_url(environment["BILLING_DATABASE__URL"])
    match what:
        case "another authority":
            environment["BILLING_DATABASE__CA_FILE"] = str(Authority(tmp_path / "elsewhere").file)
        case "the authorities of the system":
            del environment["BILLING_DATABASE__CA_FILE"]
        case "another name":
            environment["BILLING_DATABASE__URL"] = url.set(host="localhost").render_as_string()
        case "no TLS":
            del environment["BILLING_DATABASE__CA_FILE"]
            environment["BILLING_DATABASE__TLS"] = "disable"
        case "another password":
            environment["BILLING_DATABASE__PASSWORD_FILE"] = written(tmp_path, "not the one")

    result = await Program(environment)("payer", "acme", "web")

    assert result.exit_code == 1
    assert said in result.stderr
    assert f"{LOOPBACK if what != 'another name' else 'localhost'}:{postgres.port}" in result.stderr
    assert "not the one" not in result.stderr


async def test_a_certificate_takes_the_place_of_a_password(
    authority: Authority, postgres: Postgres, reaching_postgres: dict[str, str], tmp_path: Path
) -> None:
    identity = authority.sign(CERTIFIED, password=KEY_PASSWORD)
    key_password = tmp_path / "key-password"
    key_password.write_text(KEY_PASSWORD)
    await say(postgres.url("postgres", user="postgres"), f"CREATE ROLE {CERTIFIED} LOGIN")
    url = make_url(postgres.url()).set(username=CERTIFIED)._replace(password=None).render_as_string()
    environment = {
        "BILLING_DATABASE__URL": url,
        "BILLING_DATABASE__CA_FILE": str(authority.file),
        "BILLING_DATABASE__CERTIFICATE_FILE": str(identity.certificate),
        "BILLING_DATABASE__KEY_FILE": str(identity.key),
        "BILLING_DATABASE__KEY_PASSWORD_FILE": str(key_password),
    }

    assert (await asked(environment)).current_user == CERTIFIED


async def test_a_changed_password_is_read_at_the_next_connection(
    postgres: Postgres, reaching_postgres: dict[str, str], tmp_path: Path
) -> None:
    environment = reaching_postgres | {"BILLING_DATABASE__PASSWORD_FILE": written(tmp_path, OWNER_PASSWORD)}
    engine = create_engine(settings_of(environment).database.url, connections_max=2)
    try:
        async with engine.connect() as first:
            await first.exec_driver_sql(f"ALTER ROLE {OWNER} PASSWORD 'the next one'")
            await first.commit()
            written(tmp_path, "the next one")
            async with engine.connect() as second:
                assert (await second.exec_driver_sql("SELECT 1")).scalar_one() == 1
            await first.exec_driver_sql(f"ALTER ROLE {OWNER} PASSWORD '{OWNER_PASSWORD}'")
            await first.commit()
    finally:
        await engine.dispose()


async def test_migrate_gives_the_worker_the_password_that_its_file_holds(
    postgres: Postgres, reaching_postgres: dict[str, str], tmp_path: Path
) -> None:
    await postgres.create_database("roles")
    owner = make_url(reaching_postgres["BILLING_DATABASE__URL"]).set(database="roles")
    environment = reaching_postgres | {
        "BILLING_DATABASE__OWNER_URL": owner.render_as_string(),
        "BILLING_DATABASE__OWNER_PASSWORD_FILE": reaching_postgres["BILLING_DATABASE__PASSWORD_FILE"],
        "BILLING_DATABASE__URL": owner.set(username="runs_the_worker").render_as_string(),
        "BILLING_DATABASE__PASSWORD_FILE": written(tmp_path, "its own"),
    }

    migrated = await Program(environment)("migrate")

    assert migrated.exit_code == 0, migrated.output
    assert "its own" not in migrated.output
    without_owner = {name: value for name, value in environment.items() if "OWNER" not in name}
    assert (await asked(without_owner)).current_user == "runs_the_worker"
    await postgres.drop_database("roles")
