"""A command topic that is deleted and made anew under running workers: refused, never guessed.

What a worker does that starts after it: tests/lane/test_take_over.py.
"""

import pytest
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError

from tests.faults.kafka.asking import asking
from tests.faults.kafka.lanes import ORGANIZATIONS, binds, publish_to_all
from tests.faults.kafka.trial import is_live, ready, says_why
from tests.system.deployment import Deployment, ready_account
from tests.system.provision import PARTITIONS
from tests.system.settling import until
from worker.broker import clients

ANEW = {"message.timestamp.type": "LogAppendTime"}
BEFORE = 21
"""What every lane has decided before."""


@pytest.mark.parametrize(
    ("fresh", "why"),
    [
        pytest.param(0, "before the position", marks=pytest.mark.slow),
        pytest.param(5, "before the position", marks=pytest.mark.slow),
        pytest.param(100, "holds another record than the one that was read", id="grown-past-it"),
    ],
)
async def test_a_running_worker_stops_its_lanes_when_the_command_topic_is_made_anew(
    deployment: Deployment, fresh: int, why: str
) -> None:
    with deployment.worker() as worker:
        await ready(worker)
        await publish_to_all(deployment, 0, BEFORE - 1)
        await deployment.answers()
        await make_commands_anew(deployment, fresh)

        causes = await says_why(worker, why, lanes=PARTITIONS)
        assert worker.process.poll() is None
        answered = len(await deployment.messages("command_results"))

    assert all(cause.startswith("stopped: ") for cause in causes.values()), causes
    assert answered == BEFORE * PARTITIONS
    stopped = await deployment.rows("SELECT stopped FROM lanes ORDER BY partition")
    assert [f"stopped: {reason}" for (reason,) in stopped] == [cause for _, cause in sorted(causes.items())]


async def test_a_worker_whose_command_topic_is_deleted_says_so(deployment: Deployment) -> None:
    with deployment.worker() as worker:
        await ready(worker)
        async with asking(deployment) as admin:
            await admin.delete_topics([deployment.settings.topics.commands])
        causes = await says_why(worker, "is gone")
        assert is_live(worker)

    assert list(causes) == ["topics"]


async def make_commands_anew(deployment: Deployment, fresh: int) -> None:
    """Delete the topic, make it again, and fill it at once: as many records for every lane."""
    topic = deployment.settings.topics.commands
    async with asking(deployment) as admin, clients.producer(deployment.settings.kafka) as producer:
        await admin.delete_topics([topic])

        async def is_made() -> bool:
            answer = await admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs=ANEW)])
            return bool(answer.topic_errors[0][1] == 0)

        await until(is_made, "the topic is made anew")
        for lane, organization in enumerate(ORGANIZATIONS):
            values = [ready_account(organization, "main"), *binds(organization, 1_000, 1_000 + fresh)][:fresh]
            batch = producer.create_batch()
            for value in values:
                batch.append(key=organization.encode(), value=value, timestamp=None)
            batch.close()

            async def is_taken() -> bool:
                try:
                    await (await producer.send_batch(batch, topic, partition=lane))  # noqa: B023 - at once
                except KafkaError:
                    return False
                return True

            if values:
                await until(is_taken, f"partition {lane} is filled")
