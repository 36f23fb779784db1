# ruff: noqa: SLF001  a statement itself is what is looked at
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.store import histories as h
from tests.store.due_work import do_due_work
from tests.store.many import Statements, add_account, add_deleted, add_projects
from tests.store.test_book import CARD, LANE, load, play
from worker.domain.book import Book
from worker.domain.commands import BindProject, CreateAccount, DeleteProject, ScheduleSuspension, SuspendAccount
from worker.domain.due import DUE_ACCOUNTS_MAX, NOTICES_MAX, TOMBSTONES_MAX
from worker.domain.values import HoldReason, NoticeKind, Notices
from worker.store import book as store
from worker.store import due
from worker.store.book import Needs

NOON = h.instant(12)
NEVER_MIND = h.instant(99)


def empty() -> Book:
    return Book(h.INSTALLATION, h.RULES)


async def test_nothing_is_due_where_nothing_is(connection: AsyncConnection) -> None:
    book = empty()

    with Statements(connection) as statements:
        assert await due.load(connection, book, LANE, NOON) == due.Due()

    assert statements.count == 1
    assert book == empty()
    assert await due.next_at(connection, LANE) is None


async def test_accounts_fall_due_by_instant_then_in_byte_order(connection: AsyncConnection) -> None:
    expected = [("acme", "z", h.instant(1)), ("acme", "a-1", NOON), ("acme", "a1", NOON), ("umbrella", "0", NOON)]
    for organization, name, due_at in [*expected[::-1], ("acme", "later", NOON + timedelta(microseconds=1))]:
        await add_account(connection, name, organization=organization, due_at=due_at)
    await add_account(connection, "elsewhere", lane=4, due_at=h.instant(0))

    whats_due = await due.load(connection, empty(), LANE, NOON)

    assert whats_due.accounts == [(organization, name) for organization, name, _ in expected]
    assert whats_due.next_at == NOON + timedelta(microseconds=1)
    assert await due.next_at(connection, LANE) == h.instant(1)
    assert await due.next_at(connection, 4) == h.instant(0)


async def test_so_many_accounts_fall_due_at_once_and_no_more(connection: AsyncConnection) -> None:
    for n in range(DUE_ACCOUNTS_MAX + 5):
        await add_account(connection, f"a{n:03}", due_at=NOON - timedelta(seconds=n))
    book = empty()

    whats_due = await due.load(connection, book, LANE, NOON)

    assert [name for _, name in whats_due.accounts] == [f"a{n:03}" for n in range(DUE_ACCOUNTS_MAX + 4, 4, -1)]
    assert whats_due.next_at == NOON - timedelta(seconds=4)
    assert list(book.accounts) == whats_due.accounts


async def test_an_account_comes_with_its_holds_and_its_usage(connection: AsyncConnection) -> None:
    suspend = SuspendAccount("main", HoldReason.NON_PAYMENT, "late", "h1")
    schedule = ScheduleSuspension("main", HoldReason.ADMINISTRATIVE, h.instant(20), "soon")
    await play(connection, CreateAccount("main", "EUR", profile=CARD), BindProject("site", "main"), suspend, schedule)
    book = empty()

    await due.load(connection, book, LANE, NOON)

    account = book.accounts["acme", "main"]
    assert account is not None
    assert [hold.id for hold in account.holds] == ["h1"]
    assert [suspension.due_at for suspension in account.scheduled] == [h.instant(20)]
    assert account.notices == Notices(NoticeKind.AT_RISK)
    assert book.usage_of(("acme", "main")).active_bindings == 1


async def test_what_is_in_the_book_stays_as_it_is_there(connection: AsyncConnection) -> None:
    await add_account(connection, "main", due_at=NOON, owes="AT_RISK")
    await add_projects(connection, "main", 2)
    await add_deleted(connection, 1, deleted_at=h.instant(-30))
    keys = [("acme", "p00000"), ("acme", "p00001"), ("acme", "d00000")]
    book = await load(connection, Needs({("acme", "main")}, set(keys[:1])))
    known = (book.accounts["acme", "main"], book.projects["acme", "p00000"])

    whats_due = await due.load(connection, book, LANE, NOON)

    assert whats_due == due.Due([("acme", "main")], {("acme", "main"): ["p00000", "p00001"]}, keys[2:])
    assert (book.accounts["acme", "main"], book.projects["acme", "p00000"]) == known
    assert book.accounts["acme", "main"] is known[0]
    assert book.projects["acme", "p00000"] is known[1]
    assert list(book.projects) == [keys[0], keys[2], keys[1]]


@pytest.mark.parametrize(
    ("owes", "after", "told"),
    [
        ("AT_RISK", "", ["p00000", "p00002", "p00004", "p00006"]),
        ("RESTORED", "", ["p00001", "p00003", "p00005"]),
        ("AT_RISK", "p00002", ["p00004", "p00006"]),
        ("RESTORED", "p00005", []),
    ],
)
async def test_notices_go_to_those_that_are_not_told_yet(
    connection: AsyncConnection, owes: str, after: str, told: list[str]
) -> None:
    await add_account(connection, "main", due_at=NOON, owes=owes, after=after)
    await add_account(connection, "other")
    await add_projects(connection, "main", 7, at_risk="n % 2 = 1")
    await add_projects(connection, "other", 3, prefix="q", at_risk="n % 2 = 1")
    book = empty()

    assert (await due.load(connection, book, LANE, NOON)).notices == {("acme", "main"): told}
    assert set(book.projects) == {("acme", project) for project in told}


async def test_so_many_projects_are_told_at_once_and_no_more(connection: AsyncConnection) -> None:
    counts = {"d": 1, "c": NOTICES_MAX - 100, "none": 0, "a": 300, "b": 5}
    for n, (account, count) in enumerate(counts.items()):
        await add_account(connection, account, due_at=h.instant(n), owes="AT_RISK")
        await add_projects(connection, account, count, prefix=account)

    notices = (await due.load(connection, empty(), LANE, NOON)).notices

    assert {account: len(projects) for (_, account), projects in notices.items()} == {
        "d": 1,
        "c": NOTICES_MAX - 100,
        "none": 0,
        "a": 99,
    }
    assert list(notices) == [("acme", account) for account in ("d", "c", "none", "a")]
    assert notices["acme", "a"] == [f"a{n:05}" for n in range(99)]


async def test_so_many_tombstones_are_due_at_once_and_no_more(connection: AsyncConnection) -> None:
    deleted_at = NOON - timedelta(days=1)
    await add_deleted(connection, TOMBSTONES_MAX + 5, deleted_at=deleted_at)
    book = empty()

    whats_due = await due.load(connection, book, LANE, NOON)

    assert [name for _, name in whats_due.tombstones] == [f"d{n:05}" for n in range(TOMBSTONES_MAX + 4, 4, -1)]
    assert whats_due.next_at == NOON - timedelta(microseconds=4)
    assert set(book.projects) == set(whats_due.tombstones)
    assert await due.next_at(connection, LANE) == NOON - timedelta(microseconds=TOMBSTONES_MAX + 4)


async def test_a_tombstone_is_due_once(connection: AsyncConnection) -> None:
    await play(connection, DeleteProject("site"))
    book = empty()
    whats_due = await due.load(connection, book, LANE, NEVER_MIND)

    assert whats_due.tombstones == [("acme", "site")]
    assert do_due_work(book, whats_due, NEVER_MIND) == []
    with Statements(connection) as statements:
        await store.save(connection, book, [], lane=LANE)

    assert statements.count == 1
    assert await due.next_at(connection, LANE) is None
    assert (await load(connection)).projects["acme", "site"] == book.projects["acme", "site"]


async def test_a_project_born_deleted_is_kept(connection: AsyncConnection) -> None:
    await play(connection, DeleteProject("site"))

    project = (await load(connection)).projects["acme", "site"]

    assert project is not None
    assert (project.sequence, project.registered_at, project.deleted_at) == (1, h.START, h.START)


async def test_nothing_is_sent_for_nothing(connection: AsyncConnection) -> None:
    with Statements(connection) as statements:
        await store.save(connection, empty(), [], lane=LANE)

    assert statements.count == 0


FAN_OUT = 50_000
PAGES_A_PROJECT_MAX = 10


async def test_fifty_thousand_projects_are_told_in_chunks_none_dearer_than_the_others(
    connection: AsyncConnection,
) -> None:
    await add_account(connection, "main", due_at=NOON, owes="RESTORED")
    await add_projects(connection, "main", FAN_OUT, at_risk="true")
    told, after, pages = [], [""], []
    while await due.next_at(connection, LANE) is not None:
        book = empty()
        whats_due = await due.load(connection, book, LANE, NOON)
        pages.append(await pages_read(connection, after[-1]))
        await store.save(connection, book, do_due_work(book, whats_due, NOON), lane=LANE)
        told += whats_due.notices["acme", "main"]
        after.append(told[-1])

    assert told == [f"p{n:05}" for n in range(FAN_OUT)]
    assert len(pages) == FAN_OUT // NOTICES_MAX + 1
    assert max(pages) < PAGES_A_PROJECT_MAX * NOTICES_MAX


async def pages_read(connection: AsyncConnection, after: str) -> int:
    """How many pages PostgreSQL goes through to find the next projects."""
    owed = {"organization": ["acme"], "account": ["main"], "after": [after], "at_risk": [True]}
    explain = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {due._NOTICES}")
    plan = (await connection.execute(explain, owed)).scalar_one()[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
