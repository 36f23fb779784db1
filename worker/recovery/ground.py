"""What operators' commands stand on: the database of whoever may change it, and how they say no."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.settings import Settings
from worker.store.engine import create_engine

_STATEMENT_SECONDS_MAX: Final = 6 * 3600.0

_TURN: Final = 5_202_612  # any number that no other lock of this program has

_TAKE_TURN = text("SELECT pg_try_advisory_lock(:turn)")
_WHOSE_TURN = text(
    """
    SELECT pid, application_name FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND (classid, objid, objsubid) = (0, :turn, 1)
        AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
)


class Refused(Exception):  # noqa: N818  it is the command that is
    """What was asked for would break something, or is not so; the message is for whoever asked."""


@asynccontextmanager
async def owner_of(settings: Settings, name: str, *, is_alone: bool = False) -> AsyncIterator[AsyncEngine]:
    """The database for whoever may change its tables and records. `name` is the command's.

    `is_alone`: while the block lasts, nobody else has it so. Raises Refused if somebody has already.
    """
    engine = create_engine(
        settings.database.owner_url or settings.database.url,
        application_name=f"billing-worker {name}",
        connections_max=3,
        command_seconds_max=_STATEMENT_SECONDS_MAX,
        lock_seconds_max=60,
        idle_in_transaction_seconds_max=3600,
        by_key=False,
    )
    try:
        if not is_alone:
            yield engine
            return
        async with engine.connect() as connection:
            await _take_turn(await connection.execution_options(isolation_level="AUTOCOMMIT"))
            yield engine
    finally:
        await engine.dispose()


async def _take_turn(connection: AsyncConnection) -> None:
    """Before whoever comes looks at anything: two that find the same would both do it.

    The lock is its session's, and goes with it, however it ends.
    """
    if (await connection.execute(_TAKE_TURN, {"turn": _TURN})).scalar_one():
        return
    holder = (await connection.execute(_WHOSE_TURN, {"turn": _TURN})).first()
    what, pid = (holder.application_name, holder.pid) if holder else (None, None)
    raise Refused(
        f"`{what or 'billing-worker'}` is at work on this database: wait until it has ended, or end it.\n"
        + (f"Is its machine gone? `SELECT pg_terminate_backend({pid})` ends its session." if pid else "Try again.")
    )
