"""Publish one command: python publish.py ORGANIZATION ID TYPE DATA."""

import asyncio
import os
import sys

from aiokafka import AIOKafkaProducer

SERVERS = os.environ.get("BILLING_KAFKA__BOOTSTRAP_SERVERS", "localhost:9092")
TOPIC = os.environ.get("BILLING_TOPICS__COMMANDS", "billing.commands")


async def publish(organization: str, id_: str, type_: str, data: str) -> None:
    """Send it, and wait until every replica in sync has it."""
    attributes = {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": id_,  # when in doubt whether it was sent, send it again with the same id: nothing happens twice
        "ce_source": "/examples/python",
        "ce_type": type_,
        "ce_organization": organization,
        "ce_actor": "service:example",
    }
    headers = [(name, value.encode()) for name, value in attributes.items()]
    async with AIOKafkaProducer(bootstrap_servers=SERVERS, acks="all", enable_idempotence=True) as producer:
        record = await producer.send_and_wait(TOPIC, data.encode(), key=organization.encode(), headers=headers)
    print(f"{id_} is in partition {record.partition} at offset {record.offset}")


if __name__ == "__main__":
    asyncio.run(publish(*sys.argv[1:]))
