import json

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.store import histories as h
from tests.store.many import Statements, add_account, add_history, add_projects
from tests.store.test_book import LANE, load
from tests.wire.given import BIND, WRITER, reading, structured
from worker.domain.book import Book
from worker.domain.commands import Command, MoveProjects
from worker.domain.moves import INTERVALS_MAX
from worker.domain.projects import CLOSED_INTERVALS_MAX
from worker.domain.values import Position
from worker.lane.deciding import Deciding
from worker.lane.needs import Incoming, needs_of
from worker.lane.outcome import Outcome
from worker.store import book as store
from worker.store.book import Needs
from worker.store.due import Due
from worker.wire.outgoing import Topic

MOST = h.RULES.move_projects_max
MAIN, SPARE = ("acme", "main"), ("acme", "spare")


async def move(connection: AsyncConnection, source: str, target: str, *, offset: int = 0, listed: int = 0) -> Book:
    """All in one batch, or the first so many by name; the book after it."""
    projects = tuple(f"p{n:05}" for n in range(listed)) or None
    command = Command("acme", f"m{offset}", Position("commands", 0, offset), MoveProjects(source, target, projects))
    book = await load(connection, h.needs_of([command]))
    await store.save(connection, book, h.decide_all(book, [command]), lane=LANE)
    await connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    return book


@pytest.fixture
async def bound(connection: AsyncConnection) -> AsyncConnection:
    """main pays for as many projects as may move at once."""
    await add_account(connection, "main")
    await add_account(connection, "spare")
    await add_projects(connection, "main", MOST)
    return connection


async def test_everything_that_an_account_pays_for_is_moved_at_once(bound: AsyncConnection) -> None:
    await move(bound, "main", "spare")
    book = await move(bound, "spare", "main", offset=1)

    loaded = await load(bound, Needs(everything={MAIN}))

    assert len(loaded.bound[MAIN]) == MOST
    assert loaded.projects == book.projects
    assert {project.open.since for project in loaded.projects.values() if project and project.open} == {h.instant(1)}
    assert {len(project.closed) for project in loaded.projects.values() if project} == {2}
    assert loaded.usage_of(MAIN) == book.usage_of(MAIN)
    assert (await load(bound, Needs({SPARE}))).usage_of(SPARE).active_bindings == 0


async def test_projects_named_one_by_one_are_moved_at_once(bound: AsyncConnection) -> None:
    book = await move(bound, "main", "spare", listed=MOST)

    assert book.usage_of(SPARE).active_bindings == MOST
    assert (await load(bound, Needs(set(), set(book.projects)))).projects == book.projects


@pytest.mark.parametrize("listed", [0, 1, MOST])
async def test_many_take_no_more_statements_than_one(bound: AsyncConnection, listed: int) -> None:
    with Statements(bound) as statements:
        await move(bound, "main", "spare", listed=listed)

    looked_up = (3 if listed == 0 else 2) + (listed != 1)  # intervals are counted only where they may be too many
    assert statements.count == looked_up + 1 + 1  # the last checks the constraints


async def decide(connection: AsyncConnection, **data: object) -> tuple[Outcome, Book]:
    """A move through the lane's deciding, with nothing due."""
    order = {**BIND, "type": "billing.account.move-projects.v1", "data": {"from": "main", "to": "spare", **data}}
    record = structured(order)
    incoming = [Incoming(record, h.instant(1), reading(record))]
    needs = needs_of(incoming)
    book = await load(connection, needs.book)
    outcome = Outcome()
    Deciding(WRITER, book, {}, {}, 1_000_000, outcome).decide(incoming, Due())
    return outcome, book


def refusals(outcome: Outcome) -> list[tuple[str, object]]:
    [result] = [json.loads(record.value or b"") for record in outcome.outgoing]
    return [(reason["code"], reason["details"]) for reason in result["data"].get("reasons", [])]


async def test_a_move_of_more_intervals_than_a_command_may_write_is_refused_before_they_are_read(
    connection: AsyncConnection,
) -> None:
    names = [f"p{n:05}" for n in range(INTERVALS_MAX // CLOSED_INTERVALS_MAX)]
    for account in ("main", "spare"):
        await add_account(connection, account)
    # more than a record carries do not count
    await add_history(connection, "main", dict.fromkeys(names, CLOSED_INTERVALS_MAX) | {names[0]: 250, "q": 0, "r": 1})
    too_large = [("MOVE_TOO_LARGE", {"intervalsMax": INTERVALS_MAX})]

    for projects in ([*names, "r"], None):
        refused, book = await decide(connection, **({"projects": projects} if projects else {}))
        assert refusals(refused) == too_large
        assert book.projects == {}
    moved, _ = await decide(connection, projects=[*names, "q"])

    states = [record.value or b"" for record in moved.outgoing if record.topic is Topic.PAYERS]
    assert len(states) == len(names) + 1
    assert sum(map(len, states)) < 32 * 1024 * 1024
    assert moved.outcomes == ["accepted"]
