"""The same log gives the same bytes, wherever batches are cut and however often the worker was replaced."""

import json
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import text

from tests.system.checker import check
from tests.system.deployment import Deployment
from tests.system.provision import own_database, settings_of
from tests.system.settling import until
from tests.system.stacks import Addresses
from tests.system.traffic import traffic
from worker.broker import clients, topics

ORGANIZATIONS = tuple(f"org-{number}" for number in range(40))
COMMANDS = 4_000
SHARED = {"BILLING_TOPICS__COMMANDS", "BILLING_TOPICS__PARTITIONS"}
RULES = {"RULES__SUSPENSION_NOTICE_SECONDS": "0", "RULES__TOMBSTONE_AFTER_SECONDS": "2"}


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_same_log_gives_the_same_journal_however_batches_are_cut(
    deployment: Deployment, stack: Addresses, migrated: str, seed: int
) -> None:
    commands = list(traffic(seed, ORGANIZATIONS, COMMANDS))
    await deployment.publish_many(commands)
    with deployment.worker(**RULES):
        await deployment.answers(seconds=100)
    await check(deployment, _sent(commands))

    async with own_database(stack, migrated) as database_url:
        twin = await _twin(deployment, database_url)
        with twin.worker(LANES__BATCH_RECORDS_MAX="7", **RULES):
            await until(lambda: _has_caught_up(twin, deployment), "the twin has read the same log", seconds=100)
        ours, theirs = await _journal(deployment, twin), await _journal(twin, deployment)

    assert len(ours) > COMMANDS
    assert ours == theirs


def _sent(commands: list[tuple[str, bytes]]) -> Counter[str]:
    return Counter(json.loads(value)["id"] for _, value in commands)


async def _twin(deployment: Deployment, database_url: str) -> Deployment:
    """The same commands and the same installation, with a database and output topics of its own."""
    environment = deployment.environment | {"BILLING_DATABASE__URL": database_url}
    environment["BILLING_KAFKA__GROUP_ID"] += "-twin"
    for name in (
        "ACCOUNT_EVENTS",
        "BINDING_EVENTS",
        "COMMAND_RESULTS",
        "ACCOUNTS",
        "PAYERS",
        "HORIZONS",
        "DEAD_LETTERS",
    ):
        environment[f"BILLING_TOPICS__{name}"] += ".twin"
    settings = settings_of(environment)
    admin = clients.admin(settings.kafka)
    await admin.start()
    await topics.apply(admin, await topics.compare(admin, topics.plan(settings)))
    await admin.close()
    twin = Deployment(settings, environment)
    ((installation,),) = await deployment.rows("SELECT id FROM installation")
    async with twin.engine() as engine, engine.begin() as connection:
        await connection.execute(text("UPDATE installation SET id = :id"), {"id": installation})
    return twin


async def _has_caught_up(twin: Deployment, deployment: Deployment) -> bool:
    positions = "SELECT partition, next_offset FROM lanes"
    ours = dict(tuple(row) for row in await deployment.rows(positions))
    theirs = dict(tuple(row) for row in await twin.rows(positions))
    return theirs.keys() == ours.keys() and all(theirs[lane] >= offset for lane, offset in ours.items())


async def _journal(deployment: Deployment, other: Deployment) -> list[tuple[Any, ...]]:
    """Everything that goes out for the commands that both have decided."""
    reached = {row[0]: row[1] for row in await deployment.rows("SELECT partition, next_offset FROM lanes")}
    for lane, offset in await other.rows("SELECT partition, next_offset FROM lanes"):
        reached[lane] = min(reached[lane], offset)
    rows = await deployment.rows('SELECT lane, "offset", index, topic, key, value FROM journal ORDER BY 1, 2, 3')
    return [tuple(row) for row in rows if row[1] < reached[row[0]]]
