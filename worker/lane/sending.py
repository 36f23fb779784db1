"""Handing records to a producer: each where its key belongs, in whole batches."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from functools import partial

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from worker.broker.delivered import forget
from worker.settings import Settings
from worker.wire.outgoing import Outgoing, Topic
from worker.wire.partitions import partition_of_key


class TopicNames:
    """Real names and partition counts of the output topics."""

    def __init__(self, settings: Settings) -> None:
        topics = settings.topics
        self.name = {topic: getattr(topics, topic.name.lower()) for topic in Topic}
        self._partitions = topics.partitions
        self._logs = {
            topic: [TopicPartition(name, partition) for partition in range(topics.partitions)]
            for topic, name in self.name.items()
        }

    def log_of(self, topic: Topic, key: bytes | None) -> TopicPartition:
        """Where a record of this key belongs. A record without a key goes to partition 0."""
        return self._logs[topic][0 if key is None else partition_of_key(key, self._partitions)]


async def send(
    producer: AIOKafkaProducer, names: TopicNames, records: Iterable[Outgoing]
) -> list["asyncio.Future[RecordMetadata]"]:
    """Hand the records over in whole batches, in order within each partition; one future a batch.

    A send for each record costs five times as much as appending to a batch.
    """
    logs: dict[TopicPartition, list[Outgoing]] = defaultdict(list)
    for record in records:
        logs[names.log_of(record.topic, record.key)].append(record)
    futures = []
    for log, outgoing in logs.items():
        batch = producer.create_batch()
        for _, key, value, headers, timestamp in outgoing:
            if batch.append(key=key, value=value, headers=list(headers), timestamp=timestamp) is None:
                futures.append(await _send_batch(producer, batch, log))
                batch = producer.create_batch()
                batch.append(key=key, value=value, headers=list(headers), timestamp=timestamp)
        futures.append(await _send_batch(producer, batch, log))
    return futures


async def _send_batch(
    producer: AIOKafkaProducer, batch: BatchBuilder, log: TopicPartition
) -> "asyncio.Future[RecordMetadata]":
    batch.close()
    try:
        sent: asyncio.Future[RecordMetadata] = await producer.send_batch(batch, log.topic, partition=log.partition)
    except UnknownTopicOrPartitionError:  # names no topic, and is raised too where no broker answers
        msg = f"Kafka says nothing of topic {log.topic}: is the topic gone, or the broker silent?"
        raise UnknownTopicOrPartitionError(msg) from None
    sent.add_done_callback(partial(_look_at, batch))
    return sent


def _look_at(batch: BatchBuilder, sent: "asyncio.Future[RecordMetadata]") -> None:
    """An error that nobody waits for any more, since another came first, is no news. What is delivered is let go."""
    if not sent.cancelled() and sent.exception() is None:
        forget(batch)
