"""Accounts and their rows."""
# ruff: noqa: S608  the parts that SQL is put together from are constants of this package

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.accounts import Account, Usage
from worker.domain.book import Book, Key
from worker.domain.values import Hold, Instant
from worker.store.account_columns import HOLD, KEY, LOADED, VALUES, account_of, hold_of, row_of
from worker.store.columns import by_column, found, unnest
from worker.store.errors import StateDiverged

_CHANGED: Final = KEY | VALUES
_CREATED: Final = _CHANGED | {"lane": "integer", "created_at": "timestamptz"}

_LOAD = text(
    f"""
    SELECT {", ".join(f"a.{name}" for name in LOADED)}, {", ".join(f"h.{name}" for name in HOLD)}
    FROM {unnest(KEY)} AS asked (organization, account)
    CROSS JOIN LATERAL (
        SELECT * FROM accounts
        WHERE accounts.organization = asked.organization AND accounts.account = asked.account OFFSET 0
    ) AS a
    LEFT JOIN LATERAL (
        SELECT * FROM holds
        WHERE a.holds_active > 0
        AND holds.organization = a.organization AND holds.account = a.account AND holds.released_at IS NULL OFFSET 0
    ) AS h ON true
    ORDER BY h.sequence
    """
)
_CREATE = text(f"INSERT INTO accounts ({', '.join(_CREATED)}) SELECT * FROM {unnest(_CREATED)}")
_CHANGE = text(
    f"""
    UPDATE accounts AS a SET {", ".join(f"{name} = new.{name}" for name in VALUES)}
    FROM {found("accounts", _CHANGED, list(KEY))} AS new WHERE a.ctid = new.place
    """
)


async def load(connection: AsyncConnection, book: Book, keys: Collection[Key]) -> None:
    """Put these accounts into the book, with their active holds and how many projects they pay for."""
    book.accounts.update(dict.fromkeys(keys))
    for key, (account, usage) in (await _read(connection, keys)).items():
        book.accounts[key] = account
        book.usage[key] = usage


async def read(connection: AsyncConnection, key: Key) -> tuple[Account | None, Usage]:
    """One account as it stands, None if there is none."""
    return (await _read(connection, [key])).get(key, (None, Usage()))


async def _read(connection: AsyncConnection, keys: Collection[Key]) -> dict[Key, tuple[Account, Usage]]:
    if not keys:
        return {}
    rows: dict[Key, Row[Any]] = {}
    holds: dict[Key, list[Hold]] = {}
    for row in await connection.execute(_LOAD, by_column(KEY, list(keys))):
        key = (row[0], row[1])
        rows[key] = row
        if row.hold is not None:
            holds.setdefault(key, []).append(hold_of(row))
    return {
        key: (account_of(row, tuple(holds.get(key, ()))), Usage(row.active_bindings, row.last_binding_until))
        for key, row in rows.items()
    }


async def save(
    connection: AsyncConnection, book: Book, created: Mapping[Key, Instant], changed: Iterable[Key], *, lane: int
) -> None:
    """Write whole accounts: those created in this batch, and those of old that changed."""
    if created:
        rows = [(*_row(book, key), lane, at) for key, at in created.items()]
        await connection.execute(_CREATE, by_column(_CREATED, rows))
    if rows := [_row(book, key) for key in changed if key not in created]:
        written = await connection.execute(_CHANGE, by_column(_CHANGED, rows))
        if written.rowcount != len(rows):
            raise StateDiverged(f"{len(rows)} accounts changed, {written.rowcount} of them are there")


def _row(book: Book, key: Key) -> tuple[object, ...]:
    account = book.accounts[key]
    assert account is not None  # noqa: S101  something happened to it
    return row_of(account, book.usage_of(key))
