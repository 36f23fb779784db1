import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.store import histories as h
from tests.store.test_book import CARD, play
from worker.domain.commands import (
    BindProject,
    CreateAccount,
    DeleteProject,
    LockProject,
    ReactivateAccount,
    ScheduleSuspension,
    SuspendAccount,
    UnbindProject,
)
from worker.domain.values import Approval, HoldReason, NoticeKind, Notices
from worker.store import lanes, queries
from worker.store.engine import create_engine


def hour(n: float) -> datetime:
    return h.START + timedelta(hours=n)


@pytest.fixture
async def told(connection: AsyncConnection) -> AsyncConnection:
    """main pays for site from 2 to 4, spare from 4 to 5, nobody to 6, main since; main pays for shop since 3."""
    await lanes.take(connection, 3, first_offset=0)
    await play(
        connection,
        CreateAccount("main", "EUR", profile=CARD),
        CreateAccount("spare", "USD", profile=CARD),
        BindProject("site", "main"),
        BindProject("shop", "main"),
        BindProject("site", "spare"),
        UnbindProject("site"),
        BindProject("site", "main"),
        SuspendAccount("main", HoldReason.NON_PAYMENT, "late", "h1"),
        ReactivateAccount("main", hold="h1", approval=Approval("boss", "t7")),
        SuspendAccount("main", HoldReason.NON_PAYMENT, "late", "h2"),
    )
    return connection


@pytest.mark.parametrize(
    ("at", "account", "since", "until"),
    [
        (hour(1.9), None, None, None),
        (hour(2), "main", hour(2), hour(4)),
        (hour(3.9), "main", hour(2), hour(4)),
        (hour(4), "spare", hour(4), hour(5)),
        (hour(5), None, None, None),
        (hour(5.9), None, None, None),
        (hour(6), "main", hour(6), None),
        (hour(9999), "main", hour(6), None),
        (None, "main", hour(6), None),
    ],
)
async def test_who_paid(
    told: AsyncConnection, at: datetime | None, account: str | None, since: datetime | None, until: datetime | None
) -> None:
    payer = await queries.payer(told, "acme", "site", at, lane=3)

    assert (payer.account, payer.since, payer.until) == (account, since, until)
    assert (payer.binding is None) == (account is None)
    assert payer.complete_through == lanes.BEFORE_ALL


async def test_nobody_pays_for_what_nobody_knows(told: AsyncConnection) -> None:
    payer = await queries.payer(told, "umbrella", "site", None, lane=9)

    assert (payer.account, payer.complete_through) == (None, None)


async def test_nobody_pays_now_for_what_was_released(told: AsyncConnection) -> None:
    await play(told, UnbindProject("shop"), first=20)

    assert (await queries.payer(told, "acme", "shop", None, lane=3)).account is None


async def test_an_account_shows_the_holds_it_has_and_had(told: AsyncConnection) -> None:
    standing = await queries.account(told, "acme", "main", lane=3)

    assert standing.account is not None
    assert [hold.id for hold in standing.account.holds] == ["h2"]
    (past,) = standing.past_holds
    assert (past.hold.id, past.released_by, past.approval) == ("h1", "jo", Approval("boss", "t7"))
    assert past.released_at == hour(8)
    assert standing.usage.active_bindings == 2
    assert (await queries.account(told, "umbrella", "main", lane=3)).account is None


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (None, ["shop", "site"]),
        (hour(2), ["site"]),
        (hour(3), ["shop", "site"]),
        (hour(4), ["shop"]),
        (hour(7), ["shop", "site"]),
    ],
)
async def test_projects_of_an_account(told: AsyncConnection, at: datetime | None, expected: list[str]) -> None:
    paid = await queries.projects(told, "acme", "main", lane=3, at=at)

    assert [project.project for project in paid.projects] == expected


@pytest.mark.parametrize("at", [None, hour(7)])
async def test_projects_come_in_pages(told: AsyncConnection, at: datetime | None) -> None:
    first = await queries.projects(told, "acme", "main", lane=3, at=at, most=1)
    second = await queries.projects(told, "acme", "main", lane=3, at=at, most=1, after="shop")

    assert [p.project for p in (*first.projects, *second.projects)] == ["shop", "site"]


async def test_the_history_of_a_project(told: AsyncConnection) -> None:
    history = await queries.history(told, "acme", "site", lane=3)

    assert [(i.account, i.since, i.until) for i in history.closed] == [
        ("main", hour(2), hour(4)),
        ("spare", hour(4), hour(5)),
    ]
    assert history.open is not None
    assert (history.open.account, history.open.since) == ("main", hour(6))
    assert (await queries.history(told, "acme", "ghost", lane=3)).project is None


@pytest.mark.parametrize(("at", "account"), [(hour(2), "main"), (hour(11.9), "main"), (hour(12), None), (None, None)])
async def test_a_deletion_changes_nothing_about_who_paid_before(
    told: AsyncConnection, at: datetime | None, account: str | None
) -> None:
    await play(told, LockProject("site", "audit"), DeleteProject("site"), first=11)

    payer = await queries.payer(told, "acme", "site", at, lane=3)
    paid = await queries.projects(told, "acme", "main", lane=3, at=at)

    assert (payer.account, payer.locked, payer.deleted_at) == (account, False, hour(12))
    assert ("site" in [project.project for project in paid.projects]) == (account is not None)


async def test_whoever_asks_for_a_payer_hears_of_a_lock(told: AsyncConnection) -> None:
    await play(told, LockProject("site", "audit"), first=11)

    payers = [await queries.payer(told, "acme", "site", at, lane=3) for at in (None, hour(0), hour(4), hour(11))]
    history = await queries.history(told, "acme", "site", lane=3)

    assert [payer.account for payer in payers] == ["main", None, "spare", "main"]
    assert [(payer.locked, payer.at_risk, payer.deleted_at) for payer in payers] == [(True, False, None)] * 4
    assert history.project is not None
    assert history.project.locked


async def test_an_account_shows_what_is_to_come(told: AsyncConnection) -> None:
    schedule = ScheduleSuspension("main", HoldReason.ADMINISTRATIVE, hour(48), "soon")
    await play(told, schedule, first=11)

    standing = await queries.account(told, "acme", "main", lane=3)

    assert standing.account is not None
    assert [(s.reason, s.due_at) for s in standing.account.scheduled] == [(HoldReason.ADMINISTRATIVE, hour(48))]
    assert standing.account.notices == Notices(NoticeKind.AT_RISK)


async def test_an_account_was_in_one_phase_after_the_other(told: AsyncConnection) -> None:
    phases = await queries.phases(told, "acme", "main", lane=3)

    assert [(p.phase, p.reason, p.since, p.until) for p in phases.phases] == [
        ("Provisioning", "CREATED", hour(0), hour(0)),
        ("Ready", "ACTIVATED", hour(0), hour(7)),
        ("Suspended", "NON_PAYMENT", hour(7), hour(8)),
        ("Ready", "REACTIVATED", hour(8), hour(9)),
        ("Suspended", "NON_PAYMENT", hour(9), None),
    ]
    assert phases.complete_through == lanes.BEFORE_ALL
    assert (await queries.phases(told, "umbrella", "main", lane=3)).phases == ()


async def test_every_lane_is_listed(told: AsyncConnection) -> None:
    assert [lane.partition for lane in await queries.lanes(told)] == [3]


async def test_whoever_reads_cannot_write(engine: AsyncEngine) -> None:
    async with queries.reading(engine) as connection:
        with pytest.raises(DBAPIError, match="read-only"):
            await connection.execute(text("UPDATE lanes SET epoch = 9"))


async def test_an_answer_waits_for_a_migration_that_writes_a_table_anew(database_url: str) -> None:
    migrating, asking = create_engine(database_url), create_engine(database_url)
    async with migrating.begin() as connection:
        await lanes.take(connection, 0, first_offset=0)

    async def lanes_seen() -> int:
        async with queries.reading(asking) as reader:
            return len(await queries.lanes(reader))

    async with migrating.begin() as connection:
        await connection.execute(text("ALTER TABLE lanes ALTER COLUMN stopped TYPE varchar(2000)"))
        answer = asyncio.create_task(lanes_seen())
        await until_somebody_waits(connection)

    assert await answer == 1, "to a snapshot from before the table was written anew it is empty"
    await migrating.dispose()
    await asking.dispose()


async def until_somebody_waits(connection: AsyncConnection) -> None:
    async with asyncio.timeout(20):
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while not (await connection.execute(waiting)).scalar_one():  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.02)
