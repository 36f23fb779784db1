"""What a cut-over does to the database, all of it in the caller's one transaction."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.values import Instant
from worker.recovery.ground import Refused
from worker.store import installation, lanes
from worker.store.installation import Installation
from worker.store.lanes import BEFORE_ALL, Lane

ORGANIZATIONS_AT_ONCE: Final = 10_000

# Whoever takes a lane waits for this, and then reads the number that was declared.
_LOCK = text("LOCK TABLE lanes, installation IN SHARE ROW EXCLUSIVE MODE")
_DECLARE = text("UPDATE installation SET partitions = :partitions")
_RAISE = text("UPDATE lanes SET epoch = epoch + 1, latest_at = :latest_at, stopped = NULL")
_BEGIN = text(
    """
    INSERT INTO lanes (partition, epoch, next_offset, latest_at, published)
    VALUES (:partition, 1, :first_offset, :latest_at, :first_offset)
    """
)
_TOLD = text("UPDATE lanes SET published = next_offset, horizon_offset = :seen_at WHERE partition = :partition")
_ORGANIZATIONS = text(
    """
    (SELECT DISTINCT organization FROM accounts WHERE organization > :after ORDER BY 1 LIMIT :count)
    UNION
    (SELECT DISTINCT organization FROM projects WHERE organization > :after ORDER BY 1 LIMIT :count)
    ORDER BY 1 LIMIT :count
    """
)
_TABLES: Final = ("accounts", "projects")
_MOVE: Final = """
    UPDATE {table} AS t SET lane = m.lane
    FROM unnest(CAST(:organizations AS text[]), CAST(:lanes AS integer[])) AS m (organization, lane)
    WHERE t.organization = m.organization AND t.lane <> m.lane
"""


async def hold_still(connection: AsyncConnection, declared: Installation, seen: Mapping[int, Lane]) -> None:
    """Shut every worker out, and make sure that none was there since the lanes were looked at. Raises Refused."""
    await connection.execute(_LOCK)
    now = {lane.partition: lane for lane in await lanes.read_all(connection)}
    if await installation.read(connection) != declared or now != seen:
        raise Refused("Lanes have moved since they were looked at: a worker has begun meanwhile. Nothing was changed.")


async def organizations(connection: AsyncConnection) -> AsyncIterator[Sequence[str]]:
    """All that have an account or a project, some at a time, in order."""
    after = ""
    while True:
        rows = await connection.execute(_ORGANIZATIONS, {"after": after, "count": ORGANIZATIONS_AT_ONCE})
        page: list[str] = [organization for (organization,) in rows]
        if page:
            yield page
        if len(page) < ORGANIZATIONS_AT_ONCE:
            return
        after = page[-1]


async def move(connection: AsyncConnection, homes: Mapping[str, int]) -> int:
    """Have organizations live in these lanes; how many accounts and projects moved."""
    parameters = {"organizations": list(homes), "lanes": list(homes.values())}
    moved = 0
    for table in _TABLES:
        moved += (await connection.execute(text(_MOVE.format(table=table)), parameters)).rowcount
    return moved


async def declare(connection: AsyncConnection, partitions: int, begins: Mapping[int, int], latest_at: Instant) -> None:
    """So many lanes from now on, each above an instant. `begins` is where those begin that have no row yet."""
    await connection.execute(_RAISE, {"latest_at": latest_at})
    for partition, first_offset in sorted(begins.items()):
        begin = {"partition": partition, "first_offset": first_offset, "latest_at": latest_at}
        await connection.execute(_BEGIN, begin)
    await connection.execute(_DECLARE, {"partitions": partitions})


async def told(connection: AsyncConnection, seen_at: Mapping[int, int]) -> None:
    """Where the horizons lie that tell of it."""
    await connection.execute(
        _TOLD, [{"partition": partition, "seen_at": offset} for partition, offset in seen_at.items()]
    )


def latest_of(seen: Mapping[int, Lane]) -> Instant:
    """The latest instant that any lane has given out."""
    return max((lane.latest_at for lane in seen.values()), default=BEFORE_ALL)
