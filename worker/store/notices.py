"""Accounts that owe notices by their row, and in truth none any more."""

from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.book import Book
from worker.domain.values import Rules
from worker.store import accounts

_AT_ONCE: Final = 1_000
_SETTLED: Final = text(
    """
    SELECT a.organization, a.account FROM accounts AS a
    WHERE a.lane = :lane AND a.due_at IS NOT NULL AND a.notices_kind IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM bindings AS b
        CROSS JOIN LATERAL (
            SELECT FROM projects AS p
            WHERE p.organization = b.organization AND p.project = b.project
            AND p.at_risk = (a.notices_kind = 'RESTORED') OFFSET 0
        ) AS untold
        WHERE b.organization = a.organization AND b.account = a.account AND b.ended = 'open'
        AND b.project > a.notices_after
    )
    LIMIT :at_once
    """
)


async def settle(connection: AsyncConnection, installation: UUID, rules: Rules, lane: int) -> None:
    """Note of the accounts of a lane that all their projects were told, where that is so."""
    while True:
        found = await connection.execute(_SETTLED, {"lane": lane, "at_once": _AT_ONCE})
        keys = [(organization, account) for organization, account in found]
        if not keys:
            return
        book = Book(installation, rules)
        await accounts.load(connection, book, keys)
        for key in keys:
            book.progress(key, None)
        await accounts.save(connection, book, {}, keys, lane=lane)
