"""What operators' commands stand on: the database of whoever may change it, and how they say no."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from worker.settings import Settings
from worker.store.engine import create_engine

_STATEMENT_SECONDS_MAX: Final = 6 * 3600.0


class Refused(Exception):  # noqa: N818  it is the command that is
    """What was asked for would break something, or is not so; the message is for whoever asked."""


@asynccontextmanager
async def owner_of(settings: Settings, name: str) -> AsyncIterator[AsyncEngine]:
    """The database for whoever may change its tables and records. `name` is the command's."""
    engine = create_engine(
        settings.database.owner_url or settings.database.url,
        application_name=f"billing-worker {name}",
        connections_max=2,
        command_seconds_max=_STATEMENT_SECONDS_MAX,
        lock_seconds_max=60,
        idle_in_transaction_seconds_max=3600,
        by_key=False,
    )
    try:
        yield engine
    finally:
        await engine.dispose()
