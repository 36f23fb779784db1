from sqlalchemy.ext.asyncio import AsyncConnection

from tests.store import histories as h
from tests.store.many import add_account, add_projects
from tests.store.test_book import CARD, load, play
from worker.domain.commands import BindProject, CreateAccount
from worker.domain.values import Rules
from worker.store import book as store
from worker.store.book import Needs

MAIN = ("acme", "main")


async def test_samples_are_the_first_projects_in_byte_order(connection: AsyncConnection) -> None:
    names = ["b", "a-1", "a1", "a", "0", "z9", "z-9"]
    binds = [BindProject(name, "main") for name in names]
    await play(connection, CreateAccount("main", "EUR", profile=CARD), *binds)

    book = await load(connection, Needs(set(), set(), {("acme", "main"): 0, ("acme", "ghost"): 3}))

    assert book.sample_of(("acme", "main")) == sorted(names, key=str.encode)
    assert book.sample_of(("acme", "ghost")) == []


async def test_a_sample_has_as_many_more_as_may_leave(connection: AsyncConnection) -> None:
    binds = [BindProject(f"p{n:02}", "main") for n in range(20)]
    await play(connection, CreateAccount("main", "EUR", profile=CARD), *binds)

    book = await load(connection, Needs(set(), set(), {("acme", "main"): 3}))

    assert book.bound["acme", "main"] == {f"p{n:02}" for n in range(13)}


async def test_one_more_than_may_move_is_looked_up_and_no_more(connection: AsyncConnection) -> None:
    await add_account(connection, "main")
    await add_projects(connection, "main", 20)
    few = Rules(move_projects_max=12)

    book = await store.load(connection, Needs(everything={MAIN}), h.INSTALLATION, few)
    more = await store.load(connection, Needs(samples={MAIN: 2}, everything={MAIN}), h.INSTALLATION, few)

    assert sorted(book.bound[MAIN]) == [f"p{n:05}" for n in range(13)]
    assert book.projects.keys() == {("acme", project) for project in book.bound[MAIN]}
    assert book.accounts.keys() == {MAIN}
    assert book.usage_of(MAIN).active_bindings == 20
    assert len(more.bound[MAIN]) == 15


async def test_an_account_that_pays_for_nothing_moves_nothing(connection: AsyncConnection) -> None:
    await add_account(connection, "main")

    book = await load(connection, Needs(everything={MAIN, ("acme", "ghost")}))

    assert book.bound == {MAIN: set(), ("acme", "ghost"): set()}
    assert book.accounts["acme", "ghost"] is None
    assert book.projects == {}
