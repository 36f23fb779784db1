"""Which projects an account pays for now, in byte order."""
# ruff: noqa: S608  the parts that SQL is put together from are constants of this package

from collections.abc import Mapping
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.book import Book, Key
from worker.store.columns import by_column, unnest

_ASKED: Final = {"organization": "text", "account": "text", "most": "integer"}

_FIRST = text(
    f"""
    SELECT asked.organization, asked.account, first.project
    FROM {unnest(_ASKED)} AS asked ({", ".join(_ASKED)})
    CROSS JOIN LATERAL (
        SELECT project FROM bindings AS b
        WHERE b.organization = asked.organization AND b.account = asked.account AND b.ended = 'open'
        ORDER BY b.project LIMIT asked.most
    ) AS first
    """
)


async def load(connection: AsyncConnection, book: Book, most: Mapping[Key, int]) -> None:
    """Put the first projects that these accounts pay for into the book, up to so many of each."""
    book.bound.update({key: set() for key in most})
    if not most:
        return
    asked = [(*key, count) for key, count in most.items()]
    for organization, account, project in await connection.execute(_FIRST, by_column(_ASKED, asked)):
        book.bound[organization, account].add(project)
