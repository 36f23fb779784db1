"""Sessions that a stopped worker left in the midst of a COPY.

While it waits for the rest of the rows, the server looks neither at its time limits nor at requests to cancel. Such a
session keeps the lane's row for as long as its client's machine lives, unless somebody ends it.
"""

from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

log = structlog.get_logger(__name__)

_LOCK_NOT_AVAILABLE: Final = "55P03"

_END: Final = text(
    """
    SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
        AND application_name = current_setting('application_name')
        AND state = 'active' AND wait_event = 'ClientRead'
        AND state_change
            < clock_timestamp() - nullif(CAST(current_setting('idle_in_transaction_session_timeout') AS interval), '0')
    """
)
"""Ours alone, and only those whose client has been silent for longer than it may be idle in a transaction."""


def is_lock_timeout(error: DBAPIError) -> bool:
    """Whether the server gave up waiting for a lock."""
    return getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE


async def end_stopped_copies(connection: AsyncConnection) -> None:
    """End them, with their transactions. For whoever has waited in vain for a lock."""
    for pid, _ in await connection.execute(_END):
        log.warning("stopped_copy_ended", pid=pid)
