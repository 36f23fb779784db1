"""Reading whole topics, log after log, without keeping them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from tests.system.deployment import Deployment
from worker.broker import clients
from worker.broker.topics import present_partitions


class Topics:
    """The topics of a deployment as they stand: read from their beginnings to where they end when it is opened."""

    def __init__(self, consumer: AIOKafkaConsumer, ranges: dict[TopicPartition, tuple[int, int]]) -> None:
        self._consumer = consumer
        self.starts = {log: start for log, (start, _) in ranges.items()}
        self.ends = {log: end for log, (_, end) in ranges.items()}

    def logs(self, topic: str) -> list[TopicPartition]:
        """The partitions of a topic."""
        return sorted(log for log in self.ends if log.topic == topic)

    async def read(self, topic: str) -> AsyncIterator[ConsumerRecord]:
        """Every record, each partition in its order."""
        waiting = set(self.logs(topic))
        while waiting := {log for log in waiting if await self._consumer.position(log) < self.ends[log]}:
            for log, records in (await self._consumer.getmany(*waiting, timeout_ms=100)).items():
                for record in records:
                    if record.offset < self.ends[log]:
                        yield record


async def logs_of(deployment: Deployment) -> list[TopicPartition]:
    """The partitions of all topics of a deployment, also those that somebody added."""
    admin = clients.admin(deployment.settings.kafka)
    await admin.start()
    try:
        present = await present_partitions(admin)
    finally:
        await admin.close()
    names = [name for name in deployment.settings.topics.model_dump().values() if name in present]
    return [TopicPartition(name, partition) for name in names for partition in range(present[name])]


@asynccontextmanager
async def topics_of(deployment: Deployment, isolation: clients.Isolation) -> AsyncIterator[Topics]:
    """All topics, as somebody of an isolation reads them."""
    logs = await logs_of(deployment)
    async with clients.consuming(deployment.settings.kafka, isolation=isolation) as consumer:
        consumer.assign(logs)
        starts, ends = await consumer.beginning_offsets(logs), await consumer.end_offsets(logs)
        for log in logs:
            consumer.seek(log, starts[log])
        yield Topics(consumer, {log: (starts[log], ends[log]) for log in logs})
