from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.values import HoldReason, Rules
from worker.store import installation, rules

STRICT = Rules(strict_registry=True, approval_not_needed_for=frozenset({HoldReason.ADMINISTRATIVE}))


async def test_an_installation_has_an_id_and_no_topic_at_first(connection: AsyncConnection) -> None:
    found = await installation.read(connection)

    assert found.id.version == 4
    assert (found.commands_topic, found.partitions) == (None, None)


async def test_the_topic_is_declared_once(connection: AsyncConnection) -> None:
    first = await installation.declare(connection, "commands", 12)
    second = await installation.declare(connection, "others", 24)

    assert (first.commands_topic, first.partitions) == ("commands", 12)
    assert second == first == await installation.read(connection)


async def test_rules_hold_from_an_offset_on(connection: AsyncConnection) -> None:
    await rules.hold_from(connection, 3, 10, Rules())
    await rules.hold_from(connection, 3, 20, Rules())
    await rules.hold_from(connection, 3, 30, STRICT)

    assert [await rules.in_force(connection, 3, offset) for offset in (9, 10, 29, 30, 99)] == [
        None,
        Rules(),
        Rules(),
        STRICT,
        STRICT,
    ]
    assert await rules.read_all(connection, 3) == [(10, Rules()), (30, STRICT)]
    assert await rules.in_force(connection, 4, 99) is None


async def test_rules_are_kept_to_the_microsecond(connection: AsyncConnection) -> None:
    fine = Rules(
        suspension_notice=timedelta(days=400, microseconds=1), tombstone_after=timedelta(days=30, microseconds=2)
    )
    await rules.hold_from(connection, 3, 0, fine)

    assert await rules.in_force(connection, 3, 0) == fine
