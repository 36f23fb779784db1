"""Publishing a batch: its records, the lane's horizon and the consumed offset, in one Kafka transaction."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol
from uuid import UUID

from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.errors import IllegalOperation

from worker.broker import clients
from worker.broker.transactions import drop_what_is_refused, failure_of, let_go
from worker.domain.value import value
from worker.failpoints import Failpoint, pass_by
from worker.lane.sending import TopicNames, send
from worker.settings import Settings
from worker.wire.outgoing import Outgoing


@value
class Handover:
    """What a committed batch has to publish, and where the lane stands after it."""

    records: Sequence[Outgoing]
    next_offset: int
    horizon: Outgoing


class Publisher(Protocol):
    """Makes hand-overs visible, in order. Any error means: this publisher is finished, make another.

    `tells_group`: whether the group's offset moves with what is published, for the tools that look at lag.
    """

    tells_group: bool

    async def start(self) -> None:
        """Connect; shuts out the lane's former publisher where the mode can."""

    def sign(self, installation: UUID, epoch: int) -> None:
        """Whose the offsets are that go to the group with what is published from now on."""

    async def publish(self, handovers: Sequence[Handover]) -> int:
        """Publish all of them or (exactly-once) nothing. Returns the offset of the horizon record written."""

    async def stop(self) -> None:
        """Let go. Never raises."""


class TransactionalPublisher:
    """Exactly once for whoever reads committed records only."""

    tells_group = True

    def __init__(self, settings: Settings, names: TopicNames, installation: UUID, lane: int) -> None:
        self._names = names
        self._group = settings.kafka.group_id
        self._commands = TopicPartition(settings.topics.commands, lane)
        self._deadline_seconds = settings.publishing.transaction_seconds_max
        self._metadata = ""
        self._producer = clients.producer(settings.kafka, transactional_id=f"{installation}-{lane}")
        drop_what_is_refused(self._producer)

    async def start(self) -> None:
        """Fences the lane's former producer and ends its transaction, if one is open."""
        async with _limit(self._deadline_seconds, "ready to publish"):
            await self._producer.start()

    def sign(self, installation: UUID, epoch: int) -> None:
        """Whoever finds the offset in the group alone still sees whose it is."""
        self._metadata = f"{installation}/{epoch}"

    async def publish(self, handovers: Sequence[Handover]) -> int:
        """All of it becomes visible at once, or none of it. Raises KafkaError or TimeoutError."""
        try:
            async with _limit(self._deadline_seconds, "published"):
                return await self._publish(handovers)
        except IllegalOperation as error:
            # Whoever sends into a transaction that has failed is told only that; why, whoever waits for its end.
            raise (failure_of(self._producer) or error) from None

    async def _publish(self, handovers: Sequence[Handover]) -> int:
        last = handovers[-1]
        await self._producer.begin_transaction()
        sent = await send(self._producer, self._names, (r for handover in handovers for r in handover.records))
        horizon = await send(self._producer, self._names, [last.horizon])
        offsets = {self._commands: OffsetAndMetadata(last.next_offset, self._metadata)}
        await self._producer.send_offsets_to_transaction(offsets, self._group)
        await asyncio.gather(*sent)
        written = await horizon[0]
        await pass_by(Failpoint.INSIDE_TRANSACTION)
        await self._producer.commit_transaction()
        await pass_by(Failpoint.AFTER_TRANSACTION)
        return int(written.offset)

    async def stop(self) -> None:
        """Lets go without waiting for what an unhealthy producer may never deliver."""
        await let_go(self._producer)
        failure_of(self._producer)


class AtLeastOncePublisher:
    """The same without the Kafka transaction: sooner visible; after a fault the same bytes may come again."""

    tells_group = False

    def __init__(self, settings: Settings, names: TopicNames) -> None:
        self._names = names
        self._deadline_seconds = settings.publishing.transaction_seconds_max
        self._producer = clients.producer(settings.kafka)

    async def start(self) -> None:
        """Connects. Nothing fences a former producer in this mode but the lane's row."""
        async with _limit(self._deadline_seconds, "ready to publish"):
            await self._producer.start()

    def sign(self, installation: UUID, epoch: int) -> None:
        """The horizon tells; what goes to the group goes by the subscription."""

    async def publish(self, handovers: Sequence[Handover]) -> int:
        """The horizon follows when everything before it is acknowledged. Raises KafkaError or TimeoutError."""
        async with _limit(self._deadline_seconds, "published"):
            sent = await send(self._producer, self._names, (r for handover in handovers for r in handover.records))
            await asyncio.gather(*sent)
            await pass_by(Failpoint.INSIDE_TRANSACTION)
            (horizon,) = await send(self._producer, self._names, [handovers[-1].horizon])
            written = await horizon
            await pass_by(Failpoint.AFTER_TRANSACTION)
            return int(written.offset)

    async def stop(self) -> None:
        """Lets go without waiting for what an unhealthy producer may never deliver."""
        await let_go(self._producer)


@asynccontextmanager
async def _limit(seconds: float, what: str) -> AsyncIterator[None]:
    """No longer than so many seconds. Raises TimeoutError that says what did not come about."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise TimeoutError(f"not {what} within {seconds:g} s") from None
