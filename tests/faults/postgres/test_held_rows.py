"""Rows and tables that somebody else holds: an operator in a transaction, a migration."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from tests.faults.postgres.scenario import decided, faults, says_no_until_then, says_why
from tests.faults.postgres.servers import ask
from tests.system.deployment import Deployment, WorkerProcess
from tests.system.provision import PARTITIONS
from tests.system.settling import until

HEAL_SECONDS = 20
SHORT = {"DATABASE__COMMAND_TIMEOUT_SECONDS": "2", "LANES__BACKOFF_SECONDS_MAX": "1"}
WAITS = "lock timeout|statement timeout|Timeout"
LANE = 0
ROWS = {
    "of the lane": f"SELECT 1 FROM lanes WHERE partition = {LANE} FOR UPDATE",  # noqa: S608 - of our own making
    "of its accounts": f"SELECT 1 FROM accounts WHERE lane = {LANE} FOR UPDATE",  # noqa: S608
}
FIRST_OF_A_BATCH = "LOCK TABLE lanes IN SHARE ROW EXCLUSIVE MODE"
"""Every batch begins with its lane: whoever has this table has all others without anybody in between."""
MIGRATIONS = {
    "adds columns": [
        f"ALTER TABLE {table} ADD COLUMN later text"
        for table in ("lanes", "accounts", "projects", "bindings", "inbox", "journal")
    ],
    "changes the types of columns": [
        "ALTER TABLE lanes ALTER COLUMN stopped TYPE varchar(2000)",
        "ALTER TABLE accounts ALTER COLUMN display_name TYPE varchar(200)",
    ],
    "makes an index": [
        FIRST_OF_A_BATCH,
        "CREATE INDEX later ON bindings (account)",
        "CREATE INDEX later_too ON accounts (currency)",
    ],
}
PATIENT = {"DATABASE__COMMAND_TIMEOUT_SECONDS": "20"}
AGAINST_THE_ORDER = MIGRATIONS["adds columns"][1::-1]
WAIT_FOR_IT = (
    "SELECT every(waitstart < clock_timestamp() - make_interval(secs => :least)) FROM pg_locks WHERE NOT granted"
)
DEADLOCK = "40P01"
DEADLOCK_SECONDS = 1
"""After so long a wait the server looks whether it will ever end (`deadlock_timeout`)."""


@asynccontextmanager
async def held(deployment: Deployment, *statements: str) -> AsyncIterator[None]:
    """What the statements lock is held in one transaction, for as long as the block lasts; then it is committed."""
    engine = create_async_engine(deployment.settings.database.url)
    try:
        async with engine.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement))
            yield
    finally:
        await engine.dispose()


async def positions(deployment: Deployment) -> dict[int, int]:
    """How far each lane is decided."""
    rows = await ask(deployment.settings.database.url, "SELECT partition, next_offset FROM lanes")
    return {row.partition: row.next_offset for row in rows}


async def go_on(deployment: Deployment, lanes: set[int]) -> None:
    """Wait until these lanes have moved, while there is load."""
    before = await positions(deployment)

    async def have_moved() -> bool:
        now = await positions(deployment)
        return all(now[lane] > before[lane] for lane in lanes)

    await until(have_moved, f"lanes {lanes} go on", seconds=10)


async def check_held(deployment: Deployment, worker: WorkerProcess, rows: str, seconds: float) -> None:
    """The lane whose rows somebody holds stands still, and says so; all others go on."""
    began = time.monotonic()
    async with held(deployment, rows):
        named = await says_why(worker, WAITS, part=f"lane {LANE}")
        assert list(named) == [f"lane {LANE}"]
        stands = (await positions(deployment))[LANE]
        await go_on(deployment, set(range(PARTITIONS)) - {LANE})
        await says_no_until_then(worker, began + seconds - time.monotonic())
        assert (await positions(deployment))[LANE] == stands


@pytest.mark.slow
@pytest.mark.parametrize("rows", ["of the lane", "of its accounts"])
async def test_rows_that_an_operator_holds_stop_their_own_lane_and_no_other(
    deployment: Deployment, runtime_url: str, rows: str
) -> None:
    with deployment.worker(DATABASE__URL=runtime_url, **SHORT) as worker:
        async with faults(deployment, worker, heals_in_seconds=HEAL_SECONDS):
            await check_held(deployment, worker, ROWS[rows], seconds=7)


@pytest.mark.slow
@pytest.mark.parametrize("rows", ROWS, ids=list(ROWS))
async def test_rows_that_are_held_for_half_a_minute_are_waited_for_with_the_settings_as_they_come(
    deployment: Deployment, runtime_url: str, rows: str
) -> None:
    with deployment.worker(DATABASE__URL=runtime_url) as worker:
        async with faults(deployment, worker, heals_in_seconds=2 * HEAL_SECONDS):
            await check_held(deployment, worker, ROWS[rows], seconds=30)


@pytest.mark.parametrize(
    "migration",
    [
        "changes the types of columns",
        pytest.param("adds columns", marks=pytest.mark.slow),
        pytest.param("makes an index", marks=pytest.mark.slow),
    ],
)
async def test_a_migration_that_locks_what_the_worker_needs_costs_time_and_nothing_else(
    deployment: Deployment, runtime_url: str, migration: str
) -> None:
    with deployment.worker(DATABASE__URL=runtime_url, **SHORT) as worker:
        async with faults(deployment, worker, heals_in_seconds=3 * HEAL_SECONDS) as traffic:
            async with held(deployment, *MIGRATIONS[migration]):
                await says_why(worker, WAITS, count=PARTITIONS)
            await decided(deployment, traffic.sent.total())


@pytest.mark.slow
@pytest.mark.parametrize("waits", [0, DEADLOCK_SECONDS], ids=["a batch is ended", "the migration is ended"])
async def test_a_migration_that_locks_against_the_order_of_batches_costs_time_and_nothing_else(
    deployment: Deployment, runtime_url: str, waits: float
) -> None:
    """They wait for each other. Who looks last why he waits is ended: the migration, if the batches have looked."""
    with deployment.worker(DATABASE__URL=runtime_url, **SHORT | PATIENT) as worker:

        async def somebody_was_ended() -> bool:
            is_given = await against_the_order(deployment, waits)
            ended = [said for said in worker.said("lane_waits") if "deadlock detected" in said["cause"]]
            return bool(ended) or not is_given

        async with faults(deployment, worker, heals_in_seconds=3 * HEAL_SECONDS) as traffic:
            await until(somebody_was_ended, "they wait for each other")
            await decided(deployment, traffic.sent.total())


async def against_the_order(deployment: Deployment, waits: float) -> bool:
    """Take a table that batches need, have them wait for it, then take the one they have. False: that was refused."""
    engine = create_async_engine(deployment.settings.database.url)
    first, second = AGAINST_THE_ORDER
    try:
        async with engine.connect() as connection:  # it is undone in the end, so that it can be tried again
            await connection.execute(text(first))
            await until(partial(is_waited_for, connection, waits), "batches wait")
            await connection.execute(text(second))
    except DBAPIError as error:
        assert getattr(error.orig, "sqlstate", None) == DEADLOCK  # noqa: PT017 - it need not come
        return False
    else:
        return True
    finally:
        await engine.dispose()


async def is_waited_for(connection: AsyncConnection, seconds: float) -> bool:
    """Whether there is somebody who waits for a lock, and all who do have waited for so long."""
    return bool((await connection.execute(text(WAIT_FOR_IT), {"least": seconds})).scalar_one())
