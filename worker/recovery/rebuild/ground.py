"""The database that is rebuilt: empty to begin with, without what slows loading down, and whole again at the end.

While it is under way the installation belongs to no topic of commands, so no worker takes it for finished; how far it
has come lies beside, so that a killed run goes on.
"""
# ruff: noqa: S608  the parts that SQL is put together from are constants of this module

import json
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.store import journal
from worker.store.engine import PLANNING
from worker.store.lanes import Lane

UNFINISHED: Final = "(an unfinished rebuild: `billing-worker rebuild --yes` goes on with it)"
"""Stands for the topic of commands as long as the database is not whole."""

_FILLED: Final = ("accounts", "projects", "bindings", "holds", "phases", "inbox", "journal", "lanes")
_PUT_ASIDE: Final = ("accounts", "bindings", "holds", "phases", "projects")
_JOURNAL_AT_ONCE: Final = 16_000_000

_IS_FILLED = text("SELECT " + " OR ".join(f"EXISTS (SELECT FROM {table})" for table in _FILLED))
_IS_UNDER_WAY = text("SELECT to_regclass('rebuilding') IS NOT NULL")
_BEGIN = (
    "CREATE TABLE rebuilding (topic text, partition integer, next_offset bigint, places json)",
    "ALTER TABLE rebuilding ADD PRIMARY KEY (topic, partition)",
    "CREATE TABLE rebuilding_kept (organization text, project text, PRIMARY KEY (organization, project))",
    "CREATE TABLE rebuilding_as (plan text)",
    "CREATE TABLE rebuilding_later (place integer, statement text)",
)
_END: Final = "DROP TABLE rebuilding, rebuilding_kept, rebuilding_as, rebuilding_later"
# What refers to other keys comes first when it goes, and last when it comes back; the rest of a table in one scan.
# Checks go too: a piece may end between two events of a command, and only the whole command keeps them.
_CONSTRAINTS = text(
    """
    SELECT conrelid::regclass::text, string_agg(format('DROP CONSTRAINT %I', conname), ', '),
        string_agg(format('ADD CONSTRAINT %I %s', conname, pg_get_constraintdef(oid)), ', ' ORDER BY conname)
    FROM pg_constraint
    WHERE conrelid = ANY (CAST(CAST(:tables AS text[]) AS regclass[])) AND contype IN ('c', 'f', 'u')
    GROUP BY conrelid, contype = 'f'
    ORDER BY contype = 'f' DESC, 1
    """
)
_INDEXES = text(
    """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM pg_index
    WHERE indrelid = ANY (CAST(CAST(:tables AS text[]) AS regclass[]))
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
    ORDER BY 1
    """
)
_HASTY: Final = (text("SET synchronous_commit = off"), text("SET maintenance_work_mem = '256MB'"))
_BY_KEY: Final = [text(f"SET LOCAL {name} = {value}") for name, value in PLANNING.items()]
_TRIGGER: Final = "TRIGGER nobody_pays_for_a_deleted_project"
_LATER = text("INSERT INTO rebuilding_later VALUES (:place, :statement)")
_ALL_LATER = text("SELECT statement FROM rebuilding_later ORDER BY place")
_REMEMBER = text("INSERT INTO rebuilding_as VALUES (:plan)")
_REMEMBERED = text("SELECT plan FROM rebuilding_as")
_CLAIM = text("UPDATE installation SET commands_topic = :topic, partitions = :partitions, id = :installation")
_POSITIONS = text("SELECT topic, partition, next_offset, places FROM rebuilding")
_MOVE = text(
    """
    INSERT INTO rebuilding VALUES (:topic, :partition, :next_offset, CAST(CAST(:places AS text) AS json))
    ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset, places = excluded.places
    """
)
_USAGE = text(
    """
    UPDATE accounts AS a SET active_bindings = paid.active, last_binding_until = paid.last_until
    FROM (
        SELECT organization, account, count(*) FILTER (WHERE ended = 'open') AS active,
            max(until) FILTER (WHERE ended <> 'open') AS last_until
        FROM bindings GROUP BY organization, account
    ) AS paid
    WHERE a.organization = paid.organization AND a.account = paid.account
    """
)
_TOMBSTONES = text(
    """
    UPDATE projects AS p SET tombstoned = true, due_at = NULL
    WHERE p.deleted_at IS NOT NULL AND NOT p.tombstoned AND NOT EXISTS (
        SELECT FROM rebuilding_kept AS k WHERE k.organization = p.organization AND k.project = p.project
    )
    """
)
_TOLD = text(
    """
    UPDATE projects AS p SET at_risk = true
    FROM bindings AS b JOIN accounts AS a USING (organization, account)
    WHERE b.organization = p.organization AND b.project = p.project AND b.ended = 'open' AND a.phase = 'Suspended'
    """
)
_PAID_AFTER_DELETION = text(
    """
    SELECT count(*) FROM bindings AS b JOIN projects AS p USING (organization, project)
    WHERE b.ended = 'open' AND p.deleted_at IS NOT NULL
    """
)
_LANE = text(
    """
    INSERT INTO lanes (partition, epoch, next_offset, latest_at, fingerprint_offset, fingerprint_timestamp,
        fingerprint_hash, published, horizon_offset)
    VALUES (:partition, :epoch, :next_offset, :latest_at, :fingerprint_offset, :fingerprint_timestamp,
        :fingerprint_hash, :published, :horizon_offset)
    """
)


class NotEmptyError(Exception):
    """The database holds something already, and is left as it is."""


class NotRebuildableError(Exception):
    """The topics do not tell enough, or contradict each other or what was asked for."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a partition was read, and by lane the last place (offset, index) of what was taken from it.

    What comes again behind that was published again.
    """

    next_offset: int
    places: dict[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A run that was begun: what it was to do, and how far each partition of a topic was read."""

    plan: str
    partitions: dict[tuple[str, int], Reached]


async def under_way(connection: AsyncConnection) -> UnderWay | None:
    """The run that was begun, if any. Raises NotEmptyError for a database with anything in it that no run put there."""
    if (await connection.execute(_IS_UNDER_WAY)).scalar_one():
        plan = (await connection.execute(_REMEMBERED)).scalar_one()
        partitions = {
            (topic, partition): Reached(next_offset, {lane: (offset, index) for lane, offset, index in places})
            for topic, partition, next_offset, places in await connection.execute(_POSITIONS)
        }
        return UnderWay(plan, partitions)
    if (await connection.execute(_IS_FILLED)).scalar_one():
        raise NotEmptyError("the database is not empty: a rebuild needs one that was migrated and never used")
    return None


async def write_hastily(connection: AsyncConnection) -> None:
    """Make a session one that loads: should the machine fail, what was committed last may have to be read again."""
    for statement in _HASTY:
        await connection.execute(statement)
    await connection.commit()


async def begin(connection: AsyncConnection, installation: UUID, partitions: int, plan: str) -> None:
    """Claim an empty database, and put aside what is quicker to make anew: in one transaction, the caller's.

    `plan` is what a run must be up to that goes on with this one.
    """
    for statement in _BEGIN:
        await connection.execute(text(statement))
    await connection.execute(_REMEMBER, {"plan": plan})
    claim = {"topic": UNFINISHED, "partitions": partitions, "installation": str(installation)}
    await connection.execute(_CLAIM, claim)
    later = []
    tables = {"tables": list(_PUT_ASIDE)}
    for table, gone, back in (await connection.execute(_CONSTRAINTS, tables)).all():
        later.append(f"ALTER TABLE {table} {back}")
        await connection.execute(text(f"ALTER TABLE {table} {gone}"))
    for name, definition in (await connection.execute(_INDEXES, tables)).all():
        later.append(definition)
        await connection.execute(text(f"DROP INDEX {name}"))
    later.append(f"ALTER TABLE projects ENABLE {_TRIGGER}")
    await connection.execute(text(f"ALTER TABLE projects DISABLE {_TRIGGER}"))
    for place, statement in enumerate(reversed(later)):
        await connection.execute(_LATER, {"place": place, "statement": statement})


async def make_room(connection: AsyncConnection, lane: int, next_offset: int) -> None:
    """Have the journal's pieces for everything before a position, and for what follows."""
    for first in range(0, next_offset + 1, _JOURNAL_AT_ONCE):
        await journal.ensure_pieces(connection, lane, first, min(first + _JOURNAL_AT_ONCE, next_offset + 100_000))


async def note(connection: AsyncConnection, topic: str, partition: int, reached: Reached) -> None:
    """How far a partition was read, in the transaction that saves what was read."""
    places = json.dumps([(lane, *place) for lane, place in reached.places.items()])
    values = {"topic": topic, "partition": partition, "next_offset": reached.next_offset, "places": places}
    await connection.execute(_MOVE, values)


async def suppose_told(connection: AsyncConnection) -> None:
    """Suppose of every project whose payer is Suspended that it was told so."""
    await connection.execute(_TOLD)


async def count_usage(connection: AsyncConnection) -> None:
    """How many projects each account pays for, and until when it paid last."""
    await connection.execute(_USAGE)


async def remove_records(connection: AsyncConnection) -> int:
    """Deleted projects of which the compacted topic tells nothing any more; how many."""
    return (await connection.execute(_TOMBSTONES)).rowcount


async def put_back(connection: AsyncConnection) -> None:
    """Put back every rule that was put aside. Raises IntegrityError where what was read breaks one."""
    for (statement,) in (await connection.execute(_ALL_LATER)).all():
        await connection.execute(text(statement.replace(":", r"\:")))
    if (await connection.execute(_PAID_AFTER_DELETION)).scalar_one():
        raise ValueError("somebody pays for a deleted project: the topics are not whole")


async def go_by_key(connection: AsyncConnection) -> None:
    """Have the rest of a transaction find its rows as a worker's statements do, which it shares with them.

    Planned for whole tables they would read all projects once for each lane.
    """
    for statement in _BY_KEY:
        await connection.execute(statement)


async def add_lane(connection: AsyncConnection, lane: Lane) -> None:
    """The row of a lane as it is published."""
    fingerprint = lane.fingerprint
    await connection.execute(
        _LANE,
        {
            "partition": lane.partition,
            "epoch": lane.epoch,
            "next_offset": lane.next_offset,
            "latest_at": lane.latest_at,
            "fingerprint_offset": fingerprint.offset if fingerprint else None,
            "fingerprint_timestamp": fingerprint.timestamp if fingerprint else None,
            "fingerprint_hash": fingerprint.hash if fingerprint else None,
            "published": lane.published,
            "horizon_offset": lane.horizon_offset,
        },
    )


async def finish(connection: AsyncConnection, installation: UUID, topic: str, partitions: int) -> None:
    """The database is whole: workers may come."""
    await connection.execute(_CLAIM, {"topic": topic, "partitions": partitions, "installation": str(installation)})
    await connection.execute(text(_END))
