"""Migrations beside writers: nobody is held up for a second, and what cannot have its lock changes nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from tests.deploy.later import REVISION, later_migrations, revisions
from tests.deploy.writers import reader, tables, writers
from tests.system.provision import say, url_of
from tests.system.settling import until
from tests.system.stacks import Addresses
from worker.store import schema

GIVES_UP_SECONDS = 30
"""Five tries of half a second with a second between; the rest for a busy machine."""

NEW_COLUMN = "ALTER TABLE accounts ADD COLUMN later text"
OF_ALL_LANES = "ALTER TABLE journal ADD COLUMN later text"


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
        revision = await schema.current_revision(connection)
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
    async with reader(database_url, ["accounts"]):
        with pytest.raises(DBAPIError, match="lock timeout"):
            await schema.upgrade(database_url)
    await schema.upgrade(database_url)

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

    assert (await stands(empty_database))[0] == schema.head_revision()
