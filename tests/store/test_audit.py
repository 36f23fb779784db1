import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.store import audit
from worker.store.errors import violated_rule


async def test_acts_are_kept_in_the_order_in_which_they_were_done(connection: AsyncConnection) -> None:
    first = await audit.record(connection, "ada", "republish", {"from": 3}, {"records": 7})
    second = await audit.record(connection, "grace", "dead-letters discard", {"reason": "spam"}, {})

    kept = await audit.latest(connection, 2)

    assert [act.id for act in kept] == [second, first]
    assert [(act.who, act.command, act.arguments, act.outcome) for act in kept] == [
        ("grace", "dead-letters discard", {"reason": "spam"}, {}),
        ("ada", "republish", {"from": 3}, {"records": 7}),
    ]


async def test_what_was_done_is_not_rewritten(connection: AsyncConnection) -> None:
    await audit.record(connection, "ada", "republish", {}, {})

    with pytest.raises(IntegrityError) as refused:
        await connection.execute(text("UPDATE audit SET who = 'mallory'"))

    assert violated_rule(refused.value) == "an_act_is_recorded_once"
