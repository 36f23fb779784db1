"""What is let go of when its time is over: used ids with their answers, and pieces of the journal."""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.book import Key
from worker.domain.values import Instant
from worker.store import journal, lanes

PIECE_OFFSETS: Final = 500_000
"""How many offsets a piece of the journal spans (`ensure_journal_pieces`)."""

_TURN: Final = 5_202_611  # any number that no other lock of this program has

_TAKE_TURN = text("SELECT pg_try_advisory_xact_lock(:turn), now() - CAST(:age AS interval)")
# What is old lies together: the index by age is as small as it is because it only knows stretches of the table.
_BY_STRETCH = text("SET LOCAL enable_bitmapscan = on")
_FORGET = text(
    """
    DELETE FROM inbox WHERE (organization, command_id) IN (
        SELECT organization, command_id FROM inbox WHERE at < :before LIMIT :most
    )
    """
)
_FORGET_ID = text("DELETE FROM inbox WHERE organization = :organization AND command_id = :command_id")
_PIECES = text(
    """
    SELECT CAST(substring(relname FROM '_([0-9]+)$') AS bigint) AS number
    FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = to_regclass(:journal) ORDER BY number
    """
)


async def forget_ids(connection: AsyncConnection, age: timedelta, *, most: int) -> int:
    """Forget ids that were used longer ago than that, with their answers. Returns how many; 0 if another is at it."""
    before = await _take_turn(connection, age)
    if before is None:
        return 0
    await connection.execute(_BY_STRETCH)
    return (await connection.execute(_FORGET, {"before": before, "most": most})).rowcount


async def forget_answers(connection: AsyncConnection, ids: Collection[Key]) -> None:
    """Forget ids whose time was over when they were used anew, in the transaction that is open."""
    if ids:
        await connection.execute(_FORGET_ID, [{"organization": key[0], "command_id": key[1]} for key in ids])


async def drop_journal(connection: AsyncConnection, lane: int, age: timedelta) -> int:
    """Drop the pieces of a lane's journal that were published and hold nothing younger. Returns how many, as above.

    Waits for a batch of the lane in flight, and the next one waits for the end of this transaction.
    """
    before = await _take_turn(connection, age)
    if before is None:
        return 0
    below = 0
    for (number,) in (await connection.execute(_PIECES, {"journal": f"journal_{lane:d}"})).all():
        last_at = await _last_at(connection, lane, number)
        if last_at is None or last_at >= before:
            break  # nothing is in it yet, or it is not over: what follows is younger
        below = (number + 1) * PIECE_OFFSETS
    return await journal.drop_pieces(connection, lane, below) if below else 0


async def lanes_known(connection: AsyncConnection) -> list[int]:
    """The lanes that have a journal."""
    return [lane.partition for lane in await lanes.read_all(connection)]


async def _take_turn(connection: AsyncConnection, age: timedelta) -> Instant | None:
    """The instant before which things are too old; None if another worker is at it, until that has committed."""
    is_mine, before = (await connection.execute(_TAKE_TURN, {"turn": _TURN, "age": age})).one()
    return before if is_mine else None


async def _last_at(connection: AsyncConnection, lane: int, number: int) -> Instant | None:
    last = text(
        f"""
        SELECT at FROM journal_{lane:d} WHERE "offset" >= :first AND "offset" < :end
        ORDER BY "offset" DESC, index DESC LIMIT 1
        """  # noqa: S608  a number
    )
    bounds = {"first": number * PIECE_OFFSETS, "end": (number + 1) * PIECE_OFFSETS}
    found: Instant | None = (await connection.execute(last, bounds)).scalar_one_or_none()
    return found
