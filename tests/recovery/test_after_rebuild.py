"""A database that was rebuilt serves whatever operators do later as the one that was lost would have."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from tests.faults.kafka.asking import asking
from tests.recovery.lanes import on_database
from tests.recovery.programs import program
from tests.system.deployment import Deployment, command, ready_account
from tests.system.provision import own_database
from tests.system.stacks import Addresses
from tests.system.traffic import traffic
from worker.store import retention
from worker.wire.partitions import partition_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ORGANIZATIONS = ("acme", "umbrella", "initech")
SECONDS_MAX = 240
SCRATCH = ("replay", "--scratch", "--compare", "--json")


@asynccontextmanager
async def rebuilt(stack: Addresses, deployment: Deployment, migrated: str) -> AsyncIterator[Deployment]:
    """The deployment beside a new database, which the command has rebuilt."""
    async with own_database(stack, migrated) as url:
        environment = deployment.environment | {"BILLING_DATABASE__URL": url}
        new = Deployment(on_database(deployment, url), environment, deployment.sent)
        await program(new, "rebuild", "--yes")
        yield new
        deployment.sent = new.sent


async def lose_beginning(deployment: Deployment, lane: int, offset: int) -> None:
    """What is before goes from the lane's log."""
    log = TopicPartition(deployment.settings.topics.commands, lane)
    async with asking(deployment) as admin:
        await admin.delete_records({log: RecordsToDelete(offset)})


async def test_all_commands_are_decided_anew_also_those_before_it_and_where_some_are_gone_that_is_said(
    stack: Addresses, deployment: Deployment, migrated: str
) -> None:
    partitions = deployment.settings.topics.partitions
    lanes = {organization: partition_of(organization, partitions) for organization in ORGANIZATIONS}
    late = lanes["acme"]
    await deployment.publish("acme", *[command("acme", "project.register", f"r-{n}", project="web") for n in range(4)])
    deployment.sent -= 4
    await lose_beginning(deployment, late, 4)  # before any worker comes: so there the lane begins
    await deployment.publish_many(traffic(7, ORGANIZATIONS, 200))
    with deployment.worker():
        await deployment.answers(SECONDS_MAX)

    async with rebuilt(stack, deployment, migrated) as new:
        with new.worker():
            await new.publish_many(traffic(8, ORGANIZATIONS, 60))
            answers = await new.answers(SECONDS_MAX)
        told = json.loads((await program(new, *SCRATCH)).stdout)
        assert (told["differences"], told["compared"] >= len(answers)) == ({}, True)

    await lose_beginning(deployment, late, 14)
    async with rebuilt(stack, deployment, migrated) as new:
        refused = await program(new, *SCRATCH, exits=1)
        assert f"Lane {late} began at offset 4, but its log starts at 14" in refused.stderr


async def test_an_id_that_was_used_anew_when_its_time_was_over_has_its_later_answer(
    stack: Addresses, deployment: Deployment, migrated: str
) -> None:
    """The topic of results remembers both."""
    first = [command("acme", "project.register", f"id-{n}", project=f"p-{n}") for n in range(6)]
    unknown = command("acme", "project.abandon", "id-5", project="p-5")
    again = [command("acme", "project.register", "id-0", project="other"), *first[1:3], unknown]
    with deployment.worker():
        await deployment.publish("acme", ready_account("acme", "main"), *first)
        await deployment.answers(SECONDS_MAX)
        async with deployment.engine() as engine, engine.begin() as connection:
            assert await retention.forget_ids(connection, timedelta(0), most=100) == 1 + len(first)
        await deployment.publish("acme", *again)
        answers = await deployment.answers(SECONDS_MAX)
    assert not any(answer["data"]["duplicate"] for answer in answers)
    used = 'SELECT command_id, lane, "offset", at, content_hash, outcome, result FROM inbox ORDER BY 1'
    true = {row.command_id: tuple(row) for row in await deployment.rows(used)}
    assert true.keys() == {"id-0", "id-1", "id-2", "id-5"}
    await program(deployment, "verify", "--topics")

    async with rebuilt(stack, deployment, migrated) as new:
        found = {row.command_id: tuple(row) for row in await new.rows(used)}
        assert found.keys() == {"create-main", *(f"id-{n}" for n in range(6))}
        # of a command of unknown type no answer tells whether its id was used up: the earlier answer is kept a while
        assert {id_: found[id_] for id_ in true if id_ != "id-5"} == {id_: true[id_] for id_ in true if id_ != "id-5"}
        await program(new, "verify", "--topics")
        with new.worker():
            await new.publish("acme", again[0], first[0])
            answers = await new.answers(SECONDS_MAX)
        twice, reused = [answer["data"] for answer in answers if answer["data"]["command"] == "id-0"][-2:]
        assert twice["duplicate"] is True
        assert [reason["code"] for reason in reused["reasons"]] == ["COMMAND_ID_REUSED"]
