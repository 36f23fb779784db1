"""The parts of a worker inside the test's own process, on real servers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from tests.system.deployment import Deployment
from tests.system.settling import until
from worker.lane.kafka import KafkaTopics
from worker.lane.parts import Parts
from worker.lane.sending import TopicNames
from worker.store import installation
from worker.store.database import PostgresDatabase
from worker.store.engine import create_engine
from worker.wire.writer import Writer

CONNECTIONS_MAX = 3
CLOSE_SECONDS = 10


@dataclass(frozen=True)
class Inside:
    """What `app` puts together, with a pool of few connections, so that a lost one is missed."""

    parts: Parts
    engine: AsyncEngine
    tasks: frozenset[asyncio.Task[Any]]
    """What runs without them."""

    async def nothing_is_left_behind(self) -> None:
        """Every connection is given back, and what ran in the background, a client's reader say, comes to its end."""
        pool = self.engine.pool
        assert isinstance(pool, QueuePool)
        assert pool.checkedout() == 0
        await until(self._runs_nothing, "nothing runs in the background", seconds=CLOSE_SECONDS)

    async def _runs_nothing(self) -> bool:
        return asyncio.all_tasks() <= self.tasks


@asynccontextmanager
async def inside(deployment: Deployment) -> AsyncIterator[Inside]:
    """A worker's parts, without a worker."""
    settings = deployment.settings
    engine = create_engine(settings.database.url, connections_max=CONNECTIONS_MAX)
    try:
        async with engine.begin() as connection:
            declared = await installation.declare(connection, settings.topics.commands, settings.topics.partitions)
        names = TopicNames(settings)
        parts = Parts(
            settings=settings,
            database=PostgresDatabase(engine, declared.id, settings.rules.as_rules()),
            topics=KafkaTopics(settings, names, declared.id),
            installation=declared.id,
            partitions=settings.topics.partitions,
            names=names,
            writer=Writer(declared.id, settings.publishing.source),
        )
        yield Inside(parts, engine, frozenset(asyncio.all_tasks()))
    finally:
        await engine.dispose()


async def log_of(deployment: Deployment, lane: int) -> Sequence[ConsumerRecord]:
    """What lies in the log of a lane."""
    return [record for record in await deployment.read("commands") if record.partition == lane]
