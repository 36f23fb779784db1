"""What a worker that went wrong, or was taken over, still cannot do."""

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.store.conftest import say_to_server
from tests.store.test_book import CARD, play
from tests.store.test_journal import rows_at
from worker.domain.commands import BindProject, CreateAccount, SuspendAccount, UnbindProject
from worker.domain.values import HoldReason, Rules
from worker.store import installation, journal, lanes, rules
from worker.store.engine import PLANNING, create_engine
from worker.store.roles import grant_runtime

REFUSED = re.compile("permission denied|must be owner")
PASSWORD = "it's a \\ secret"  # noqa: S105  with what needs quoting


@pytest.fixture(scope="module")
async def role(server: URL, template: str) -> AsyncIterator[AsyncEngine]:
    """The role in a database of its own."""
    name, database = f'runtime "{uuid4().hex[:8]}"', f"store_{uuid4().hex}"
    await say_to_server(server, f"CREATE DATABASE {database} TEMPLATE {template}")
    url = server.set(database=database)
    owned = create_engine(url.render_as_string(hide_password=False))
    async with owned.begin() as owner:
        await journal.ensure_pieces(owner, 1, 0, 1)
        await grant_runtime(owner, name, PASSWORD, lock_seconds_max=2)
        await grant_runtime(owner, name, PASSWORD, lock_seconds_max=3)
    await owned.dispose()
    engine = create_engine(url.set(username=name, password=PASSWORD).render_as_string(hide_password=False))
    yield engine
    await engine.dispose()
    quoted = '"' + name.replace('"', '""') + '"'
    await say_to_server(server, f"DROP DATABASE {database} WITH (FORCE)", f"DROP ROLE {quoted}")


@pytest.fixture
async def runtime(role: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with role.connect() as connection:
        yield connection


async def test_the_runtime_role_does_all_that_a_worker_does(runtime: AsyncConnection) -> None:
    await lanes.take(runtime, 3, first_offset=0)
    await journal.ensure_pieces(runtime, 3, 0, 2)
    await journal.append(runtime, 1, rows_at(0))
    await journal.append(runtime, 3, rows_at(0))
    assert [page async for page in journal.read(runtime, 3, 0, 2, rows_max=10)] == [rows_at(0)]
    await journal.drop_pieces(runtime, 3, 0)
    await installation.declare(runtime, "commands", 12)
    await rules.hold_from(runtime, 3, 0, Rules())
    suspend = SuspendAccount("main", HoldReason.NON_PAYMENT, "late")
    await play(runtime, CreateAccount("main", "EUR", profile=CARD), BindProject("site", "main"))
    await play(runtime, UnbindProject("site"), suspend, first=9)
    await runtime.execute(text("DELETE FROM inbox WHERE at < now()"))
    await runtime.commit()


@pytest.mark.parametrize(
    "table", ["accounts", "holds", "phases", "projects", "bindings", "journal", "lanes", "rules", "installation"]
)
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {}", "DROP TABLE {}", "ALTER TABLE {} ADD x int"])
async def test_the_runtime_role_takes_nothing_away(runtime: AsyncConnection, table: str, statement: str) -> None:
    with pytest.raises(DBAPIError, match=REFUSED):
        await runtime.execute(text(statement.format(table)))


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE inbox",
        "UPDATE inbox SET outcome = 'rejected'",
        "UPDATE journal SET value = NULL",
        "UPDATE bindings SET account = 'other'",
        "UPDATE bindings SET since = now()",
        "UPDATE holds SET message = ''",
        "UPDATE phases SET reason = 'REACTIVATED'",
        "UPDATE projects SET registered_at = now()",
        "UPDATE projects SET lane = 4",
        "UPDATE installation SET id = gen_random_uuid()",
        "INSERT INTO installation (singleton) VALUES (false)",
        "UPDATE alembic_version SET version_num = 'x'",
        "DROP TABLE journal_1_0",
        "DELETE FROM journal_1",
        "DROP TRIGGER a_binding_is_closed_once ON bindings",
        "ALTER TABLE bindings DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "CREATE TABLE mine (x int)",
        "CREATE SCHEMA mine",
        "DROP FUNCTION refuse_rewriting()",
        "CREATE ROLE mine",
    ],
)
async def test_the_runtime_role_rewrites_nothing(runtime: AsyncConnection, statement: str) -> None:
    with pytest.raises(DBAPIError, match=REFUSED):
        await runtime.execute(text(statement))


async def test_the_runtime_role_is_held_to_its_limits_behind_a_pooler_too(runtime: AsyncConnection) -> None:
    limits = {"idle_in_transaction_session_timeout": "30s", "statement_timeout": "30s", "lock_timeout": "3s"}
    query = (
        "SELECT setconfig FROM pg_db_role_setting JOIN pg_roles AS r ON r.oid = setrole WHERE rolname = current_user"
    )

    config = (await runtime.execute(text(query))).scalar_one()

    assert set(config) == {f"{name}={value}" for name, value in (PLANNING | limits).items()}


async def test_nobody_else_makes_or_drops_pieces(runtime: AsyncConnection) -> None:
    query = text(
        "SELECT has_function_privilege('public', oid, 'execute') FROM pg_proc WHERE proname LIKE '%journal_pieces'"
    )

    assert (await runtime.execute(query)).scalars().all() == [False, False]


@pytest.mark.parametrize("limit", ["statement_seconds_max", "lock_seconds_max", "idle_in_transaction_seconds_max"])
async def test_no_limit_is_no_choice(connection: AsyncConnection, limit: str) -> None:
    with pytest.raises(ValueError, match="at least one second"):
        await grant_runtime(connection, "anybody", None, **{limit: 0})
