"""Clients that are ended while their broker is away end nobody else, and leave no connection behind."""

import asyncio
import os
from collections.abc import Awaitable, Callable

import psutil
from aiokafka import TopicPartition

from tests.faults.kafka.brokers import Broker
from tests.system.deployment import Deployment
from worker.broker import clients
from worker.broker.closing import ClientCancelled, uncancelled

TIMES = 10


async def test_a_consumer_that_is_ended_when_its_broker_has_died_does_not_cancel_who_ends_it(
    deployment: Deployment, broker: Broker
) -> None:
    async def begin() -> Callable[[], Awaitable[None]]:
        consumer = clients.consumer(deployment.settings.kafka)
        await consumer.start()
        log = TopicPartition(deployment.settings.topics.commands, 0)
        consumer.assign([log])
        await consumer.seek_to_beginning(log)
        await consumer.getmany(timeout_ms=100)
        stop: Callable[[], Awaitable[None]] = consumer.stop
        return stop

    before = _connections()
    stops = [await begin() for _ in range(TIMES)]
    await asyncio.to_thread(broker.kafka.kill)
    try:
        await asyncio.sleep(0.5)  # each of them tries to fetch again and again
        for stop in stops:
            await stop()
    finally:
        await asyncio.to_thread(broker.kafka.start)

    assert _connections() <= before


def _connections() -> int:
    """Sockets of this process that are connected."""
    return len([one for one in psutil.Process(os.getpid()).net_connections("tcp") if one.status == "ESTABLISHED"])


async def test_a_cancellation_that_nobody_asked_for_is_an_error_like_others() -> None:
    async def cancelled_by_itself() -> None:
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    async def ended_by() -> str:
        try:
            await uncancelled(cancelled_by_itself())
        except ClientCancelled:
            return "the client"
        return "nobody"

    assert await ended_by() == "the client"


async def test_a_cancellation_that_was_asked_for_stays_one() -> None:
    task = asyncio.create_task(uncancelled(asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
