"""Answers for people. Read only; `complete_through` is the lane's latest instant, up to which the answer is final."""
# ruff: noqa: S608  the parts that SQL is put together from are constants of this package

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.domain.accounts import Account, Usage
from worker.domain.projects import Project
from worker.domain.values import Approval, Binding, Hold, Instant, Interval
from worker.store import accounts as account_rows
from worker.store import phases as phase_rows
from worker.store import projects as project_rows
from worker.store.account_columns import hold_of
from worker.store.lanes import Lane, read_all
from worker.store.phases import PhaseInterval

PROJECTS_MAX: Final = 1_000
"""How many projects are listed at once unless told otherwise."""

_WAIT_FOR_MIGRATIONS = text(
    "LOCK TABLE installation, lanes, accounts, holds, phases, projects, bindings IN ACCESS SHARE MODE"
)
_COMPLETE_THROUGH = "(SELECT latest_at FROM lanes WHERE partition = :lane)"
_PAID = "b.project, b.binding::text, b.currency, b.since, nullif(b.until, 'infinity')"
_THROUGH = text(f"SELECT {_COMPLETE_THROUGH}")
_PAYER = text(
    f"""
    SELECT b.account, b.binding::text, b.since, nullif(b.until, 'infinity'), {_COMPLETE_THROUGH},
        coalesce(p.locked, false), coalesce(p.at_risk, false), p.deleted_at
    FROM (VALUES (CAST(:at AS timestamptz))) AS asked (at)
    LEFT JOIN LATERAL (
        SELECT * FROM projects WHERE organization = :organization AND project = :project OFFSET 0
    ) AS p ON true
    LEFT JOIN LATERAL (
        SELECT * FROM bindings AS last
        WHERE last.organization = :organization AND last.project = :project
        AND last.since <= coalesce(asked.at, 'infinity')
        ORDER BY last.since DESC LIMIT 1
    ) AS b ON b.until > asked.at OR (asked.at IS NULL AND b.ended = 'open')
    """
)
_OPEN = text(
    f"""
    SELECT {_PAID} FROM bindings AS b
    WHERE organization = :organization AND account = :account AND ended = 'open' AND project > :after
    ORDER BY project LIMIT :most
    """
)
_AT = text(
    f"""
    SELECT {_PAID} FROM (
        SELECT * FROM bindings
        WHERE organization = :organization AND account = :account AND ended = 'open'
        UNION ALL
        SELECT * FROM bindings
        WHERE organization = :organization AND account = :account AND ended <> 'open' AND until > :at
    ) AS b
    WHERE since <= :at AND project > :after
    ORDER BY project LIMIT :most
    """
)
_HISTORY = text(
    f"""
    SELECT {", ".join(project_rows.INTERVAL)} FROM bindings AS b
    WHERE organization = :organization AND project = :project AND ended <> 'open' ORDER BY since
    """
)
_PAST_HOLDS = text(
    """
    SELECT hold, reason, message, blocks_rebind, placed_by, placed_at, derived,
        released_at, released_by, approval_by, approval_reference, automatic
    FROM holds
    WHERE organization = :organization AND account = :account AND released_at IS NOT NULL
    ORDER BY released_at, sequence
    """
)


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays for a project at an instant, or now when `at` is None. `until` None: still.

    Whatever `at`, the project is told of as it stands now: locked, its payer at risk, deleted.
    """

    organization: str
    project: str
    at: Instant | None
    account: str | None
    binding: str | None
    since: Instant | None
    until: Instant | None
    complete_through: Instant | None
    locked: bool = False
    at_risk: bool = False
    deleted_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class PastHold:
    """A hold that was released, when and on whose word."""

    hold: Hold
    released_at: Instant
    released_by: str | None
    approval: Approval | None
    automatic: bool


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """An account as it stands, None if there is none, and the holds that it has had.

    What is to come is the account's own: suspensions that are scheduled, and notices that its projects still get.
    """

    account: Account | None
    usage: Usage
    past_holds: tuple[PastHold, ...]
    complete_through: Instant | None


@dataclass(frozen=True, slots=True)
class PaidProject:
    """A project that an account pays for. `until` None: still."""

    project: str
    binding: str
    currency: str
    since: Instant
    until: Instant | None


@dataclass(frozen=True, slots=True)
class PaidProjects:
    """Projects in byte order; the next page comes after the last of them."""

    organization: str
    account: str
    at: Instant | None
    projects: tuple[PaidProject, ...]
    complete_through: Instant | None


@dataclass(frozen=True, slots=True)
class History:
    """All that was ever bound to a project: closed intervals oldest first, and the open one."""

    project: Project | None
    closed: tuple[Interval, ...]
    open: Binding | None
    complete_through: Instant | None


@dataclass(frozen=True, slots=True)
class Phases:
    """Every phase of an account, oldest first; none if there is no such account."""

    organization: str
    account: str
    phases: tuple[PhaseInterval, ...]
    complete_through: Instant | None


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection whose answers are all from one moment, and which cannot write.

    It waits for migrations before it looks: a table that is written anew is empty to whoever looked before that.
    """
    async with engine.connect() as connection:
        reader = await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        await reader.execute(_WAIT_FOR_MIGRATIONS)  # a statement without a snapshot of its own
        yield reader


async def payer(
    connection: AsyncConnection, organization: str, project: str, at: Instant | None, *, lane: int
) -> Payer:
    """Who pays at an instant, or now."""
    asked = {"organization": organization, "project": project, "at": at, "lane": lane}
    return Payer(organization, project, at, *(await connection.execute(_PAYER, asked)).one())


async def account(connection: AsyncConnection, organization: str, account_id: str, *, lane: int) -> AccountStanding:
    """An account with its active and past holds."""
    key = (organization, account_id)
    through = await _complete_through(connection, lane)
    found, usage = await account_rows.read(connection, key)
    rows = await connection.execute(_PAST_HOLDS, {"organization": organization, "account": account_id})
    past = tuple(
        PastHold(
            hold_of(row),
            row.released_at,
            row.released_by,
            Approval(row.approval_by, row.approval_reference) if row.approval_by is not None else None,
            row.automatic,
        )
        for row in rows
    )
    return AccountStanding(found, usage, past, through)


async def phases(connection: AsyncConnection, organization: str, account_id: str, *, lane: int) -> Phases:
    """Where an account stood at any time, and why."""
    through = await _complete_through(connection, lane)
    found = await phase_rows.read(connection, (organization, account_id))
    return Phases(organization, account_id, found, through)


async def projects(
    connection: AsyncConnection,
    organization: str,
    account_id: str,
    *,
    lane: int,
    at: Instant | None = None,
    after: str = "",
    most: int = PROJECTS_MAX,
) -> PaidProjects:
    """Up to `most` projects after `after` for which an account pays at an instant, or now."""
    asked = {"organization": organization, "account": account_id, "after": after, "most": most}
    through = await _complete_through(connection, lane)
    rows = await connection.execute(_OPEN, asked) if at is None else await connection.execute(_AT, asked | {"at": at})
    listed = tuple(PaidProject(*row) for row in rows)
    return PaidProjects(organization, account_id, at, listed, through)


async def history(connection: AsyncConnection, organization: str, project: str, *, lane: int) -> History:
    """Every interval of a project, also those that its record no longer carries."""
    through = await _complete_through(connection, lane)
    found = await project_rows.read(connection, (organization, project))
    rows = (await connection.execute(_HISTORY, {"organization": organization, "project": project})).all()
    closed = project_rows.intervals_of(zip(*rows, strict=True)) if rows else ()
    return History(found, closed, found.open if found else None, through)


async def lanes(connection: AsyncConnection) -> list[Lane]:
    """Every lane as it stands."""
    return await read_all(connection)


async def _complete_through(connection: AsyncConnection, lane: int) -> Instant | None:
    through: Instant | None = (await connection.execute(_THROUGH, {"lane": lane})).scalar_one()
    return through
