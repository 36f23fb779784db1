"""What every check stands on: one moment of the database, and how far its journal reaches back."""
# ruff: noqa: S608  the parts that SQL is put together from are constants of this package

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import asyncpg
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.domain.counts import Counts
from worker.domain.values import Instant
from worker.recovery.progress import Bar, Pace
from worker.store import audit, installation, queries
from worker.store.engine import create_engine
from worker.store.errors import translated
from worker.store.installation import Installation
from worker.store.lanes import BEFORE_ALL, Lane
from worker.wire.partitions import partition_of

CHUNK_ROWS: Final = 200
"""How many rows are fetched at once: the largest records that a topic takes must not fill the memory."""

_READ_SECONDS_MAX: Final = 7 * 86_400.0
_TABLES: Final = ("accounts", "holds", "phases", "projects", "bindings", "inbox")

# Reports over whole tables, whatever the role was given for statements that go by key; and no limit on their time.
_SESSION: Final = {
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "timezone": "UTC",
    "plan_cache_mode": "auto",
    "enable_seqscan": "on",
    "enable_bitmapscan": "on",
    "enable_hashjoin": "on",
    "enable_mergejoin": "on",
    "cursor_tuple_fraction": "1.0",
    "work_mem": "64MB",
}
_PIECES = text(
    """
    SELECT lane.number, min(CAST(bound.parts[1] AS bigint))
    FROM (
        SELECT inhrelid, CAST(substring(pg_get_expr(relpartbound, oid) FROM '[0-9]+') AS integer) AS number
        FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = CAST('journal' AS regclass)
    ) AS lane
    JOIN pg_inherits AS piece ON piece.inhparent = lane.inhrelid
    JOIN pg_class AS piece_table ON piece_table.oid = piece.inhrelid
    CROSS JOIN LATERAL (
        SELECT regexp_match(pg_get_expr(piece_table.relpartbound, piece_table.oid), 'FROM \\(''?([0-9]+)') AS parts
    ) AS bound
    GROUP BY lane.number
    """
)
_BEGAN = text("SELECT lane, min(from_offset) FROM rules GROUP BY lane")
_FIRST_AT = text('SELECT at FROM journal WHERE lane = :lane ORDER BY "offset", index LIMIT 1')

_ONLY = re.compile(r"\bONLY\((\w+)\)")


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the journal reaches back. Pieces of it whose time is over are dropped.

    `since` are the lanes that lost their beginning, each with the first offset that is still there. From `at` on
    everything is there, of every lane; None: it is all there.
    """

    since: Mapping[int, int]
    at: Instant | None

    def covers(self, at: Instant | None) -> bool:
        """Whether everything that happened from an instant on must be in the journal."""
        return self.at is None or (at is not None and (at.tzinfo is None or at >= self.at))


@dataclass(frozen=True, slots=True)
class Look:
    """What is to be looked at, and how. `topic` and `partitions` are what holds until some are declared."""

    topic: str
    partitions: int
    organization: str | None = None
    counterexamples_max: int = 10
    bar: Bar = field(default_factory=lambda: Bar(None))
    pace: Pace = field(default_factory=lambda: Pace(None))


@dataclass(frozen=True, slots=True)
class Ground:
    """What is looked at, and how. `organization` None: everybody's.

    `homes` are the lanes that the organization ever lived in: one for each number of partitions that was ever declared.
    What it did before a cut-over stays with the lane that it then had, and the audit tells of every cut-over (a rebuild
    brings that back), so no other lane needs to be looked at.
    """

    connection: AsyncConnection
    installation: Installation
    topic: str
    partitions: int
    lanes: Mapping[int, Lane]
    reach: Reach
    rows: Mapping[str, int]
    organization: str | None
    homes: frozenset[int]
    counterexamples_max: int
    bar: Bar
    pace: Pace
    untold: list[int] = field(default_factory=list)

    def scoped(self, statement: str) -> str:
        """SQL in which ONLY(alias) has become a condition on the organization."""
        return _ONLY.sub("true" if self.organization is None else r"\1.organization = :organization", statement)

    @property
    def of_journal(self) -> str:
        """A condition on rows of the journal (alias `j`): the lanes of the organization, if one is looked at."""
        return "true" if self.organization is None else f"j.lane IN ({', '.join(map(str, sorted(self.homes)))})"

    @property
    def of_subjects(self) -> str:
        """A condition on rows of the journal (alias `j`) whose key is a subject of the organization."""
        if self.organization is None:
            return "true"
        # a key is organization/id, and 0 comes after /
        return "j.key >= convert_to(:organization || '/', 'UTF8') AND j.key < convert_to(:organization || '0', 'UTF8')"

    async def select(self, statement: str, **parameters: Any) -> AsyncIterator[Row[Any]]:
        """The rows of a query as they come from the server."""
        parameters |= {"organization": self.organization} if ":organization" in statement else {}
        options = {"yield_per": CHUNK_ROWS}
        try:
            async with self.connection.stream(text(statement), parameters, execution_options=options) as result:
                async for chunk in result.partitions(CHUNK_ROWS):
                    for row in chunk:
                        yield row
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:  # the driver's own, where rows are fetched
            raise translated(error, statement, is_closed=self.connection.closed) from error

    async def did(self, count: int) -> None:
        """So many rows were looked at. Told to whoever waits a page at a time."""
        self.untold.append(count)
        if len(self.untold) >= self.pace.page(CHUNK_ROWS) or count >= CHUNK_ROWS:
            await self.tell()

    async def tell(self) -> None:
        """Tell what was looked at since, and wait until the rate allows it."""
        count = sum(self.untold)
        self.untold.clear()
        self.bar.advance(count)
        await self.pace.keep(count)


def create_reading_engine(url: str) -> AsyncEngine:
    """An engine for one long look at everything."""
    return create_engine(
        url,
        application_name="billing-worker verify",
        connections_max=1,
        command_seconds_max=_READ_SECONDS_MAX,
        idle_in_transaction_seconds_max=_READ_SECONDS_MAX,
        by_key=False,
    )


@asynccontextmanager
async def standing(engine: AsyncEngine, look: Look) -> AsyncIterator[Ground]:
    """Take one moment of the database to look at, in a transaction that cannot write."""
    async with queries.reading(engine) as connection:
        for name, value in _SESSION.items():
            await connection.execute(text(f"SET LOCAL {name} = '{value}'"))
        yield await ground_on(connection, look)


async def ground_on(connection: AsyncConnection, look: Look) -> Ground:
    """What is to be known of the database before anything is proven, in the transaction that is open."""
    declared = await installation.read(connection)
    known = {lane.partition: lane for lane in await queries.lanes(connection)}
    partitions, whose = declared.partitions or look.partitions, look.organization
    counts = Counts(partitions, await audit.cut_overs(connection))
    ground = Ground(
        connection=connection,
        installation=declared,
        topic=declared.commands_topic or look.topic,
        partitions=partitions,
        lanes=known,
        reach=await _reach(connection, known),
        rows={},
        organization=whose,
        homes=frozenset() if whose is None else frozenset(partition_of(whose, count) for count in counts.ever),
        counterexamples_max=look.counterexamples_max,
        bar=look.bar,
        pace=look.pace,
    )
    return replace(ground, rows=await _counted(ground))


async def _counted(ground: Ground) -> Mapping[str, int]:
    counted = {"lanes": len(ground.lanes)}
    conditions = dict.fromkeys(_TABLES, "ONLY(t)") | {"journal": ground.of_journal.replace("j.", "t.")}
    for table, condition in conditions.items():
        async for row in ground.select(ground.scoped(f"SELECT count(*) FROM {table} AS t WHERE {condition}")):
            counted[table] = row[0]
    return counted


async def _reach(connection: AsyncConnection, known: Mapping[int, Lane]) -> Reach:
    """A lane has its beginning as long as its first piece is there: where it began its rules were noted."""
    began = {row[0]: row[1] for row in await connection.execute(_BEGAN)}
    since = {
        lane: first
        for lane, first in await connection.execute(_PIECES)
        if first > 0 and first > began.get(lane, 0) and lane in known
    }
    latest = None
    for lane in since:
        first_at = (await connection.execute(_FIRST_AT, {"lane": lane})).scalar_one_or_none()
        at = first_at or known[lane].latest_at
        latest = max(latest or BEFORE_ALL, at)
    return Reach(since, latest)
