"""Commands published by the page's own words, and topics in which a careless subscriber sees what is not so."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import ConsumerRecord

from tests.strangers.kafka_tools import install
from tests.strangers.page import commands
from tests.strangers.programs import Shell
from tests.system.deployment import Deployment, command, ready_account
from tests.system.provision import PARTITIONS, own_database, own_deployment
from tests.system.stacks import Addresses
from worker.broker import clients

ON_THE_PAGE = "mine"
ORGANIZATIONS = (ON_THE_PAGE, "acme", "globex")
"""They live in three partitions. CRC-32 and FNV-1a put at least two of them elsewhere than murmur2 does."""
PUBLISHED = ("command_results", "account_events", "binding_events")
END = "the end of partition"


@dataclass
class Scene:
    """A deployment that was published to from several languages, and where to run more."""

    shell: Shell
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By organization and command."""
    values: dict[str, list[str]] = field(default_factory=dict)
    """What a careful subscriber sees of a topic, each once."""

    @property
    def deployment(self) -> Deployment:
        return self.shell.deployment

    async def subscribe(self, script: str, *topics: str) -> list[str]:
        """What a subscriber prints until it has seen the end of all partitions of these topics."""
        ends = len(topics) * PARTITIONS
        return await self.shell.follow(script, lambda lines: sum(END in line for line in lines) >= ends)


@asynccontextmanager
async def scene(stack: Addresses, template: str, folder: Path, publishers: Sequence[str]) -> AsyncIterator[Scene]:
    """All publishers have published, all is answered, the worker has ended, and the topics are disturbed."""
    async with own_database(stack, template) as url, own_deployment(stack, url) as deployment:
        shell = Shell.at(deployment, folder)
        install(shell.programs)
        played = Scene(shell)
        with deployment.worker() as worker:
            await asyncio.to_thread(worker.wait_ready)
            for title in publishers:
                await publish_everywhere(shell, title)
            await deployment.publish("acme", *REBOUND)
            for answer in await deployment.answers():
                played.answers[answer["subject"].removeprefix("commands/")] = answer
        for topic in PUBLISHED:
            await disturb(deployment, topic, await deployment.read(topic))
            read = [record.value.decode() for record in await deployment.read(topic)]
            played.values[topic] = list(dict.fromkeys(read))
            assert len(read) > len(played.values[topic]), "some are there twice"
        yield played


async def publish_everywhere(shell: Shell, title: str) -> None:
    """The page's command, and the same to other organizations."""
    script = commands(title).publish
    assert ON_THE_PAGE in script
    for organization in ORGANIZATIONS:
        await shell.run(script.replace(ON_THE_PAGE, organization))
        shell.deployment.sent += 1


REBOUND = [
    ready_account("acme", "amber"),
    ready_account("acme", "birch"),
    *(command("acme", "project.bind", f"b-{n}", project="web", account=("amber", "birch")[n % 2]) for n in range(4)),
]


async def disturb(deployment: Deployment, topic: str, records: list[ConsumerRecord]) -> None:
    """Write every record again as it was, then one of a transaction that comes to nothing, then the end."""
    name = getattr(deployment.settings.topics, topic)
    kafka = deployment.settings.kafka
    async with clients.producer(kafka) as producer:
        for record in records:
            await producer.send(name, record.value, record.key, record.partition, headers=list(record.headers))
    transactional_id = f"{deployment.settings.kafka.group_id}-aborted"
    async with clients.producer(kafka, transactional_id=transactional_id) as producer:
        await producer.begin_transaction()
        for partition in range(PARTITIONS):
            await producer.send_and_wait(name, marker("this came to nothing", topic, partition), b"x", partition)
        await producer.abort_transaction()
    async with clients.producer(kafka) as producer:
        for partition in range(PARTITIONS):
            await producer.send_and_wait(name, marker(END, topic, partition), b"end", partition)


def marker(says: str, topic: str, partition: int) -> bytes:
    """An event like the others, of a subject of its own."""
    subject = f"{says} {topic}/{partition}"
    sequence = {} if topic == "command_results" else {"sequence": 1}
    event = {"specversion": "1.0", "id": subject, "source": "tests", "type": "marker", "subject": subject, **sequence}
    return json.dumps(event).encode()
