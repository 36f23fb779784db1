"""Ids that were used up, from the answers that say so: each at its latest use.

The topics may remember longer than the inbox did: where an id's time was over it was used anew, and both answers are
still there. Only the later one is to be given again.
"""
# ruff: noqa: S608  the parts that SQL is put together from are constants of this module

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.folding.stretch import MAY_BE_USED
from worker.store import inbox
from worker.store.inbox import InboxRow

_KEY: Final = ("organization", "command_id")
_REST: Final = [name for name in InboxRow._fields if name not in _KEY]
_ADD: Final = f"""
    INSERT INTO inbox ({", ".join(f'"{name}"' for name in InboxRow._fields)})
    VALUES ({", ".join(f":{name}" for name in InboxRow._fields)})
    ON CONFLICT ({", ".join(_KEY)}) DO UPDATE SET {", ".join(f'"{name}" = excluded."{name}"' for name in _REST)}
"""
_USE_ANEW = text(_ADD)
_USE_IF_FORGOTTEN = text(_ADD + " WHERE inbox.at < excluded.at - CAST(:remembered AS interval)")


async def write(connection: AsyncConnection, rows: Sequence[InboxRow], remembered: timedelta) -> None:
    """Use ids up in the order given, in the transaction that is open. `remembered`: for so long they were at least."""
    certain: list[InboxRow] = []
    doubtful: list[InboxRow] = []
    for row in rows:
        (doubtful if row.outcome == "rejected" and _may_be_used(row) else certain).append(row)
    if certain:
        await _use(connection, certain)
    if doubtful:
        await connection.execute(_USE_IF_FORGOTTEN, [row._asdict() | {"remembered": remembered} for row in doubtful])


async def _use(connection: AsyncConnection, rows: Sequence[InboxRow]) -> None:
    """All at once, and one by one where that shows that an id comes again."""
    try:
        async with connection.begin_nested():
            await inbox.copy(connection, rows)
    except IntegrityError:
        await connection.execute(_USE_ANEW, [row._asdict() for row in rows])


def _may_be_used(row: InboxRow) -> bool:
    return any(f'"code":"{code}"'.encode() in row.result for code in MAY_BE_USED)
