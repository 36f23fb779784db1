"""Publishers with transactions of their own: one left open holds its log, an aborted one never was."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from tests.faults.kafka.lanes import ORGANIZATIONS, are_answered, binds, ids_of
from tests.faults.kafka.trial import end, ready, says_why
from tests.system.checker import check
from tests.system.deployment import HEADERS, Deployment, ready_account
from tests.system.provision import PARTITIONS
from tests.system.settling import until
from tests.system.watched import watched
from worker.broker import clients


@asynccontextmanager
async def transaction(deployment: Deployment, *values: bytes) -> AsyncIterator[AIOKafkaProducer]:
    """A publisher's transaction, open, with these commands of the first organization in it."""
    async with clients.producer(deployment.settings.kafka, transactional_id=f"publisher-{uuid4().hex}") as producer:
        await producer.begin_transaction()
        for value in values:
            await producer.send_and_wait(
                deployment.settings.topics.commands, value, ORGANIZATIONS[0].encode(), headers=HEADERS
            )
        yield producer


async def test_an_open_transaction_holds_its_lane_alone_and_readiness_says_so_until_it_is_committed(
    deployment: Deployment,
) -> None:
    held, *others = ORGANIZATIONS
    with deployment.worker(LANES__TICK_SECONDS="1") as worker:
        await ready(worker)
        async with watched(deployment) as seen:
            async with transaction(deployment, ready_account(held, "main")) as producer:
                for organization in others:
                    await deployment.publish(organization, ready_account(organization, "main"))
                for organization in ORGANIZATIONS:
                    await deployment.publish(organization, *binds(organization, 0, 20))
                await until(lambda: are_answered(deployment, others, 21), "the other lanes go on", 30)
                causes = await says_why(worker, "a publisher's open transaction holds its log")
                assert not await are_answered(deployment, [held], 1)
                await producer.commit_transaction()
            deployment.sent += 1
            await deployment.answers(30)
            await ready(worker, seconds=30)
            await end(worker)
            await check(deployment, ids_of(range(20), PARTITIONS), seen)

    assert list(causes) == ["lane 0"]


async def test_commands_of_an_aborted_transaction_are_never_carried_out(deployment: Deployment) -> None:
    organization = ORGANIZATIONS[0]
    with deployment.worker(LANES__TICK_SECONDS="1") as worker:
        await ready(worker)
        async with watched(deployment) as seen:
            await deployment.publish(organization, ready_account(organization, "main"), *binds(organization, 0, 5))
            for first in (100, 200, 300):
                async with transaction(deployment, *binds(organization, first, first + 50)) as producer:
                    await deployment.publish(organization, *binds(organization, first // 20, first // 20 + 5))
                    await producer.abort_transaction()
            await deployment.answers(30)
            await end(worker)
            await check(deployment, ids_of(range(20), 1), seen)
            answered = Counter(answer["data"]["command"] for answer in await deployment.messages("command_results"))

    assert answered["bind-100"] == 0
    assert answered.total() == 21


@pytest.mark.slow
async def test_a_worker_that_starts_behind_an_open_transaction_reads_none_of_it_and_all_of_the_rest(
    deployment: Deployment,
) -> None:
    organization = ORGANIZATIONS[0]
    await deployment.publish(organization, ready_account(organization, "main"), *binds(organization, 0, 5))
    with deployment.worker(LANES__TICK_SECONDS="1"):
        await deployment.answers(30)
    async with transaction(deployment, *binds(organization, 100, 150)) as producer:
        await deployment.publish(organization, *binds(organization, 5, 10))
        with deployment.worker(LANES__TICK_SECONDS="1") as worker:
            await says_why(worker, "a publisher's open transaction holds its log")
        with deployment.worker(LANES__TICK_SECONDS="1"):
            await producer.abort_transaction()
            await deployment.answers(30)

    await check(deployment, ids_of(range(10), 1))
