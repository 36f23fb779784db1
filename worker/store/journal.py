"""Every record that goes out, in the order of the log, kept until it was published and its time is over."""
# ruff: noqa: S608  the parts that SQL is put together from are constants of this package

from collections.abc import AsyncIterator, Sequence
from functools import cache
from typing import Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.store.columns import by_column, copy_encoded, unnest
from worker.store.journal_rows import JournalRow, encoded

_ENSURE = text("SELECT ensure_journal_pieces(:lane, :first, :last)")
_COLUMNS: Final = {
    "offset": "bigint",
    "index": "integer",
    "at": "timestamptz",
    "topic": "text",
    "key": "bytea",
    "value": "bytea",
    "headers": "bytea",
}
_FEW: Final = 64
"""So many rows are added in one round trip. More are copied: that takes two, and less than half the time."""
_DROP = text("SELECT drop_journal_pieces(:lane, :below)")


async def append(connection: AsyncConnection, lane: int, rows: Sequence[JournalRow]) -> None:
    """Add records; the pieces of the journal that they fall into must be there (`ensure_pieces`)."""
    # by the lane's own table, which adds the lane: no lock on the journal as a whole is shared with other lanes
    if len(rows) > _FEW:
        await copy_encoded(connection, _table(lane), JournalRow._fields, encoded(rows))
    elif rows:
        await connection.execute(_insert(lane), by_column(_COLUMNS, rows))


@cache
def _insert(lane: int) -> TextClause:
    names = ", ".join(f'"{name}"' for name in _COLUMNS)
    return text(f"INSERT INTO {_table(lane)} ({names}) SELECT * FROM {unnest(_COLUMNS)}")


async def ensure_pieces(connection: AsyncConnection, lane: int, first: int, last: int) -> None:
    """Make room for offsets [first, last). Cheap when it is there; takes no lock that another lane waits for."""
    await connection.execute(_ENSURE, {"lane": lane, "first": first, "last": last})


async def drop_pieces(connection: AsyncConnection, lane: int, below: int) -> int:
    """Drop the pieces that lie wholly below an offset and were published; how many.

    Waits for a batch of the lane in flight, and the next one waits for the end of this transaction.
    """
    return int((await connection.execute(_DROP, {"lane": lane, "below": below})).scalar_one())


async def read(
    connection: AsyncConnection, lane: int, first: int, last: int, *, rows_max: int
) -> AsyncIterator[list[JournalRow]]:
    """Records of the commands at offsets [first, last), in order, never cutting through a command.

    A list has more than `rows_max` rows only when a single command brought more about.
    """
    statement = _select(lane)
    while first < last:
        page = await _page(connection, statement, first, last, rows_max + 1)
        if len(page) > rows_max:
            following = page[-1].offset
            if following == page[0].offset:
                page = await _page(connection, statement, following, following + 1, None)
                following += 1
            else:
                page = [row for row in page if row.offset < following]
            first = following
        else:
            first = last
        if page:
            yield page


async def _page(
    connection: AsyncConnection, statement: TextClause, first: int, last: int, limit: int | None
) -> list[JournalRow]:
    rows = await connection.execute(statement, {"first": first, "last": last, "limit": limit})
    return [JournalRow(*row) for row in rows]


def _select(lane: int) -> TextClause:
    return text(
        f"""
        SELECT "offset", index, at, topic, key, value, headers FROM {_table(lane)}
        WHERE "offset" >= :first AND "offset" < :last
        ORDER BY "offset", index LIMIT :limit
        """
    )


def _table(lane: int) -> str:
    return f"journal_{lane:d}"
