import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.store import histories as h
from tests.store.many import Statements, add_account, add_projects
from tests.store.test_book import LANE, load
from worker.domain.book import Book
from worker.domain.commands import Command, MoveProjects
from worker.domain.values import Position
from worker.store import book as store
from worker.store.book import Needs

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

    assert statements.count == (3 if listed == 0 else 2) + 1 + 1  # the last checks the constraints
