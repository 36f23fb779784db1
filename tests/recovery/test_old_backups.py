"""A database that is older than the topics: what was published is folded, and nothing of it is decided again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import make_url, text

from tests.recovery.lanes import on_database, take_all_over
from tests.recovery.standing import differences, rows_of
from tests.system.deployment import Deployment
from tests.system.provision import own_database
from tests.system.stacks import Addresses
from tests.system.traffic import traffic
from worker.domain.decision import Reason
from worker.domain.values import Rules
from worker.folding.stretch import Reading, Stretch
from worker.lane import catching_up
from worker.store import inbox, installation, rules
from worker.store.database import PostgresDatabase
from worker.store.engine import create_engine
from worker.store.inbox import InboxRow
from worker.wire.published import Place, PublishedResult

ORGANIZATIONS = tuple(f"org-{number}" for number in range(5))
SECONDS_MAX = 240
LANE = 1
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
OTHER_RULES = {"payment_profile_required": False, "project_registry": "strict", "suspension_notice_seconds": 5}


@asynccontextmanager
async def backup(stack: Addresses, deployment: Deployment) -> AsyncIterator[str]:
    """A copy of the deployment's database as it is now; nobody may be connected."""
    ((installation,),) = await deployment.rows("SELECT id FROM installation")
    name = make_url(deployment.settings.database.url).database
    async with own_database(stack, name, installation=str(installation)) as url:
        yield url


async def send(deployment: Deployment, seed: int, count: int) -> None:
    await deployment.publish_many(traffic(seed, ORGANIZATIONS, count))


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_an_older_database_is_brought_to_what_was_published_whatever_the_rules_are_now(
    stack: Addresses, deployment: Deployment
) -> None:
    await send(deployment, 1, 300)
    with deployment.worker():
        await deployment.answers(SECONDS_MAX)
    async with backup(stack, deployment) as older:
        with deployment.worker(LANES__TICK_SECONDS="0.5"):
            await send(deployment, 2, 600)
            await deployment.publish("org-1", b"not a command", None)
            await deployment.answers(SECONDS_MAX)
        assert differences(await rows_of(deployment.settings.database.url), await rows_of(older))

        lanes = await take_all_over(on_database(deployment, older, **OTHER_RULES))

        assert differences(await rows_of(deployment.settings.database.url), await rows_of(older)) == []
        epochs = dict(await deployment.rows("SELECT partition, epoch FROM lanes"))
        assert all(lane.epoch > epochs[lane.partition] for lane in lanes)


@asynccontextmanager
async def opened(url: str, rules_: Rules) -> AsyncIterator[PostgresDatabase]:
    """A database as a lane has it, by these rules."""
    engine = create_engine(url)
    try:
        async with engine.connect() as connection:
            declared = await installation.read(connection)
        yield PostgresDatabase(engine, declared.id, rules_)
    finally:
        await engine.dispose()


def answer(command: str, offset: int, *codes: str) -> PublishedResult:
    """What was published of a command since the backup."""
    outcome = "rejected" if codes else "accepted"
    place = Place("commands", LANE, offset, 0)
    return PublishedResult("acme", command, outcome, frozenset(codes), False, NOON, b"later", place)


async def test_an_id_that_was_used_anew_since_the_backup_is_answered_as_it_was_last(database_url: str) -> None:
    """Its time was over between backup and restore; only answers that say nothing of their id leave the earlier."""
    ids = ("used-anew", "unreadable-later", "of-the-backup")
    earlier = [
        InboxRow("acme", id_, b"hash", LANE, 0, NOON - timedelta(days=40), "accepted", b"earlier") for id_ in ids
    ]
    results = [
        answer("used-anew", 5),
        answer("unreadable-later", 6, Reason.UNKNOWN_COMMAND.value),
        answer("new", 7, Reason.UNKNOWN_COMMAND.value),
        answer("new", 8),
    ]
    reading = Reading(Stretch(LANE, 1, 9, [], {}, NOON, []), results=results)
    async with opened(database_url, Rules()) as database:
        row, *_ = await database.take_lane(LANE, first_offset=1)
        async with database.transaction() as transaction:
            await inbox.append(transaction._connection, earlier)  # noqa: SLF001 - as a batch before the backup did
            await transaction.commit()

        async with database.transaction() as transaction:
            moved = await transaction.move(row, replace(row, next_offset=9), reading.ids)
            assert moved is not None
            await catching_up._save(transaction, reading, moved)  # noqa: SLF001 - the rest needs topics
            await transaction.commit()

        async with database.transaction() as transaction:
            found = await transaction._connection.execute(  # noqa: SLF001
                text('SELECT command_id, "offset", result FROM inbox ORDER BY command_id')
            )
            kept = [(id_, offset, bytes(result)) for id_, offset, result in found]
    assert kept == [
        ("new", 8, b"later"),
        ("of-the-backup", 0, b"earlier"),
        ("unreadable-later", 0, b"earlier"),
        ("used-anew", 5, b"later"),
    ]


async def test_of_a_lane_that_only_the_topics_know_the_rules_are_supposed_from_its_beginning(
    database_url: str,
) -> None:
    """As a rebuild supposes them: where its rules begin a lane is decided anew from (`replay --scratch`)."""
    strict = Rules(strict_registry=True)
    async with opened(database_url, Rules()) as database:
        await database.take_lane(LANE, first_offset=0, published=40)
    async with opened(database_url, strict) as database:
        await database.take_lane(LANE, first_offset=0, published=40)

        async with database.transaction() as transaction:
            known = await rules.read_all(transaction._connection, LANE)  # noqa: SLF001
    assert known == [(0, Rules()), (40, strict)]
