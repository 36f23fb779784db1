"""Migrations beside writers: nobody is held up for a second, and what cannot have its lock changes nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from tests.cli.conftest import Program
from tests.deploy.later import REVISION, later_migrations, revisions
from tests.deploy.writers import reader, tables, writers
from tests.system.provision import say, url_of
from tests.system.settling import until
from tests.system.stacks import Addresses
from worker.store import revisions as known
from worker.store import schema

GIVES_UP_SECONDS = 30
"""Five tries of half a second with a second between; the rest for a busy machine."""

NEW_COLUMN = "ALTER TABLE accounts ADD COLUMN later text"
OF_ALL_LANES = "ALTER TABLE journal ADD COLUMN later text"
A_WHILE = "SELECT pg_sleep(1)"
IS_UNDERWAY = """
    SELECT EXISTS (
        SELECT FROM pg_locks
        WHERE relation = CAST('accounts' AS regclass) AND mode = 'AccessExclusiveLock' AND granted
    )
"""
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@pytest.fixture
async def empty_database(stack: Addresses) -> AsyncIterator[str]:
    name = f"migrations_{uuid4().hex[:8]}"
    await say(stack.database_url, f"CREATE DATABASE {name}")
    yield url_of(stack, name)
    await say(stack.database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The release at hand is one that adds a column to two tables."""
    migrations = later_migrations(tmp_path, NEW_COLUMN, OF_ALL_LANES)
    monkeypatch.setattr(schema, "migrations_directory", lambda: migrations)


async def stands(url: str) -> tuple[str | None, set[str]]:
    """The revision of a database, and which of its tables have the new column."""
    query = "SELECT table_name FROM information_schema.columns WHERE column_name = 'later'"
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = set((await connection.execute(text(query))).scalars())
        revision = await known.current_revision(connection)
    await engine.dispose()
    return revision, found


async def is_told(told: list[str]) -> bool:
    return bool(told)


@pytest.mark.parametrize(("before", "after"), list(zip(revisions(), revisions()[1:], strict=False)))
async def test_each_migration_lets_writers_to_every_table_there_is_go_on(
    empty_database: str, before: str, after: str
) -> None:
    await schema.upgrade(empty_database, to=before)
    async with writers(empty_database) as writing:
        await schema.upgrade(empty_database, to=after)

    assert (await stands(empty_database))[0] == after
    assert {"accounts", "bindings"} <= set(writing.wrote)


async def test_a_migration_of_tables_in_use_lets_their_writers_go_on(database_url: str, later: None) -> None:
    async with writers(database_url) as writing:
        await schema.upgrade(database_url)

    assert await stands(database_url) == (REVISION, {"accounts", "journal"})
    assert {"accounts", "journal", "inbox", "lanes"} <= set(writing.wrote)


async def test_a_migration_that_cannot_have_its_lock_gives_up_changes_nothing_and_holds_nobody_up(
    database_url: str, later: None
) -> None:
    before = await stands(database_url)
    told: list[str] = []

    async with writers(database_url) as writing, reader(database_url, ["journal"]):
        began = time.monotonic()
        with pytest.raises(DBAPIError, match="lock timeout"):
            await schema.upgrade(database_url, told.append)
        seconds = time.monotonic() - began

    assert seconds < GIVES_UP_SECONDS
    assert await stands(database_url) == before
    assert [line.partition(":")[0] for line in told] == ["a table is in use, nothing was changed"] * 4
    # He was waited for, with the writers behind: or this would show nothing.
    assert writing.waited["journal"] > 0.25
    # What waits for one table lets go of the other in between.
    assert writing.waited["accounts"] > 0.25


async def test_a_migration_that_gave_up_is_repeated_once_the_reader_is_gone(database_url: str, later: None) -> None:
    migrate = partial(Program({"BILLING_DATABASE__URL": database_url}), "migrate")
    async with reader(database_url, ["accounts"]):
        gave_up = await migrate()
    again = await migrate()

    assert gave_up.exit_code == 1
    assert "lock timeout" in gave_up.stderr
    assert "a transaction that has been open for long (xact_start in pg_stat_activity)" in gave_up.stderr
    assert again.exit_code == 0
    assert await stands(database_url) == (REVISION, {"accounts", "journal"})


async def test_a_migration_waits_for_a_reader_who_leaves_soon_without_being_called_again(
    database_url: str, later: None
) -> None:
    told: list[str] = []
    async with reader(database_url, ["accounts"]) as reading:
        migrating = asyncio.create_task(schema.upgrade(database_url, told.append))
        await until(partial(is_told, told), "it says that it waits")
        await reading.rollback()
        await migrating

    assert await stands(database_url) == (REVISION, {"accounts", "journal"})
    assert told[-1] == f"applied {REVISION}: What a later release brings"


async def test_a_migration_that_deadlocks_with_somebody_and_is_ended_for_it_comes_again(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations = later_migrations(tmp_path, NEW_COLUMN, A_WHILE, OF_ALL_LANES)
    monkeypatch.setattr(schema, "migrations_directory", lambda: migrations)
    await say(database_url, f"ALTER DATABASE {make_url(database_url).database} SET deadlock_timeout = '50ms'")
    told: list[str] = []

    async with reader(database_url, ["journal"]) as crossing:
        await crossing.execute(text("SET LOCAL deadlock_timeout = '1h'"))  # so that he is not the one who is ended

        async def is_underway() -> bool:
            return bool((await crossing.execute(text(IS_UNDERWAY))).scalar_one())

        migrating = asyncio.create_task(schema.upgrade(database_url, told.append))
        await until(is_underway, "the migration has its first table")
        await crossing.execute(text("LOCK TABLE accounts IN ACCESS SHARE MODE"))
        await crossing.rollback()
        await migrating

        async def was_ended() -> bool:
            ended: int = (await crossing.execute(text(DEADLOCKS))).scalar_one()
            await crossing.rollback()  # the next time it is counted anew
            return ended == 1

        await until(was_ended, "the server has counted a deadlock")

    assert await stands(database_url) == (REVISION, {"accounts", "journal"})
    assert [line.partition(":")[0] for line in told[:-1]] == ["a table is in use, nothing was changed"]


async def test_the_reader_of_every_table_stops_no_migration_that_is_shipped(empty_database: str) -> None:
    first, *rest = revisions()
    await schema.upgrade(empty_database, to=first)
    engine = create_async_engine(empty_database)
    for revision in rest:
        async with engine.connect() as connection:
            found = set(await tables(connection)) - {"alembic_version"}
        async with reader(empty_database, sorted(found)):
            await schema.upgrade(empty_database, to=revision)
    await engine.dispose()

    assert (await stands(empty_database))[0] == known.head_revision()
