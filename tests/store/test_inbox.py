from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.store import inbox
from worker.store.errors import violated_rule
from worker.store.inbox import InboxRow, Remembered

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def row(organization: str, command_id: str) -> InboxRow:
    return InboxRow(organization, command_id, b"hash", 3, 7, NOON, "accepted", b'{"events":[]}')


async def test_only_ids_that_were_used_are_remembered(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT 1"))
    await inbox.append(connection, [row("acme", "c1"), row("umbrella", "c2")])

    remembered = await inbox.load(connection, [("acme", "c1"), ("acme", "c2"), ("umbrella", "c1")])

    assert remembered == {("acme", "c1"): Remembered(b"hash", "accepted", b'{"events":[]}')}
    assert await inbox.load(connection, []) == {}


async def test_an_id_is_used_once(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT 1"))
    with pytest.raises(IntegrityError) as refused:
        await inbox.append(connection, [row("acme", "c1"), row("acme", "c1")])

    assert str(violated_rule(refused.value)).startswith("a_command_id_is_used_once")  # and the partition's number


async def test_many_are_used_up_alike(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT 1"))
    await inbox.copy(connection, [row("acme", f"c{n}") for n in range(100)])

    assert len(await inbox.load(connection, [("acme", f"c{n}") for n in range(50, 150)])) == 50


async def test_nothing_is_copied_outside_a_transaction(connection: AsyncConnection) -> None:
    with pytest.raises(RuntimeError, match="within a transaction"):
        await inbox.copy(connection, [row("acme", "c1")])
