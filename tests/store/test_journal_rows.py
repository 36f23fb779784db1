"""Rows in the binary format of COPY: what PostgreSQL itself writes of them is the judge."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.store import journal
from worker.store.columns import copy_encoded
from worker.store.journal_rows import JournalRow, encoded

COLUMNS = JournalRow._fields
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
AWKWARD = [
    JournalRow(0, 0, NOON, "payers", b"", None, None),
    JournalRow(0, 1, NOON, "payers", None, b"", b""),
    JournalRow(1, 0, NOON, "dead-letters", bytes(range(256)), b"\0" * 100_000, b"\xff\xff"),
    JournalRow(2, 2**31 - 1, datetime(1970, 1, 1, tzinfo=UTC), "accounts", b"k", b"PGCOPY\n\xff\r\n\0", None),
    JournalRow(2**40, 7, datetime(9998, 12, 31, 23, 59, 59, 999_999, UTC), "thème", b"k", b"v", None),
]


async def written_by_postgres(connection: AsyncConnection, table: str) -> bytes:
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    assert driver is not None
    read = bytearray()

    async def take(data: bytes) -> None:
        read.extend(data)

    query = f'SELECT "offset", index, at, topic, key, value, headers FROM {table} ORDER BY 1, 2'  # noqa: S608
    await driver.copy_from_query(query, output=take, format="binary")
    return bytes(read)


async def test_they_are_what_postgresql_writes_itself(connection: AsyncConnection) -> None:
    await connection.execute(text("CREATE TEMPORARY TABLE rows (LIKE journal)"))
    await connection.execute(text("ALTER TABLE rows ALTER lane DROP NOT NULL"))
    later = [
        JournalRow(
            2**41 + n // 4, n % 4, NOON + timedelta(microseconds=n // 4), "binding-events", b"k", b"%d" % n, None
        )
        for n in range(400)
    ]

    await copy_encoded(connection, "rows", COLUMNS, encoded([*AWKWARD, *later]))

    assert await written_by_postgres(connection, "rows") == encoded([*AWKWARD, *later])
    found = await connection.execute(
        text('SELECT "offset", index, at, topic, key, value, headers FROM rows ORDER BY 1, 2')
    )
    assert [JournalRow(*row) for row in found] == [*AWKWARD, *later]


async def test_what_a_batch_appends_can_be_read_again(connection: AsyncConnection) -> None:
    await journal.ensure_pieces(connection, 3, 0, 1)
    rows = [JournalRow(1, n, NOON, "accounts", b"k%d" % n, None if n % 3 else b"v", None) for n in range(500)]

    await journal.append(connection, 3, rows)

    assert [page async for page in journal.read(connection, 3, 0, 2, rows_max=1_000)] == [rows]


async def test_the_same_record_twice_violates_a_constraint(connection: AsyncConnection) -> None:
    await journal.ensure_pieces(connection, 3, 0, 1)
    rows = [JournalRow(1, n, NOON, "accounts", b"k", b"v", None) for n in range(100)]

    with pytest.raises(IntegrityError):
        await journal.append(connection, 3, [*rows, rows[0]])


async def test_what_is_no_row_of_the_journal_is_refused(connection: AsyncConnection) -> None:
    await connection.execute(text("CREATE TEMPORARY TABLE others (number integer)"))

    with pytest.raises(DBAPIError):
        await copy_encoded(connection, "others", ["number"], encoded(AWKWARD))
