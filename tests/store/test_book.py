from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import get_args

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.store import histories as h
from tests.store.due_work import do_due_work, due_of, next_of
from worker.domain.book import Book, Recorded
from worker.domain.commands import (
    BindProject,
    Command,
    CreateAccount,
    DeleteAccount,
    SuspendAccount,
    UnbindProject,
)
from worker.domain.events import AccountEvent, AccountUpdated, ProjectEvent
from worker.domain.projects import CLOSED_INTERVALS_MAX
from worker.domain.values import (
    HoldReason,
    PaymentProfile,
    Position,
    ProfileStatus,
    ScheduledSuspension,
)
from worker.store import book as store
from worker.store import due
from worker.store.book import Needs
from worker.store.errors import StateDiverged, violated_rule

LANE = 3
CARD = PaymentProfile("card", "card-1", ProfileStatus.VALID)
ALL = Needs(h.keys(h.ACCOUNTS), h.keys(h.PROJECTS), {})


async def load(connection: AsyncConnection, needs: Needs = ALL) -> Book:
    return await store.load(connection, needs, h.INSTALLATION, h.RULES)


async def play(connection: AsyncConnection, *actions: object, first: int = 0) -> list[Recorded]:
    """Each action a command of acme's, all in one batch."""
    batch = [
        Command("acme", f"c{first + n}", Position("commands", 0, first + n), action, "jo")  # type: ignore[arg-type]
        for n, action in enumerate(actions)
    ]
    book = await load(connection, h.needs_of(batch))
    recorded = h.decide_all(book, batch)
    await store.save(connection, book, recorded, lane=LANE)
    await connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    return recorded


async def rows(connection: AsyncConnection, statement: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await connection.execute(text(statement))]


@pytest.mark.parametrize("seed", range(12))
async def test_what_is_saved_is_loaded_again_wherever_the_batches_are_cut(
    connection: AsyncConnection, seed: int
) -> None:
    random = Random(seed)  # noqa: S311  the same history every time
    expected, recorded = h.empty_book(), []

    for batch in h.cut(random, list(h.commands(random, 500))):
        at, offset = h.instant(batch[0].position.offset), batch[0].position.offset
        book = await load(connection, h.needs_of(batch))
        whats_due = await due.load(connection, book, LANE, at)
        happened = [*do_due_work(book, whats_due, at, offset), *h.decide_all(book, batch)]
        await store.save(connection, book, happened, lane=LANE)
        await connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))

        assert whats_due == due_of(expected, at)
        reference = [*do_due_work(expected, whats_due, at, offset), *h.decide_all(expected, batch)]
        assert happened == reference
        assert await due.next_at(connection, LANE) == next_of(expected)
        recorded += happened
    loaded = await load(connection)

    assert len(recorded) > 150
    assert loaded.projects == expected.projects
    assert loaded.accounts == expected.accounts
    assert {key: loaded.usage_of(key) for key in expected.accounts} == {
        key: expected.usage_of(key) for key in expected.accounts
    }
    for key, account in loaded.accounts.items():
        if account is not None:
            assert list(account.labels) == list(expected.accounts[key].labels)  # type: ignore[union-attr]


def test_the_histories_bring_about_every_kind_of_event() -> None:
    kinds = set()
    for seed in range(12):
        random, book = Random(seed), h.empty_book()  # noqa: S311
        for batch in h.cut(random, list(h.commands(random, 500))):
            at = h.instant(batch[0].position.offset)
            happened = [*do_due_work(book, due_of(book, at), at), *h.decide_all(book, batch)]
            kinds |= {type(entry.event) for entry in happened}

    assert kinds == {*get_args(AccountEvent), *get_args(ProjectEvent)}


async def test_what_was_asked_for_is_there_and_none_where_there_is_nothing(connection: AsyncConnection) -> None:
    book = await load(connection, Needs({("acme", "main")}, {("acme", "site")}, {}))

    assert book.accounts == {("acme", "main"): None}
    assert book.projects == {("acme", "site"): None}


async def test_whoever_pays_for_a_project_comes_with_it(connection: AsyncConnection) -> None:
    await play(connection, CreateAccount("main", "EUR", profile=CARD), BindProject("site", "main"))

    book = await load(connection, Needs(set(), {("acme", "site")}, {}))

    payer = book.payer_of(book.projects["acme", "site"])
    assert payer is not None
    assert payer.id == "main"


async def test_a_binding_begun_and_ended_in_one_batch_is_written_once(connection: AsyncConnection) -> None:
    await play(
        connection,
        CreateAccount("main", "EUR", profile=CARD),
        CreateAccount("spare", "EUR", profile=CARD),
        BindProject("site", "main"),
        BindProject("site", "spare"),
        UnbindProject("site"),
        BindProject("site", "main"),
    )

    assert await rows(connection, "SELECT account, ended, prev_ended FROM bindings ORDER BY since") == [
        ("main", "superseded", None),
        ("spare", "released", "superseded"),
        ("main", "open", "released"),
    ]


async def test_a_project_carries_its_last_intervals_and_says_since_when(connection: AsyncConnection) -> None:
    await play(connection, CreateAccount("main", "EUR", profile=CARD), CreateAccount("spare", "EUR", profile=CARD))
    expected = h.empty_book()
    rebinds = [BindProject("site", ("main", "spare")[n % 2]) for n in range(CLOSED_INTERVALS_MAX + 20)]
    for first in range(0, len(rebinds), 60):
        book = await load(connection)
        await play(connection, *rebinds[first : first + 60], first=10 + first)
        batch = [
            Command("acme", f"c{n}", Position("commands", 0, 10 + n), rebinds[n], "jo")
            for n in range(first, min(first + 60, len(rebinds)))
        ]
        expected.accounts = book.accounts
        h.decide_all(expected, batch)

    project = (await load(connection)).projects["acme", "site"]

    assert project is not None
    assert len(project.closed) == CLOSED_INTERVALS_MAX
    assert project.closed_since > project.registered_at
    reference = expected.projects["acme", "site"]
    assert reference is not None
    assert project == replace(
        reference,
        open=project.open,
        closed=project.closed,
    )
    assert [(i.since, i.until, i.account) for i in project.closed] == [
        (i.since, i.until, i.account) for i in reference.closed
    ]


async def test_a_batch_that_closes_more_than_a_project_carries_still_knows_what_came_before(
    connection: AsyncConnection,
) -> None:
    await play(
        connection,
        CreateAccount("main", "EUR", profile=CARD),
        CreateAccount("spare", "EUR", profile=CARD),
        BindProject("site", "main"),
        UnbindProject("site"),
    )
    rebinds = [BindProject("site", ("main", "spare")[n % 2]) for n in range(CLOSED_INTERVALS_MAX + 50)]

    await play(connection, *rebinds, first=10)

    assert await rows(connection, "SELECT count(*), count(prev_until) FROM bindings") == [
        (len(rebinds) + 1, len(rebinds))
    ]


async def test_a_batch_that_closes_more_than_a_project_carries_may_be_its_first(connection: AsyncConnection) -> None:
    await play(connection, CreateAccount("main", "EUR", profile=CARD), CreateAccount("spare", "EUR", profile=CARD))
    rebinds = [BindProject("site", ("main", "spare")[n % 2]) for n in range(CLOSED_INTERVALS_MAX + 50)]

    await play(connection, *rebinds, first=10)

    assert await rows(connection, "SELECT count(*), count(prev_until) FROM bindings") == [
        (len(rebinds), len(rebinds) - 1)
    ]


async def test_holds_keep_the_order_in_which_they_were_placed(connection: AsyncConnection) -> None:
    reasons = [HoldReason.NON_PAYMENT, HoldReason.ADMINISTRATIVE, HoldReason.FRAUD_SUSPECTED]
    suspensions = [SuspendAccount("main", reason, "late", hold) for reason, hold in zip(reasons, "zab", strict=True)]
    await play(connection, CreateAccount("main", "EUR", profile=CARD), *suspensions)

    account = (await load(connection)).accounts["acme", "main"]

    assert account is not None
    assert [hold.id for hold in account.holds] == ["z", "a", "b"]


async def test_scheduled_suspensions_are_kept_in_order(connection: AsyncConnection) -> None:
    await play(connection, CreateAccount("main", "EUR", profile=CARD))
    book = await load(connection)
    account = book.accounts["acme", "main"]
    assert account is not None
    scheduled = tuple(
        ScheduledSuspension(reason, h.START + timedelta(microseconds=n), "soon", "jo", h.START)
        for n, reason in enumerate([HoldReason.NON_PAYMENT, HoldReason.ADMINISTRATIVE])
    )
    book.accounts["acme", "main"] = replace(account, scheduled=scheduled)
    touched = AccountUpdated("main", None, None, {})

    await store.save(connection, book, [Recorded("acme", touched, account.sequence + 1, h.START)], lane=LANE)

    loaded = (await load(connection)).accounts["acme", "main"]
    assert loaded is not None
    assert loaded.scheduled == scheduled


async def test_a_binding_changes_no_more_of_an_account_than_its_count(connection: AsyncConnection) -> None:
    await play(connection, CreateAccount("main", "EUR", profile=CARD))
    before = await rows(connection, "SELECT sequence, phase, labels::text, serving_type FROM accounts")

    await play(connection, BindProject("site", "main"), first=5)

    assert await rows(connection, "SELECT sequence, phase, labels::text, serving_type FROM accounts") == before
    assert await rows(connection, "SELECT active_bindings, last_binding_until FROM accounts") == [(1, None)]


@pytest.mark.parametrize(
    "loss",
    [
        "UPDATE bindings SET until = now() + interval '99 years', ended = 'released'",
        "DELETE FROM phases; DELETE FROM accounts",
        "ALTER TABLE bindings DISABLE TRIGGER USER; DELETE FROM bindings",
        "DELETE FROM projects",
    ],
)
async def test_a_book_that_the_database_no_longer_holds_is_not_saved(connection: AsyncConnection, loss: str) -> None:
    await play(connection, CreateAccount("main", "EUR", profile=CARD), BindProject("site", "main"))
    book = await load(connection)
    batch = [Command("acme", "late", Position("commands", 0, 9), UnbindProject("site"))]
    recorded = h.decide_all(book, batch)
    for statement in loss.split(";"):
        await connection.execute(text(statement))

    with pytest.raises(StateDiverged):
        await store.save(connection, book, recorded, lane=LANE)


async def test_an_account_created_behind_the_books_back_is_a_violation(connection: AsyncConnection) -> None:
    stale = await load(connection)
    await play(connection, CreateAccount("main", "EUR"))
    recorded = h.decide_all(stale, [Command("acme", "c9", Position("commands", 0, 9), CreateAccount("main", "EUR"))])

    with pytest.raises(Exception, match="an_account_id_is_used_once") as refused:
        await store.save(connection, stale, recorded, lane=LANE)

    assert violated_rule(refused.value) == "an_account_id_is_used_once"


async def test_a_deleted_account_stays(connection: AsyncConnection) -> None:
    await play(connection, CreateAccount("main", "EUR"), DeleteAccount("main"))

    account = (await load(connection)).accounts["acme", "main"]

    assert account is not None
    assert account.deleted_at == h.START + timedelta(hours=1)
