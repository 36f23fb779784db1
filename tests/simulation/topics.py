"""The port to Kafka: the product's own publishers and reader, on the clients of this world."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch
from uuid import UUID

from tests.simulation.broker import Broker
from tests.simulation.clients import REQUEST_SECONDS_MAX, Consumer, Producer
from tests.simulation.network import Link
from worker.broker import clients
from worker.broker.log import LogReader
from worker.folding.sources import Span
from worker.folding.stretch import Stretch
from worker.lane.errors import LaneStopped
from worker.lane.ports import GroupOffset
from worker.lane.publisher import AtLeastOncePublisher, Publisher, TransactionalPublisher
from worker.lane.sending import TopicNames
from worker.settings import PublishingMode, Settings


class Topics:
    """The port: the product's own publishers and reader, on these clients."""

    def __init__(self, settings: Settings, names: TopicNames, installation: UUID, broker: Broker, link: Link) -> None:
        self._settings = settings
        self._names = names
        self._installation = installation
        self._broker = broker
        self._link = link

    def publisher(self, partition: int) -> Publisher:
        """The publisher of the mode that is set, not started."""
        with patch.object(clients, "producer", self._producer):
            if self._settings.publishing.mode is PublishingMode.EXACTLY_ONCE:
                return TransactionalPublisher(self._settings, self._names, self._installation, partition)
            return AtLeastOncePublisher(self._settings, self._names)

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[LogReader]:
        """A reader, connected."""
        await self._link.ask("connect", lambda _: None, patience=REQUEST_SECONDS_MAX)
        committed, uncommitted = (Consumer(self._broker, self._link, is_committed=kind) for kind in (True, False))
        yield LogReader(committed, uncommitted)

    async def history(self, span: Span) -> AsyncGenerator[Stretch, None]:
        """Folding is not simulated: the lane waits for an operator's word."""
        raise LaneStopped(f"published through {span.last}, but the database stands at {span.first}")
        yield

    async def group_offset(self, partition: int) -> GroupOffset:
        """What the group's tools are told."""
        offsets = self._broker.group_offsets
        answer: tuple[int, str] = await self._link.ask(
            "group offset", lambda _: offsets.get(partition, (-1, "")), patience=REQUEST_SECONDS_MAX
        )
        return GroupOffset(*answer)

    def _producer(self, _: Any, *, transactional_id: str | None = None) -> Producer:
        return Producer(self._broker, self._link, transactional_id)
