"""Somebody adds partitions to the topic of commands: what lands there is refused, what was in order stays in order."""

import asyncio
from collections import Counter

import pytest
from aiokafka.admin import NewPartitions

from tests.faults.kafka.asking import asking
from tests.faults.kafka.trial import end, ready
from tests.system.checker import check
from tests.system.deployment import Deployment, command, ready_account
from tests.system.provision import PARTITIONS
from tests.system.settling import until
from tests.system.watched import watched
from worker.broker.topics import present_partitions
from worker.wire.partitions import partition_of

MORE = 2 * PARTITIONS
ORGANIZATIONS = [f"org-{number}" for number in range(12)]
STAYING = [name for name in ORGANIZATIONS if partition_of(name, MORE) < PARTITIONS]
MOVING = [name for name in ORGANIZATIONS if partition_of(name, MORE) >= PARTITIONS]
ROUNDS = 20


def binds(number: int) -> list[tuple[str, bytes]]:
    """One bind for every organization, of a few projects in turn."""
    id_, account = f"bind-{number}", ("main", "other")[number % 2]
    return [
        (name, command(name, "project.bind", id_, project=f"p-{number % 3}", account=account)) for name in ORGANIZATIONS
    ]


@pytest.mark.slow
async def test_commands_in_partitions_that_were_added_are_refused_and_the_others_are_not_disturbed(
    deployment: Deployment,
) -> None:
    assert STAYING
    assert MOVING
    async with watched(deployment) as seen:
        with deployment.worker() as worker:
            await ready(worker)
            for account in ("main", "other"):
                await deployment.publish_many((name, ready_account(name, account)) for name in ORGANIZATIONS)
            for number in range(ROUNDS):
                await deployment.publish_many(binds(number))
            await add_partitions(deployment)
            for number in range(ROUNDS, 2 * ROUNDS):
                await deployment.publish_many(binds(number))
                await asyncio.sleep(0.1)
            answers = await deployment.answers(60)
            await ready(worker)
            await end(worker)
        refused = [answer for answer in answers if answer["type"] == "billing.command.rejected.v1"]
        sent = Counter({f"create-{account}": len(ORGANIZATIONS) for account in ("main", "other")})
        sent += Counter({f"bind-{number}": len(ORGANIZATIONS) for number in range(2 * ROUNDS)})
        await check(deployment, sent, seen)

    assert Counter(answer["organization"] for answer in refused) == dict.fromkeys(MOVING, ROUNDS)
    for answer in refused:
        (reason,) = answer["data"]["reasons"]
        expected = partition_of(answer["organization"], PARTITIONS)
        assert (reason["code"], reason["details"]) == ("WRONG_PARTITION", {"expected": expected})


async def add_partitions(deployment: Deployment) -> None:
    topic = deployment.settings.topics.commands
    async with asking(deployment) as admin:
        await admin.create_partitions({topic: NewPartitions(MORE)})

        async def are_there() -> bool:
            return (await present_partitions(admin))[topic] == MORE

        await until(are_there, "the partitions are there")
