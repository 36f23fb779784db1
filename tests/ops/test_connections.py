"""The connections of the pool, as a metric tells of them."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.metrics import REGISTRY
from worker.store import connections
from worker.store.engine import create_engine

HELD_SECONDS = 0.2


def told(what: str) -> float:
    return REGISTRY.get_sample_value(f"billing_database_connections{what}") or 0.0


async def test_connections_are_counted_while_somebody_has_them_and_so_is_the_time_without_one_to_spare(
    database_url: str,
) -> None:
    connections.count()
    connections.count()
    connections.limit(2)
    before = told("_exhausted_seconds_total")
    engine = create_engine(database_url, connections_max=2)
    async with engine.connect(), engine.connect():
        assert (told(""), told("_in_use"), told("_max")) == (2, 2, 2)
        waiting = asyncio.create_task(ask(engine))
        await asyncio.sleep(HELD_SECONDS)
        assert not waiting.done()
    await waiting
    spent = told("_exhausted_seconds_total") - before
    async with engine.connect():
        assert (told(""), told("_in_use")) == (2, 1)
    assert told("_exhausted_seconds_total") - before == spent
    assert spent >= HELD_SECONDS
    await engine.dispose()
    assert (told(""), told("_in_use")) == (0, 0)


async def ask(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))


async def test_a_connection_that_the_server_ended_is_made_anew_and_counted_once(database_url: str) -> None:
    connections.count()
    engine = create_engine(database_url, connections_max=2)
    async with engine.connect() as kept:
        async with engine.connect() as ended:
            pid = (await ended.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        await kept.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(DBAPIError):  # nobody asks whether it lives before it is used
            await ask(engine)
        async with engine.connect() as again:
            assert (await again.execute(text("SELECT pg_backend_pid()"))).scalar_one() != pid
            assert (told(""), told("_in_use")) == (2, 2)
    assert told("_in_use") == 0
    await engine.dispose()
    assert told("") == 0
