"""What every question to the database begins with: a connection of one moment, and the organization's lane."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.instants import format_instant
from worker.cli.reach import reaching_database
from worker.settings import Settings
from worker.store import installation, queries
from worker.store.engine import create_engine
from worker.store.lanes import BEFORE_ALL
from worker.wire.partitions import partition_of

_NOW = text("SELECT greatest(now(), (SELECT latest_at FROM lanes WHERE partition = :lane))")


@dataclass(frozen=True, slots=True)
class Asking:
    """A connection whose answers are all from one moment, and where the organization lives."""

    connection: AsyncConnection
    lane: int

    async def now(self) -> datetime:
        """The database's clock, or the lane's latest instant if the broker's clock is ahead of it."""
        now: datetime = (await self.connection.execute(_NOW, {"lane": self.lane})).scalar_one()
        return now


@asynccontextmanager
async def asking(settings: Settings, organization: str) -> AsyncIterator[Asking]:
    """Open the way for questions about one organization."""
    url = settings.database.url
    with reaching_database(url):
        engine = create_engine(url, application_name="billing-worker questions", connections_max=1)
        try:
            async with queries.reading(engine) as connection:
                declared = (await installation.read(connection)).partitions
                yield Asking(connection, partition_of(organization, declared or settings.topics.partitions))
        finally:
            await engine.dispose()


def written(instant: datetime | None) -> str | None:
    """An instant as the contract writes it."""
    return None if instant is None else format_instant(instant)


def written_through(complete_through: datetime | None) -> str | None:
    """The instant up to which a lane's answers are final; None if it has not decided anything yet."""
    return None if complete_through is None or complete_through <= BEFORE_ALL else format_instant(complete_through)
