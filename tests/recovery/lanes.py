"""Taking lanes over within the test: everything that a worker does before it decides its first command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.system.deployment import Deployment
from worker.lane.kafka import KafkaTopics
from worker.lane.parts import Parts
from worker.lane.sending import TopicNames
from worker.lane.takeover import take_over
from worker.settings import Settings
from worker.store import installation
from worker.store.database import PostgresDatabase
from worker.store.engine import create_engine
from worker.store.lanes import Lane
from worker.wire.writer import Writer


@asynccontextmanager
async def parts_of(settings: Settings) -> AsyncIterator[Parts]:
    """What all lanes of a worker share, as `app` puts it together."""
    engine = create_engine(settings.database.url)
    try:
        async with engine.connect() as connection:
            declared = await installation.read(connection)
        names = TopicNames(settings)
        yield Parts(
            settings=settings,
            database=PostgresDatabase(engine, declared.id, settings.rules.as_rules()),
            topics=KafkaTopics(settings, names, declared.id),
            installation=declared.id,
            partitions=declared.partitions or settings.topics.partitions,
            names=names,
            writer=Writer(declared.id, settings.publishing.source),
        )
    finally:
        await engine.dispose()


async def take_all_over(settings: Settings) -> list[Lane]:
    """Take every lane over, and let go of it again before anything is decided."""
    lanes = []
    async with parts_of(settings) as parts:
        for partition in range(parts.partitions):
            taken = await take_over(parts, partition, None)
            lanes.append(taken.lane)
            await taken.publisher.stop()
    return lanes


def on_database(deployment: Deployment, url: str, **rules: Any) -> Settings:
    """The deployment's settings on another database, with other rules."""
    settings = deployment.settings
    return settings.model_copy(
        update={
            "database": settings.database.model_copy(update={"url": url}),
            "rules": settings.rules.model_copy(update=rules),
        }
    )
