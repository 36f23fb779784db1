"""What is too old is let go of, and nothing else."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.store.test_journal import pieces, rows_at
from worker.store import inbox, journal, lanes, retention
from worker.store.inbox import InboxRow
from worker.store.retention import PIECE_OFFSETS

MONTH = timedelta(days=30)
NOW = datetime.now(UTC)


async def use_ids(connection: AsyncConnection, ages: list[timedelta]) -> None:
    await connection.execute(text("SELECT 1"))
    used = [InboxRow("acme", f"c-{n}", b"h", 3, n, NOW - age, "accepted", b"{}") for n, age in enumerate(ages)]
    await inbox.append(connection, used)


async def ids(connection: AsyncConnection) -> list[str]:
    return list((await connection.execute(text("SELECT command_id FROM inbox ORDER BY 1"))).scalars())


async def test_ids_are_forgotten_when_their_time_is_over_so_many_at_once(connection: AsyncConnection) -> None:
    await use_ids(connection, [timedelta(days=days) for days in (31, 45, 400, 29, 0)])

    assert await retention.forget_ids(connection, MONTH, most=2) == 2
    assert await retention.forget_ids(connection, MONTH, most=2) == 1
    assert await retention.forget_ids(connection, MONTH, most=2) == 0
    assert await ids(connection) == ["c-3", "c-4"]


async def test_one_at_a_time_lets_go_of_things(engine: AsyncEngine) -> None:
    async with engine.begin() as first, engine.begin() as second:
        await use_ids(first, [timedelta(days=31)])
        assert await retention.forget_ids(first, timedelta(days=40), most=1) == 0
        assert await retention.forget_ids(second, timedelta(0), most=1) == 0
        assert await retention.drop_journal(second, 3, timedelta(0)) == 0
        await first.rollback()


async def test_pieces_of_a_journal_are_dropped_when_they_are_published_and_hold_nothing_young(
    connection: AsyncConnection,
) -> None:
    await lanes.take(connection, 3, first_offset=0)
    await journal.ensure_pieces(connection, 3, 0, 4 * PIECE_OFFSETS)
    for piece, age in enumerate((90, 60, 31, 29)):
        rows = [row._replace(at=NOW - timedelta(days=age)) for row in rows_at(piece * PIECE_OFFSETS + 7)]
        await journal.append(connection, 3, rows)
    await lanes.move(
        connection,
        3,
        epoch=1,
        expected_offset=0,
        next_offset=4 * PIECE_OFFSETS,
        latest_at=NOW,
        fingerprint=None,
        published=2 * PIECE_OFFSETS,
        horizon_offset=None,
    )

    assert await retention.drop_journal(connection, 3, timedelta(days=70)) == 1
    assert await retention.drop_journal(connection, 3, MONTH) == 1
    assert await pieces(connection) == ["journal_3_2", "journal_3_3"]
    assert await retention.drop_journal(connection, 9, MONTH) == 0


async def test_pieces_that_are_made_ahead_stay(connection: AsyncConnection) -> None:
    await lanes.take(connection, 3, first_offset=0)
    await journal.ensure_pieces(connection, 3, 0, 2 * PIECE_OFFSETS)

    assert await retention.drop_journal(connection, 3, timedelta(0)) == 0


async def test_ids_are_found_by_their_age_without_reading_all(connection: AsyncConnection) -> None:
    await connection.execute(text("SET LOCAL enable_bitmapscan = on"))
    plan = await connection.execute(text("EXPLAIN SELECT 1 FROM inbox WHERE at < now() - interval '30 days' LIMIT 5"))

    assert "Bitmap Index Scan" in "\n".join(plan.scalars())
