"""What a client says to each server, and what it should hear."""

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from worker.embedded import Kafka, Postgres

LETTERS = TopicPartition("letters", 0)


async def publish(kafka: Kafka, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        if LETTERS.topic not in await admin.list_topics():
            await admin.create_topics([NewTopic(LETTERS.topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all") as producer:
        await producer.send_and_wait(LETTERS.topic, value, partition=LETTERS.partition)


async def published(kafka: Kafka) -> list[bytes]:
    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers) as consumer:
        if LETTERS.topic not in await consumer.topics():
            return []
        consumer.assign([LETTERS])
        await consumer.seek_to_beginning(LETTERS)
        end = (await consumer.end_offsets([LETTERS]))[LETTERS]
        return [(await consumer.getone()).value for _ in range(end)]


async def ask(postgres: Postgres, question: str, database: str = "billing") -> object:
    connection = await asyncpg.connect(postgres.url(database).replace("+asyncpg", ""))
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()
