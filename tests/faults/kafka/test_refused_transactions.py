"""A publishing transaction of which the broker refuses a part: nothing of it may ever become visible."""

import asyncio
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from aiokafka.errors import TopicAuthorizationFailedError

from tests.faults.kafka.brokers import Broker, own_broker
from tests.faults.kafka.permissions import AUTHORIZER, write_denied
from tests.system.deployment import Deployment
from worker.lane.publisher import Handover, TransactionalPublisher
from worker.lane.sending import TopicNames
from worker.wire.outgoing import Outgoing, Topic

ROUNDS = 100


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that looks at rights."""
    with own_broker(tmp_path_factory.mktemp("broker"), AUTHORIZER) as running:
        yield running


def record(topic: Topic, value: str) -> Outgoing:
    return Outgoing(topic, b"key", value.encode(), (), int(time.time() * 1000))


def handover(number: int, value: str, *topics: Topic) -> Handover:
    """The same value for each of these topics and for the horizons."""
    return Handover([record(topic, value) for topic in topics], number, record(Topic.HORIZONS, value))


async def test_no_part_of_a_refused_transaction_is_published_by_the_one_before_it(deployment: Deployment) -> None:
    """While a transaction still ends in a log, a broker takes any record of that producer for a part of it."""
    settings, installation = deployment.settings, uuid4()
    names = TopicNames(settings)
    good = [f"good-{number}" for number in range(ROUNDS)]
    async with write_denied(deployment, "dead_letters"):
        for number, value in enumerate(good):
            publisher = TransactionalPublisher(settings, names, installation, 0)
            await publisher.start()
            await publisher.publish([handover(number, value, Topic.COMMAND_RESULTS)])
            with pytest.raises(TopicAuthorizationFailedError, match="dead_letters"):
                await publisher.publish([handover(number + 1, "bad", Topic.COMMAND_RESULTS, Topic.DEAD_LETTERS)])
            await asyncio.wait_for(publisher.stop(), 1)

    for topic in ("horizons", "command_results"):
        assert [record.value.decode() for record in await deployment.read(topic)] == good
    assert await deployment.read("dead_letters") == []
