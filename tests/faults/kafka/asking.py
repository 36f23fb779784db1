"""The brokers as an operator asks and orders them about."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.protocol.admin import DeleteGroupsRequest

from tests.system.deployment import Deployment
from tests.system.quorum import exchange
from tests.system.settling import until
from worker.broker import clients

OFFSET_DELETE = 47
NO_ERROR, NOT_EMPTY = 0, 68
_TIMESTAMP_TYPE = "message.timestamp.type"


@asynccontextmanager
async def asking(deployment: Deployment) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client of the deployment's brokers."""
    admin = clients.admin(deployment.settings.kafka)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def stamp(deployment: Deployment, whose: str) -> None:
    """Let the topic of commands take times of publishers (CreateTime), or its broker's (LogAppendTime)."""
    topic = ConfigResource(ConfigResourceType.TOPIC, deployment.settings.topics.commands)
    changed = ConfigResource(topic.resource_type, topic.name, configs={_TIMESTAMP_TYPE: whose})
    async with asking(deployment) as admin:
        await admin.alter_configs([changed])

        async def is_known() -> bool:
            """The broker answers before it acts."""
            (response,) = await admin.describe_configs([topic])
            ((_code, _message, _type, _name, entries),) = response.resources
            return any((name, value) == (_TIMESTAMP_TYPE, whose) for name, value, *_ in entries)

        await until(is_known, f"times are {whose}", 30)


async def delete_group(deployment: Deployment) -> None:
    """Once nobody is in it."""
    async with asking(deployment) as admin:

        async def is_deleted() -> bool:
            request = DeleteGroupsRequest([deployment.settings.kafka.group_id])
            answer = await admin._send_request(request)  # noqa: SLF001 - the client has no method for it
            ((_, error),) = answer.results
            assert error in {NO_ERROR, NOT_EMPTY}
            return bool(error == NO_ERROR)

        await until(is_deleted, "the group is deleted", 30)


async def delete_group_offset(deployment: Deployment, partition: int) -> None:
    """The group stays; what it knows of one partition of the commands goes, as when it expires. With one broker."""
    kafka = deployment.settings.kafka
    request = (
        struct.pack(">hhih", OFFSET_DELETE, 0, 1, -1)  # version 0, correlation 1, no client id
        + _text(kafka.group_id)
        + struct.pack(">i", 1)
        + _text(deployment.settings.topics.commands)
        + struct.pack(">ii", 1, partition)
    )
    answer = await asyncio.to_thread(exchange, kafka.bootstrap_servers, request)
    _correlation, error, _throttled = struct.unpack_from(">ihi", answer)
    assert error == NO_ERROR
    assert struct.unpack(">ih", answer[-6:]) == (partition, NO_ERROR)


def _text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()
