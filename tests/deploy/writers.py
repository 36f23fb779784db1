"""Writers to every table, none of whom may be held up for long."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from tests.system.settling import until

HELD_UP_MS_MAX = 1_000
PAUSE_SECONDS = 0.005
TABLES = """
    SELECT relname FROM pg_class
    WHERE relnamespace = CAST('public' AS regnamespace) AND relkind IN ('r', 'p') AND NOT relispartition
    ORDER BY relname
"""


@dataclass
class Writers:
    """How often they wrote, and how long each had to wait at most, in seconds."""

    wrote: dict[str, int] = field(default_factory=dict)
    waited: dict[str, float] = field(default_factory=dict)

    async def each_wrote_more_than(self, counts: dict[str, int]) -> None:
        """Wait until nobody is held up any more."""

        async def have() -> bool:
            return all(self.wrote.get(table, 0) > count for table, count in counts.items())

        await until(have, "everybody writes", seconds=30)

    async def write(self, engine: AsyncEngine, table: str, stopping: asyncio.Event) -> None:
        """Take the lock that writing takes, again and again. The server itself says who waits for too long."""
        self.wrote[table] = 0
        self.waited[table] = 0.0
        async with engine.connect() as connection:
            await connection.execute(text(f"SET lock_timeout = {HELD_UP_MS_MAX}"))
            while not stopping.is_set():
                began = time.monotonic()
                await connection.execute(text(f"DELETE FROM {table} WHERE false"))  # noqa: S608 - a name of ours
                self.waited[table] = max(self.waited[table], time.monotonic() - began)
                self.wrote[table] += 1
                await asyncio.sleep(PAUSE_SECONDS)


async def tables(connection: AsyncConnection) -> list[str]:
    """Those that there are."""
    return list((await connection.execute(text(TABLES))).scalars())


@asynccontextmanager
async def writers(url: str) -> AsyncIterator[Writers]:
    """Somebody writes to each table as long as the block lasts. Raises what the server says to one who is held up."""
    made, stopping = Writers(), asyncio.Event()
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT", pool_size=50)
    try:
        async with engine.connect() as connection:
            found = await tables(connection)
        async with asyncio.TaskGroup() as writing:
            for table in found:
                writing.create_task(made.write(engine, table, stopping))
            try:
                await made.each_wrote_more_than(dict.fromkeys(found, 0))
                yield made
                await made.each_wrote_more_than(dict(made.wrote))
            finally:
                stopping.set()
    finally:
        await engine.dispose()


@asynccontextmanager
async def reader(url: str, read: Iterable[str]) -> AsyncIterator[AsyncConnection]:
    """Somebody has read from these tables, and his transaction goes on until the block ends."""
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            for table in read:
                await connection.execute(text(f"SELECT FROM {table} LIMIT 1"))
            yield connection
            await connection.rollback()
    finally:
        await engine.dispose()
