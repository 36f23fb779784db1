"""Servers of the benchmark's own, and deployments on them: on 127.0.0.1, with real durability, gone at the end."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psutil
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import UnknownTopicOrPartitionError
from sqlalchemy import text

from benchmarks.show import Show
from worker.broker import clients, topics
from worker.embedded import Stack
from worker.settings import Settings
from worker.store import schema
from worker.store.engine import create_engine

TEMPLATE: Final = "migrated"
DURABLE: Final = ("fsync", "synchronous_commit", "full_page_writes")
OUTPUTS: Final = ("account_events", "binding_events", "command_results", "accounts", "payers", "horizons")
HEADERS: Final = [("content-type", b"application/cloudevents+json")]
IN_MEMORY: Final = {"tmpfs", "ramfs"}
_AT_WORK: Final = "SELECT count(*) AS workers FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'"

Command = tuple[str, bytes]
"""The organization and the command's bytes."""


class NotDurableError(Exception):
    """The database would lose what it has acknowledged: figures of such a one say nothing."""


@dataclass(frozen=True)
class Site:
    """One deployment: its settings, and the same as the environment of its processes."""

    settings: Settings
    environment: Mapping[str, str]

    def through(self, database_url: str) -> "Site":
        """The same, reaching its database at another address."""
        database = self.settings.database.model_copy(update={"url": database_url})
        environment = {**self.environment, "BILLING_DATABASE__URL": database_url}
        return replace(self, settings=self.settings.model_copy(update={"database": database}), environment=environment)


@dataclass(frozen=True)
class Backlog:
    """A topic of commands that wait, and where each of its partitions ended when they were put there."""

    topic: str
    ends: Mapping[int, int]

    @property
    def commands(self) -> int:
        """How many there are."""
        return sum(self.ends.values())


class Stage:
    """A started stack, on which any number of deployments take their turns."""

    def __init__(self, stack: Stack, admin: AIOKafkaAdminClient, show: Show) -> None:
        self.stack = stack
        self.show = show
        self._admin = admin

    @asynccontextmanager
    async def site(self, backlog: Backlog | None = None, *, partitions: int, **settings: str) -> AsyncIterator[Site]:
        """A database, topics and a group of its own; commands come from a topic of its own or from a backlog.

        Settings by their names, `BILLING_` left out. What it has is removed in the end.
        """
        name = f"bench-{uuid4().hex[:8]}"
        url = await self.stack.postgres.create_database(name, template=TEMPLATE)
        await self.say(url, "UPDATE installation SET id = gen_random_uuid()")
        site = _site(
            {
                "KAFKA__BOOTSTRAP_SERVERS": self.stack.kafka.bootstrap_servers,
                "KAFKA__GROUP_ID": name,
                "DATABASE__URL": url,
                "HTTP__PORT": "0",
                "LOG__LEVEL": "warning",
                "TOPICS__PARTITIONS": str(partitions),
                **{f"TOPICS__{topic.upper()}": f"{name}.{topic}" for topic in (*OUTPUTS, "dead_letters")},
                "TOPICS__COMMANDS": backlog.topic if backlog else f"{name}.commands",
                **settings,
            }
        )
        planned = topics.plan(site.settings)
        await topics.apply(self._admin, await topics.compare(self._admin, planned))
        await self._led(site.settings, [plan.name for plan in planned])
        try:
            yield site
        finally:
            kept = {backlog.topic} if backlog else set()
            await self._admin.delete_topics([plan.name for plan in planned if plan.name not in kept])
            await self.stack.postgres.drop_database(name)

    @asynccontextmanager
    async def backlog(self, commands: Iterable[Command], *, partitions: int) -> AsyncIterator[Backlog]:
        """Commands that wait in a topic of their own, for several deployments to read one after the other."""
        name = f"bench-{uuid4().hex[:8]}.commands"
        settings = _site(
            {
                "KAFKA__BOOTSTRAP_SERVERS": self.stack.kafka.bootstrap_servers,
                "TOPICS__COMMANDS": name,
                "TOPICS__PARTITIONS": str(partitions),
            }
        ).settings
        planned = [plan for plan in topics.plan(settings) if plan.name == name]
        await topics.apply(self._admin, await topics.compare(self._admin, planned))
        await self._led(settings, [name])
        await publish(settings, commands)
        try:
            yield Backlog(name, await ends_of(settings, name))
        finally:
            await self._admin.delete_topics([name])

    async def settle(self) -> None:
        """Have what was written before written out and vacuumed, so that a run does not pay for the one before it."""
        postgres = self.stack.postgres.url("postgres", user="postgres")
        await self.say(postgres, "CHECKPOINT")
        while (await self.ask(postgres, _AT_WORK))[0].workers:  # noqa: ASYNC110  only asking tells
            await asyncio.sleep(0.5)
        await asyncio.sleep(0.5)

    async def say(self, url: str, *statements: str) -> None:
        """Statements to a database, each by itself."""
        engine = create_engine(url, by_key=False, command_seconds_max=1_800)
        try:
            async with engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                for statement in statements:
                    await connection.execute(text(statement))
        finally:
            await engine.dispose()

    async def ask(self, url: str, statement: str) -> Sequence[Any]:
        """What a query answers."""
        engine = create_engine(url, by_key=False, command_seconds_max=1_800)
        try:
            async with engine.connect() as connection:
                return list(await connection.execute(text(statement)))
        finally:
            await engine.dispose()

    async def _led(self, settings: Settings, names: Sequence[str]) -> None:
        """Wait until every partition can be asked for its end: only then is its log open."""
        for name in names:
            async with asyncio.timeout(30):
                while True:
                    try:
                        await ends_of(settings, name)
                        break
                    except UnknownTopicOrPartitionError:
                        await asyncio.sleep(0.1)


@asynccontextmanager
async def stage(stack: Stack, show: Show) -> AsyncIterator[Stage]:
    """A stage on a started stack: the schema is there, to be copied. Raises NotDurableError."""
    settings = _site({"KAFKA__BOOTSTRAP_SERVERS": stack.kafka.bootstrap_servers}).settings
    admin = clients.admin(settings.kafka)
    await admin.start()
    try:
        made = Stage(stack, admin, show)
        url = await stack.postgres.create_database(TEMPLATE)
        await schema.upgrade(url)
        for setting in DURABLE:
            ((value,),) = await made.ask(url, f"SHOW {setting}")
            if value != "on":
                raise NotDurableError(f"PostgreSQL has {setting}={value}")
        yield made
    finally:
        await admin.close()


async def publish(settings: Settings, commands: Iterable[Command]) -> None:
    """Put commands into their topic, in the order given, acknowledged. Raises AssertionError unless all are there."""
    before = sum((await ends_of(settings, settings.topics.commands)).values())
    sent = 0
    async with clients.producer(settings.kafka) as producer:
        for organization, value in commands:
            await producer.send(settings.topics.commands, value, key=organization.encode(), headers=HEADERS)
            sent += 1
        await producer.flush()
    after = sum((await ends_of(settings, settings.topics.commands)).values())
    if after - before < sent:
        raise AssertionError(f"of {sent} commands only {after - before} are in the topic")


async def ends_of(settings: Settings, topic: str) -> dict[int, int]:
    """Where each partition of a topic ends."""
    logs = [TopicPartition(topic, partition) for partition in range(settings.topics.partitions)]
    async with clients.consuming(settings.kafka) as consumer:
        return {log.partition: end for log, end in (await consumer.end_offsets(logs)).items()}


def file_system_of(directory: Path) -> str:
    """What kind of file system a directory lies on; on one in memory, fsync costs nothing."""
    within = [part for part in psutil.disk_partitions(all=True) if directory.resolve().is_relative_to(part.mountpoint)]
    return max(within, key=lambda part: len(part.mountpoint)).fstype if within else "unknown"


def _site(values: Mapping[str, str]) -> Site:
    sections: dict[str, dict[str, str]] = {}
    for variable, value in values.items():
        section, name = variable.lower().split("__")
        sections.setdefault(section, {})[name] = value
    ours = {f"BILLING_{variable}": value for variable, value in values.items()}
    others = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")}
    return Site(Settings.model_validate(sections), others | ours)
