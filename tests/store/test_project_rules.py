"""What the database refuses of projects by itself, whatever a program believes."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.store.errors import violated_rule

PROJECT = """
INSERT INTO projects (organization, project, lane, sequence, registered_at, locked, at_risk, tombstoned)
VALUES ('acme', 'site', 3, 1, '2026-01-01Z', false, false, false)
"""
BOUND = """
INSERT INTO bindings (organization, project, since, binding, account, currency)
VALUES ('acme', 'site', '2026-01-02Z', gen_random_uuid(), 'main', 'EUR')
"""
RELEASED = "UPDATE bindings SET until = '2026-01-03Z', ended = 'deleted'"


def change(values: str) -> str:
    return f"UPDATE projects SET {values}"  # noqa: S608  a literal of this file


DELETED = change("sequence = 2, deleted_at = '2026-01-03Z', due_at = '2026-02-02Z'")
BORN_DELETED = PROJECT.replace("tombstoned)", "tombstoned, deleted_at)").replace("false)", "false, '2026-01-01Z')")
TOMBSTONE = change("tombstoned = true, due_at = NULL")

ACCEPTED = {
    "a project": [PROJECT],
    "a project that somebody pays for": [PROJECT, BOUND],
    "a project at risk and locked": [PROJECT, BOUND, change("at_risk = true, locked = true")],
    "a deleted project": [PROJECT, DELETED],
    "a project that is known as deleted only": [BORN_DELETED],
    "a deleted project that was bound": [PROJECT, BOUND, RELEASED, DELETED],
    "a tombstone": [PROJECT, DELETED, TOMBSTONE],
}
REFUSED = {
    "a project registered twice": ([PROJECT, PROJECT], "a_project_id_is_used_once"),
    "a lane below the first": ([PROJECT, change("lane = -1")], "a_lane_is_not_negative"),
    "a number zero": ([PROJECT, change("sequence = 0")], "a_sequence_is_positive"),
    "an id in capitals": ([PROJECT.replace("'site'", "'Site'")], "project_is_a_dns_label"),
    "a deletion before the registration": (
        [PROJECT, DELETED.replace("01-03", "01-01").replace("2026", "2025")],
        "a_project_is_deleted_after_it_was_registered",
    ),
    "a locked deleted project": ([PROJECT, DELETED + ", locked = true"], "a_lock_ends_with_the_project"),
    "a deleted project at risk": ([PROJECT, DELETED + ", at_risk = true"], "a_risk_ends_with_the_project"),
    "a tombstone of the living": ([PROJECT, change("tombstoned = true")], "only_a_deleted_project_has_a_tombstone"),
    "a tombstone due for the living": (
        [PROJECT, change("due_at = now()")],
        "a_tombstone_is_due_once_after_the_deletion",
    ),
    "a tombstone due before the deletion": (
        [PROJECT, DELETED, change("due_at = '2026-01-02Z'")],
        "a_tombstone_is_due_once_after_the_deletion",
    ),
    "a tombstone due again": (
        [PROJECT, DELETED, change("tombstoned = true")],
        "a_tombstone_is_due_once_after_the_deletion",
    ),
    "a tombstone taken back": (
        [PROJECT, DELETED, TOMBSTONE, change("tombstoned = false")],
        "a_deleted_project_stays_as_it_is",
    ),
    "a deletion taken back": (
        [PROJECT, DELETED, change("deleted_at = NULL, due_at = NULL")],
        "a_deleted_project_stays_as_it_is",
    ),
    "something that happens to a deleted project": (
        [PROJECT, DELETED, change("sequence = 3")],
        "a_deleted_project_stays_as_it_is",
    ),
    "a deletion while somebody pays": ([PROJECT, BOUND, DELETED], "nobody_pays_for_a_deleted_project"),
    "a project known as deleted while somebody pays": ([BOUND, BORN_DELETED], "nobody_pays_for_a_deleted_project"),
}


async def run(connection: AsyncConnection, statements: list[str]) -> None:
    for statement in statements:
        await connection.execute(text(statement))
    await connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


@pytest.mark.parametrize("statements", ACCEPTED.values(), ids=ACCEPTED.keys())
async def test_the_database_takes(connection: AsyncConnection, statements: list[str]) -> None:
    await run(connection, statements)


@pytest.mark.parametrize(("statements", "rule"), REFUSED.values(), ids=REFUSED.keys())
async def test_the_database_refuses(connection: AsyncConnection, statements: list[str], rule: str) -> None:
    with pytest.raises(DBAPIError) as refused:
        await run(connection, statements)

    assert violated_rule(refused.value) == rule
