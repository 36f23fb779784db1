"""However large the tables, and however small they were when a plan was made: a batch never reads a table through."""
# ruff: noqa: SLF001, S608  the statements themselves are what is looked at

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import URL, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.store.conftest import say_to_server
from worker.store import accounts, due, holds, inbox, lanes, paid, phases, projects, queries
from worker.store.engine import create_engine
from worker.store.journal import _select

ROWS = 100_000
FILL = [
    """
    INSERT INTO accounts (organization, account, sequence, phase, phase_since, currency, net_days, invoice_day_of_month,
        invoice_frequency, labels, holds_active, scheduled, created_at, active_bindings, lane, due_at)
    SELECT 'org-' || n % 100, 'account-' || n, 1, 'Provisioning', now(), 'EUR', 30, 1,
        'Monthly', '{}', 0, '[]', now(), 0, n % 12, CASE WHEN n % 10 = 0 THEN now() END
    FROM generate_series(1, :rows) AS n
    """,
    """
    INSERT INTO projects (organization, project, lane, sequence, registered_at, locked, at_risk, tombstoned)
    SELECT 'org-' || n % 100, 'project-' || n, n % 12, 1, now(), false, false, false
    FROM generate_series(1, :rows) AS n
    """,
    """
    INSERT INTO bindings (organization, project, since, binding, account, currency)
    SELECT 'org-' || n % 100, 'project-' || n, now(), gen_random_uuid(), 'account-' || n % 1000, 'EUR'
    FROM generate_series(1, :rows) AS n
    """,
    """
    INSERT INTO phases
    SELECT 'org-' || n % 100, 'account-' || n, 2, now(), 'Provisioning', 'CREATED' FROM generate_series(1, :rows) AS n
    """,
    """
    INSERT INTO inbox
    SELECT 'org-' || n % 100, 'command-' || n, '\\x00', 0, n, now(), 'accepted', '\\x00'
    FROM generate_series(1, :rows) AS n
    """,
    "SELECT ensure_journal_pieces(0, 0, :rows + 1)",
    """
    INSERT INTO journal SELECT 0, n, 0, now(), 'accounts', '\\x00', '\\x00', NULL FROM generate_series(1, :rows) AS n
    """,
]
STATEMENTS: dict[str, TextClause] = {
    "move the lane": lanes._MOVE,
    "load projects": projects._LOAD,
    "save projects": projects._SAVE,
    "load accounts": accounts._LOAD,
    "change accounts": accounts._CHANGE,
    "load what an account pays for": paid._FIRST,
    "load what is due": due._DUE,
    "load whom notices are owed": due._NOTICES,
    "ask when something is due": due._NEXT,
    "release holds": holds._LIFT,
    "load the inbox": inbox._LOAD,
    "read the journal": _select(0),
    "ask for a payer": queries._PAYER,
    "ask for projects": queries._OPEN,
    "ask for projects at an instant": queries._AT,
    "ask for a history": queries._HISTORY,
    "ask for phases": phases._READ,
    "ask for past holds": queries._PAST_HOLDS,
}
LOOKED_UP_BY_KEYS = {
    "one_binding_begins_at_an_instant": "since = :since",
    "one_open_binding_per_project": "until = :until AND ended = :ended",
    "one_binding_follows_another": "prev_until = :until AND prev_ended = :ended",
}
CHECKS = {
    index: text(
        "SELECT 1 FROM ONLY bindings AS x"
        f" WHERE organization = :organization AND project = :project AND {condition} FOR KEY SHARE OF x"
    )
    for index, condition in LOOKED_UP_BY_KEYS.items()
}
NO_TABLE = {"Function Scan", "CTE Scan", "Subquery Scan", "Values Scan"}


@pytest.fixture(scope="module")
async def ages(server: URL, template: str) -> AsyncIterator[dict[str, dict[str, dict[str, Any]]]]:
    """The generic plan of every statement while the tables are empty, then filled, then analyzed."""
    name = f"store_plans_{uuid4().hex}"
    await say_to_server(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    engine = create_engine(server.set(database=name).render_as_string(hide_password=False))
    try:
        async with engine.connect() as connection:
            await fill(connection, 0)
            empty = await plans_of(connection)
            await fill(connection, ROWS)
            filled = await plans_of(connection)
            await connection.execute(text("ANALYZE"))
            yield {"empty": empty, "filled": filled, "analyzed": await plans_of(connection)}
    finally:
        await engine.dispose()
        await say_to_server(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["empty", "filled", "analyzed"])
def plans(request: pytest.FixtureRequest, ages: dict[str, dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    return ages[request.param]


async def fill(connection: AsyncConnection, rows: int) -> None:
    for statement in FILL:
        await connection.execute(text(statement), {"rows": rows})


async def plans_of(connection: AsyncConnection) -> dict[str, dict[str, Any]]:
    return {name: await plan_of(connection, statement) for name, statement in (STATEMENTS | CHECKS).items()}


async def plan_of(connection: AsyncConnection, statement: TextClause) -> dict[str, Any]:
    driver: Any = (await connection.get_raw_connection()).driver_connection
    sql = str(statement.compile(dialect=connection.dialect))
    nulls = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", sql))))
    await driver.execute(f"PREPARE asked AS {sql}")
    written = await driver.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked ({nulls})")
    await driver.execute("DEALLOCATE asked")
    found: dict[str, Any] = written[0]["Plan"]
    return found


def scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Every node that reads a table or an index."""
    here = [plan] if plan["Node Type"].endswith("Scan") and plan["Node Type"] not in NO_TABLE else []
    return here + [scan for inner in plan.get("Plans", []) for scan in scans(inner)]


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_row_is_found_by_key(plans: dict[str, dict[str, Any]], name: str) -> None:
    found = scans(plans[name])

    assert found
    assert [scan for scan in found if "Index Cond" not in scan and "TID Cond" not in scan] == []


@pytest.mark.parametrize("index", CHECKS)
def test_foreign_keys_are_checked_by_the_whole_key(plans: dict[str, dict[str, Any]], index: str) -> None:
    """PostgreSQL asks like this for every row; by the project alone, a long history would be read each time."""
    assert [scan["Index Name"] for scan in scans(plans[index])] == [index]
