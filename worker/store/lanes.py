"""The lane's row: where it stands, and the fence that lets one owner at a time move it."""
# ruff: noqa: S608  the parts that SQL is put together from are constants of this package

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.book import Key
from worker.domain.values import Instant
from worker.store import inbox
from worker.store.inbox import Remembered

BEFORE_ALL: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The latest instant of a lane in which nothing has happened; no instant of a command is as early."""

_COLUMNS = (
    "partition, epoch, next_offset, latest_at, fingerprint_offset, fingerprint_timestamp, fingerprint_hash,"
    " published, horizon_offset, stopped"
)
_READ = text(f"SELECT {_COLUMNS} FROM lanes WHERE partition = :partition")
_HOLD = text(f"SELECT {_COLUMNS} FROM lanes WHERE partition = :partition FOR UPDATE")
_READ_ALL = text(f"SELECT {_COLUMNS} FROM lanes ORDER BY partition")
_TAKE = text(f"UPDATE lanes SET epoch = epoch + 1 WHERE partition = :partition RETURNING {_COLUMNS}")
_TAKE_OR_BEGIN = text(
    f"""
    INSERT INTO lanes (partition, epoch, next_offset, latest_at, published)
    VALUES (:partition, :above + 1, :first_offset, :latest_at, :first_offset)
    ON CONFLICT (partition) DO UPDATE SET epoch = greatest(lanes.epoch, :above) + 1
    RETURNING {_COLUMNS}
    """
)
# What was answered before is asked in the same round trip, by the statement's snapshot, which may be older than the
# wait for the row. Nothing is missed by that: ids of a lane are used up by batches of that lane alone, and whichever
# was waited for has moved the position, so that this statement moves nothing.
_MOVE = text(
    f"""
    WITH moved AS (
        UPDATE lanes
        SET next_offset = :next_offset, latest_at = :latest_at,
            fingerprint_offset = :fingerprint_offset, fingerprint_timestamp = :fingerprint_timestamp,
            fingerprint_hash = :fingerprint_hash, published = :published, horizon_offset = :horizon_offset
        WHERE partition = :partition AND epoch = :epoch AND next_offset = :expected_offset
        RETURNING clock_timestamp() AS now
    )
    SELECT moved.now, answered.* FROM moved LEFT JOIN ({inbox.ANSWERED}) AS answered ON true
    """
)
_CORRECT = text(
    """
    UPDATE lanes
    SET next_offset = :next_offset, latest_at = :latest_at, fingerprint_offset = :fingerprint_offset,
        fingerprint_timestamp = :fingerprint_timestamp, fingerprint_hash = :fingerprint_hash
    WHERE partition = :partition AND epoch = :epoch
    """
)
_STOP = text("UPDATE lanes SET stopped = :reason WHERE partition = :partition AND epoch = :epoch")


class Moved(NamedTuple):
    """A lane has moved on: the database's clock, and what was answered before of the commands asked for."""

    now: Instant
    answered: dict[Key, Remembered]


class Taken(NamedTuple):
    """A lane that is ours: when something falls due, and up to which offset the journal has room."""

    lane: "Lane"
    due_at: Instant | None
    room_until: int


class LaneUnknown(LookupError):  # noqa: N818  it is the lane that is
    """There is no row for a lane, and nobody said where it begins."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The last record before `next_offset` that the lane has seen, to know the log again. `timestamp` is in ms."""

    offset: int
    timestamp: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Lane:
    """Where a lane stands.

    Everything below `published` is known to be published; more may be. `horizon_offset` is a lower bound too, of where
    the lane's last record lies in the topic of horizons. `stopped` is why it waits for an operator's word.
    """

    partition: int
    epoch: int
    next_offset: int
    latest_at: Instant
    fingerprint: Fingerprint | None
    published: int
    horizon_offset: int | None
    stopped: str | None


async def read(connection: AsyncConnection, partition: int) -> Lane | None:
    """The lane as it stands, None if nobody ever took it."""
    row = (await connection.execute(_READ, {"partition": partition})).one_or_none()
    return _lane(row) if row else None


async def hold(connection: AsyncConnection, partition: int) -> Lane | None:
    """The lane as it stands once no batch of it is in flight any more; it stays so until this transaction ends."""
    row = (await connection.execute(_HOLD, {"partition": partition})).one_or_none()
    return _lane(row) if row else None


async def read_all(connection: AsyncConnection) -> list[Lane]:
    """Every lane, by partition."""
    return [_lane(row) for row in await connection.execute(_READ_ALL)]


async def take(connection: AsyncConnection, partition: int, *, first_offset: int | None, above: int = 0) -> Lane:
    """Become the owner: waits for a batch in flight, then shuts its owner out.

    A lane that nobody ever took begins at `first_offset`. Raises LaneUnknown if that is None. The new epoch lies above
    `above` too: a database that was set back must not count epochs again that others have seen.
    """
    if first_offset is None:
        row = (await connection.execute(_TAKE, {"partition": partition})).one_or_none()
        if row is None:
            raise LaneUnknown(f"lane {partition} has no row, and no offset to begin at was given")
    else:
        begin = {"partition": partition, "first_offset": first_offset, "latest_at": BEFORE_ALL, "above": above}
        row = (await connection.execute(_TAKE_OR_BEGIN, begin)).one()
    return _lane(row)


async def move(  # noqa: PLR0913  the row's columns
    connection: AsyncConnection,
    partition: int,
    *,
    epoch: int,
    expected_offset: int,
    next_offset: int,
    latest_at: Instant,
    fingerprint: Fingerprint | None,
    published: int,
    horizon_offset: int | None,
    ids: Collection[Key] = (),
) -> Moved | None:
    """Move the lane on, as the first statement of a batch, and keep it locked.

    Returns also what was answered before of these commands; None if the lane stands elsewhere or is somebody else's.
    """
    rows = await connection.execute(
        _MOVE,
        {
            "partition": partition,
            "epoch": epoch,
            "expected_offset": expected_offset,
            "next_offset": next_offset,
            "latest_at": latest_at,
            "fingerprint_offset": fingerprint.offset if fingerprint else None,
            "fingerprint_timestamp": fingerprint.timestamp if fingerprint else None,
            "fingerprint_hash": fingerprint.hash if fingerprint else None,
            "published": published,
            "horizon_offset": horizon_offset,
            **inbox.asked(ids),
        },
    )
    now: Instant | None = None
    found = []
    for now, *answered in rows:  # noqa: B007  the same in each
        if answered[0] is not None:
            found.append(answered)
    return Moved(now, inbox.remembered(found)) if now is not None else None


async def correct(connection: AsyncConnection, lane: Lane) -> None:
    """Set how far a batch has come that moved the lane further than it decided; in the same transaction."""
    fingerprint = lane.fingerprint
    await connection.execute(
        _CORRECT,
        {
            "partition": lane.partition,
            "epoch": lane.epoch,
            "next_offset": lane.next_offset,
            "latest_at": lane.latest_at,
            "fingerprint_offset": fingerprint.offset if fingerprint else None,
            "fingerprint_timestamp": fingerprint.timestamp if fingerprint else None,
            "fingerprint_hash": fingerprint.hash if fingerprint else None,
        },
    )


async def stop(connection: AsyncConnection, partition: int, epoch: int, reason: str | None) -> bool:
    """Note why the lane waits for an operator's word; None lets it go on. False: somebody else owns it now."""
    stopped = await connection.execute(_STOP, {"partition": partition, "epoch": epoch, "reason": reason})
    return stopped.rowcount == 1


def _lane(row: Row[Any]) -> Lane:
    fingerprint = None
    if row.fingerprint_offset is not None:
        fingerprint = Fingerprint(row.fingerprint_offset, row.fingerprint_timestamp, row.fingerprint_hash)
    return Lane(
        partition=row.partition,
        epoch=row.epoch,
        next_offset=row.next_offset,
        latest_at=row.latest_at,
        fingerprint=fingerprint,
        published=row.published,
        horizon_offset=row.horizon_offset,
        stopped=row.stopped,
    )
