from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.store import journal, lanes
from worker.store.journal_rows import JournalRow

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PIECE = 500_000


def rows_at(offset: int, count: int = 2) -> list[JournalRow]:
    return [JournalRow(offset, n, NOON, "account-events", b"k", f"{offset}/{n}".encode(), b"h") for n in range(count)]


async def read(connection: AsyncConnection, first: int, last: int, rows_max: int = 100) -> list[list[JournalRow]]:
    return [page async for page in journal.read(connection, 3, first, last, rows_max=rows_max)]


async def pieces(connection: AsyncConnection) -> list[str]:
    found = await connection.execute(
        text("SELECT relid::text FROM pg_partition_tree('journal') WHERE isleaf ORDER BY 1")
    )
    return [name for name in found.scalars() if name != "journal"]


async def test_records_come_back_in_the_order_of_the_log(connection: AsyncConnection) -> None:
    await journal.ensure_pieces(connection, 3, 0, PIECE + 1)
    await journal.append(connection, 3, [*rows_at(PIECE), *rows_at(11), *rows_at(10)])

    assert await read(connection, 0, PIECE + 1) == [[*rows_at(10), *rows_at(11), *rows_at(PIECE)]]
    assert await read(connection, 11, PIECE) == [rows_at(11)]
    assert await read(connection, 12, PIECE) == []


async def test_absent_and_empty_stay_distinct(connection: AsyncConnection) -> None:
    tombstone = JournalRow(1, 0, NOON, "payers", b"", None, None)
    await journal.ensure_pieces(connection, 3, 0, 2)
    await journal.append(connection, 3, [tombstone])

    assert await read(connection, 0, 2) == [[tombstone]]


@pytest.mark.parametrize("rows_max", [1, 2, 3, 4, 5, 7, 100])
async def test_no_list_cuts_through_a_command(connection: AsyncConnection, rows_max: int) -> None:
    counts = {1: 2, 2: 1, 5: 6, 6: 3, 9: 1, 10: 1}
    written = [row for offset, count in counts.items() for row in rows_at(offset, count)]
    await journal.ensure_pieces(connection, 3, 0, 20)
    await journal.append(connection, 3, written)

    lists = await read(connection, 0, 20, rows_max)

    assert [row for rows in lists for row in rows] == written
    offsets = [{row.offset for row in rows} for rows in lists]
    assert sum(len(some) for some in offsets) == len(counts)
    assert all(len(rows) <= rows_max or len(some) == 1 for rows, some in zip(lists, offsets, strict=True))


async def test_a_record_is_journalled_once(connection: AsyncConnection) -> None:
    await journal.ensure_pieces(connection, 3, 0, 2)

    with pytest.raises(IntegrityError):
        await journal.append(connection, 3, [*rows_at(1), *rows_at(1)])


async def test_a_record_needs_a_piece_to_lie_in(connection: AsyncConnection) -> None:
    await journal.ensure_pieces(connection, 3, 0, 2)

    with pytest.raises(IntegrityError):
        await journal.append(connection, 3, rows_at(PIECE))


async def test_pieces_are_made_once(connection: AsyncConnection) -> None:
    await journal.ensure_pieces(connection, 3, PIECE - 1, PIECE + 1)
    await journal.ensure_pieces(connection, 3, 0, PIECE)
    await journal.ensure_pieces(connection, 12, 0, 1)

    assert await pieces(connection) == ["journal_12_0", "journal_3_0", "journal_3_1"]


@pytest.mark.parametrize(("lane", "first", "last"), [(-1, 0, 1), (0, -1, 1), (0, 5, 5), (0, 0, 65 * PIECE)])
async def test_nobody_makes_pieces_without_end(connection: AsyncConnection, lane: int, first: int, last: int) -> None:
    with pytest.raises(DBAPIError, match="no such stretch of a journal"):
        await journal.ensure_pieces(connection, lane, first, last)


async def test_only_what_was_published_is_dropped(connection: AsyncConnection) -> None:
    await lanes.take(connection, 3, first_offset=0)
    await journal.ensure_pieces(connection, 3, 0, 4 * PIECE)
    moved = {"epoch": 1, "expected_offset": 0, "next_offset": 4 * PIECE, "latest_at": NOON, "fingerprint": None}
    await lanes.move(connection, 3, **moved, published=2 * PIECE + 5, horizon_offset=None)  # type: ignore[arg-type]

    assert await journal.drop_pieces(connection, 3, PIECE) == 1
    assert await journal.drop_pieces(connection, 3, 3 * PIECE) == 1
    assert await pieces(connection) == ["journal_3_2", "journal_3_3"]
    assert await journal.drop_pieces(connection, 4, 3 * PIECE) == 0


async def test_a_new_lane_does_not_wait_for_the_others(engine: AsyncEngine) -> None:
    async with engine.connect() as first, engine.connect() as second:
        await journal.ensure_pieces(first, 1, 0, 1)
        await first.commit()
        await first.execute(text("SELECT 1"))
        await journal.append(first, 1, rows_at(0))

        await second.execute(text("SET lock_timeout = '2s'"))
        await journal.ensure_pieces(second, 2, 0, 1)
        await journal.append(second, 2, rows_at(0))
        await second.commit()


async def test_the_journal_of_a_lane_unknown_is_a_fault(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT 1"))
    with pytest.raises(DBAPIError):
        await journal.append(connection, 9, rows_at(0))
