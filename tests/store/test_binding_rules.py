"""What the database refuses by itself, whatever a program believes. Times are hours of one day."""
# ruff: noqa: S608  the statements are literals of this file

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.store.errors import violated_rule

DAY = "2026-01-01"


def at(hour: int | None) -> str:
    return "'infinity'" if hour is None else f"'{DAY} {hour:02}:00Z'"


def binding(
    since: int,
    until: int | None = None,
    ended: str = "open",
    after: tuple[int, str] | None = None,
    project: str = "site",
    organization: str = "acme",
) -> str:
    before = f"{at(after[0])}, '{after[1]}'" if after else "NULL, NULL"
    return (
        "INSERT INTO bindings (organization, project, since, until, ended, prev_until, prev_ended,"
        f" binding, account, currency) VALUES ('{organization}', '{project}', {at(since)}, {at(until)}, '{ended}',"
        f" {before}, gen_random_uuid(), 'main', 'EUR')"
    )


def close(since: int, until: int, ended: str) -> str:
    return f"UPDATE bindings SET until = {at(until)}, ended = '{ended}' WHERE project = 'site' AND since = {at(since)}"


RELEASED = [binding(1), close(1, 3, "released")]
SUPERSEDED = [binding(1), close(1, 3, "superseded"), binding(3, after=(3, "superseded"))]
DELETED = [binding(1), close(1, 3, "deleted")]

ACCEPTED = {
    "a first binding": [binding(1)],
    "a first binding that is over": [binding(1, 2, "released")],
    "two projects at one instant": [binding(1), binding(1, project="shop")],
    "the same project of two organizations": [binding(1), binding(1, organization="umbrella")],
    "a project that is released": RELEASED,
    "a project that is deleted": DELETED,
    "a successor from the same instant": SUPERSEDED,
    "a successor of a successor": [*SUPERSEDED, close(3, 5, "superseded"), binding(5, after=(5, "superseded"))],
    "a binding after a gap": [*RELEASED, binding(5, after=(3, "released"))],
    "a gap after a gap": [
        *RELEASED,
        binding(5, after=(3, "released")),
        close(5, 6, "released"),
        binding(7, after=(6, "released")),
    ],
    "a history that is added at once": [
        binding(1, 2, "superseded") + f", ('acme', 'site', {at(2)}, 'infinity', 'open', {at(2)}, 'superseded',"
        " gen_random_uuid(), 'other', 'EUR')"
    ],
    "a move of many in one statement": [
        binding(1),
        binding(1, project="shop"),
        f"""
        WITH closed AS (
            UPDATE bindings SET until = {at(4)}, ended = 'superseded' WHERE ended = 'open' AND account = 'main'
            RETURNING organization, project, until, ended
        )
        INSERT INTO bindings
            (organization, project, since, prev_until, prev_ended, binding, account, currency)
        SELECT organization, project, until, until, ended, gen_random_uuid(), 'other', 'EUR' FROM closed
        """,
    ],
}

REFUSED = {
    "a second open binding": ([binding(1), binding(2)], "one_open_binding_per_project"),
    "a second open binding after the first": (
        [*SUPERSEDED, binding(5, after=(3, "superseded"))],
        "a_gap_is_declared",
    ),
    "a second open binding that follows the same one": (
        [*RELEASED, binding(5, after=(3, "released")), binding(6, after=(3, "released"))],
        "one_open_binding_per_project",
    ),
    "two bindings from one instant": ([binding(1), binding(1, 2, "released")], "one_binding_begins_at_an_instant"),
    "an overlap before": ([*RELEASED, binding(2, 4, "released")], "one_binding_follows_another"),
    "an overlap within": ([binding(1, 9, "released"), binding(2, 3, "released")], "one_binding_follows_another"),
    "an overlap with what is followed": (
        [*RELEASED, binding(2, 8, "released", after=(3, "released"))],
        "a_gap_is_declared",
    ),
    "an overlap of two that follow the same one": (
        [*RELEASED, binding(4, 6, "released", after=(3, "released")), binding(5, 7, "released", after=(3, "released"))],
        "one_binding_follows_another",
    ),
    "a binding before the first": ([binding(5), binding(1, 2, "released")], "one_binding_follows_another"),
    "a gap that nobody declared": (
        [binding(1), close(1, 3, "superseded"), binding(4, after=(3, "superseded"))],
        "a_gap_is_declared",
    ),
    "a declared gap that is none": ([*RELEASED, binding(3, after=(3, "released"))], "a_gap_is_declared"),
    "a binding that follows nothing": ([binding(5, after=(3, "released"))], "a_binding_follows_a_closed_one"),
    "a binding that follows another end": (
        [*RELEASED, binding(3, after=(3, "superseded"))],
        "a_binding_follows_a_closed_one",
    ),
    "a binding that forgets who paid before": ([*RELEASED, binding(5)], "one_binding_follows_another"),
    "a binding that follows another organization's": (
        [*RELEASED, binding(5, after=(3, "released"), organization="umbrella")],
        "a_binding_follows_a_closed_one",
    ),
    "a binding that follows another project's": (
        [*RELEASED, binding(5, after=(3, "released"), project="shop")],
        "a_binding_follows_a_closed_one",
    ),
    "a binding after a deletion": ([*DELETED, binding(5, after=(3, "deleted"))], "a_gap_is_declared"),
    "a binding after an open one": ([binding(1), binding(5, 6, "released", (9, "open"))], "a_gap_is_declared"),
    "half a predecessor": ([binding(5).replace("NULL, NULL", f"{at(3)}, NULL")], "a_predecessor_is_whole"),
    "a missing heir": ([binding(1), close(1, 3, "superseded")], "who_supersedes_begins_at_that_instant"),
    "a late heir": (
        [binding(1), close(1, 3, "superseded"), binding(4, after=(3, "released"))],
        "a_binding_follows_a_closed_one",
    ),
    "an heir in another project": (
        [binding(1), close(1, 3, "superseded"), binding(3, project="shop")],
        "who_supersedes_begins_at_that_instant",
    ),
    "an heir in another organization": (
        [binding(1), close(1, 3, "superseded"), binding(3, organization="umbrella")],
        "who_supersedes_begins_at_that_instant",
    ),
    "an empty interval": ([binding(1), close(1, 1, "released")], "an_interval_is_not_empty"),
    "an interval that ends before it begins": ([binding(3), close(3, 1, "released")], "an_interval_is_not_empty"),
    "an unknown end": ([binding(1), close(1, 3, "lost")], "an_end_is_known"),
    "an open binding that ends": ([binding(1, 3)], "an_open_binding_has_no_end"),
    "a closed binding without end": ([binding(1, None, "released")], "an_open_binding_has_no_end"),
    "a second close": ([*RELEASED, close(1, 4, "released")], "a_binding_is_closed_once"),
    "a second close with the same end": ([*RELEASED, close(1, 3, "released")], "a_binding_is_closed_once"),
    "opening again": (
        [*RELEASED, "UPDATE bindings SET until = 'infinity', ended = 'open'"],
        "a_binding_is_closed_once",
    ),
    "another account afterwards": ([binding(1), "UPDATE bindings SET account = 'other'"], "a_binding_is_closed_once"),
    "another account in closing": (
        [binding(1), close(1, 3, "released").replace("SET", "SET account = 'other',")],
        "a_binding_is_closed_once",
    ),
    "another beginning": ([binding(1), f"UPDATE bindings SET since = {at(0)}"], "a_binding_is_closed_once"),
    "another currency": ([*RELEASED, "UPDATE bindings SET currency = 'USD'"], "a_binding_is_closed_once"),
    "another predecessor": (
        [
            *RELEASED,
            binding(5, after=(3, "released")),
            f"UPDATE bindings SET prev_until = {at(4)} WHERE ended = 'open'",
        ],
        "a_binding_is_closed_once",
    ),
    "deletion of what was superseded": (
        [*SUPERSEDED, f"DELETE FROM bindings WHERE since = {at(1)}"],
        "a_binding_follows_a_closed_one",
    ),
    "deletion of what superseded": (
        [*SUPERSEDED, f"DELETE FROM bindings WHERE since = {at(3)}"],
        "who_supersedes_begins_at_that_instant",
    ),
    "deletion of what was released": (
        [*RELEASED, binding(5, after=(3, "released")), f"DELETE FROM bindings WHERE since = {at(1)}"],
        "a_binding_follows_a_closed_one",
    ),
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


async def test_of_twenty_who_bind_a_project_at_once_one_wins(engine: AsyncEngine) -> None:
    async def bind(hour: int) -> bool:
        try:
            async with engine.begin() as connection:
                await connection.execute(text(binding(hour)))
        except DBAPIError as error:
            assert violated_rule(error) in {"one_open_binding_per_project", "one_binding_follows_another"}  # noqa: PT017
            return False
        return True

    assert sum(await asyncio.gather(*(bind(hour) for hour in range(20)))) == 1
