"""Loaded history is what batches would have left: every constraint holds, and every row is found by key."""

import json
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from benchmarks import plans
from benchmarks.history import INDEXES, KEYS, TABLES, History
from worker.embedded import Postgres
from worker.store import schema

HISTORY = History(projects=40, intervals=3, names=("acme", "globex"))
TOUCH_PROJECTS = {"load projects", "load whom notices are owed"}
LANES = {"acme": 1, "globex": 2}
ACCOUNTS = """
    INSERT INTO accounts (organization, account, lane, sequence, phase, phase_since, currency, net_days,
        invoice_day_of_month, invoice_frequency, labels, activated_at, holds_active, scheduled, created_at,
        active_bindings)
    SELECT organization, account, 1, 3, 'Ready', '2023-01-01Z', 'EUR', 30, 1, 'Monthly', '{}', '2023-01-01Z', 0, '[]',
        '2023-01-01Z', 0
    FROM unnest(ARRAY['acme', 'globex']) AS organization, unnest(ARRAY['main', 'other']) AS account
"""
UNTIL_NOTHING = "UPDATE bindings SET ended = 'released' WHERE ended = 'open'"
OPEN_AGAIN = """
    INSERT INTO bindings (organization, project, since, binding, account, currency)
    SELECT organization, project, now(), gen_random_uuid(), 'main', 'EUR' FROM projects LIMIT 1
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = Postgres(tmp_path_factory.mktemp("history"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def url(server: Postgres) -> AsyncIterator[str]:
    url = await server.create_database("history")
    await schema.upgrade(url)
    yield url
    await server.drop_database("history")


@pytest.fixture
async def connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute(ACCOUNTS)
    yield connection
    await connection.close()


async def test_history_is_loaded_and_keys_and_indexes_are_what_they_were(
    url: str, connection: asyncpg.Connection
) -> None:
    before = [await connection.fetch(query, TABLES) for query in (KEYS, INDEXES)]

    await HISTORY.load(url, LANES)

    assert [await connection.fetch(query, TABLES) for query in (KEYS, INDEXES)] == before
    assert len(before[0]) == 6
    assert await connection.fetchval("SELECT count(*) FROM bindings") == HISTORY.bindings == 120
    assert await connection.fetchval("SELECT count(*) FROM projects") == 40
    paid = await connection.fetch("SELECT account, sum(active_bindings)::int AS n FROM accounts GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in paid] == [("main", 40), ("other", 0)]


async def test_the_rules_hold_for_what_comes_after_it(url: str, connection: asyncpg.Connection) -> None:
    await HISTORY.load(url, LANES)

    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute(OPEN_AGAIN)
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute(UNTIL_NOTHING)


async def test_plans_go_by_key_and_one_that_does_not_is_told(url: str, connection: asyncpg.Connection) -> None:
    await HISTORY.load(url, LANES)

    keyed = plans.not_by_key(await plans.explained(url))
    await connection.execute("ALTER TABLE projects DROP CONSTRAINT a_project_id_is_used_once")
    without = plans.not_by_key(await plans.explained(url))
    await connection.execute("CREATE INDEX another_way ON projects (registered_at, project, organization)")
    by_later_columns = plans.not_by_key(await plans.explained(url))

    assert TOUCH_PROJECTS & set(keyed) == set()
    assert set(without) >= TOUCH_PROJECTS
    assert set(by_later_columns) >= TOUCH_PROJECTS


async def test_moves_are_of_projects_that_there_are(url: str, connection: asyncpg.Connection) -> None:
    await HISTORY.load(url, LANES)
    known = {tuple(row) for row in await connection.fetch("SELECT organization, project FROM projects")}

    moved = [(organization, json.loads(value)["data"]["project"]) for organization, value in HISTORY.moves(30, seed=1)]

    assert len(set(moved)) == 30
    assert set(moved) <= known
