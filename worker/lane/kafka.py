"""Kafka as a lane sees it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from aiokafka import TopicPartition

from worker.broker import clients
from worker.broker.log import LogReader, open_reader
from worker.folding.history import read_history
from worker.folding.sources import Span
from worker.folding.stretch import Stretch
from worker.lane.fingerprint import fingerprint_of
from worker.lane.ports import GroupOffset
from worker.lane.publisher import AtLeastOncePublisher, Publisher, TransactionalPublisher
from worker.lane.sending import TopicNames
from worker.settings import PublishingMode, Settings


class KafkaTopics:
    """Where commands come from, and everything else goes."""

    def __init__(self, settings: Settings, names: TopicNames, installation: UUID) -> None:
        self._settings = settings
        self._names = names
        self._installation = installation

    def publisher(self, partition: int) -> Publisher:
        """The publisher of the mode that is set, not started."""
        if self._settings.publishing.mode is PublishingMode.EXACTLY_ONCE:
            return TransactionalPublisher(self._settings, self._names, self._installation, partition)
        return AtLeastOncePublisher(self._settings, self._names)

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[LogReader]:
        """A reader, connected."""
        async with open_reader(self._settings.kafka) as reader:
            yield reader

    def history(self, span: Span) -> AsyncGenerator[Stretch, None]:
        """What the topics hold of a lane, a stretch at a time, without a gap."""
        return read_history(self._settings, span, fingerprint_of)

    async def group_offset(self, partition: int) -> GroupOffset:
        """What the group's tools are told of the lane's position."""
        commands = TopicPartition(self._settings.topics.commands, partition)
        async with clients.administering(self._settings.kafka) as admin:
            committed = await admin.list_consumer_group_offsets(self._settings.kafka.group_id, partitions=[commands])
        found = committed.get(commands)
        return GroupOffset() if found is None else GroupOffset(found.offset, found.metadata)
