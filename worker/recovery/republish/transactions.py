"""The producer of `republish`: records and how far the run has come, in one Kafka transaction.

There is one transactional id for all runs of an installation: a run that begins ends what a former one, killed or
stopped, had open, and shuts it out. How far an order has come are the offsets of a group that is the order's own,
committed with the records themselves: a run that goes on neither repeats a record nor leaves one out.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar
from uuid import UUID

from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    IllegalOperation,
    NotCoordinatorForGroupError,
)

from worker.broker import clients
from worker.broker.transactions import drop_what_is_refused, failure_of, let_go
from worker.failpoints import Failpoint, pass_by
from worker.lane.sending import send
from worker.recovery.republish.journal import Place
from worker.recovery.republish.order import Order
from worker.recovery.republish.targets import Targets
from worker.settings import Settings
from worker.wire.outgoing import Outgoing

T = TypeVar("T")

_FINISHED: Final = "finished"
_COORDINATOR_SECONDS_MAX: Final = 20.0


def group_of(settings: Settings, order: Order) -> str:
    """The group whose offsets are an order's progress."""
    return f"{settings.kafka.group_id}-republish-{order.digest}"


async def progress_of(admin: AIOKafkaAdminClient, settings: Settings, order: Order) -> dict[int, Place]:
    """How far each lane is published by a run that was not finished; empty if there is none."""
    committed = await _patiently(lambda: admin.list_consumer_group_offsets(group_of(settings, order)))
    return {
        log.partition: Place(at.offset, int(at.metadata))
        for log, at in committed.items()
        if log.topic == settings.topics.commands and at.offset >= 0 and at.metadata != _FINISHED
    }


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """A cluster that is new makes its topic of groups when it is first asked."""
    deadline = time.monotonic() + _COORDINATOR_SECONDS_MAX
    while True:
        try:
            return await ask()
        except (GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError, GroupLoadInProgressError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)


class Transactions:
    """Publishes in transactions. Any error means that it is finished; what was committed is kept."""

    def __init__(self, settings: Settings, order: Order, targets: Targets, installation: UUID) -> None:
        self._targets = targets
        self._commands = settings.topics.commands
        self._group = group_of(settings, order)
        self._seconds_max = settings.publishing.transaction_seconds_max
        self._producer = clients.producer(settings.kafka, transactional_id=f"{installation}-republish")
        self._lanes: set[int] = set()
        drop_what_is_refused(self._producer)

    def go_on(self, progress: Mapping[int, Place]) -> None:
        """These lanes belong to the order too, whether anything is left of them or not."""
        self._lanes |= progress.keys()

    async def start(self) -> None:
        """Shuts out whoever published again before. Only after this the progress of an order is certain."""
        async with asyncio.timeout(self._seconds_max):
            await self._producer.start()

    async def publish(self, records: Sequence[Outgoing], places: Mapping[int, Place]) -> None:
        """All of it, and how far the lanes have come with it; or nothing. Raises KafkaError or TimeoutError."""
        self._lanes |= places.keys()
        offsets = {lane: OffsetAndMetadata(place.offset, str(place.index)) for lane, place in places.items()}
        await self._commit(records, offsets)

    async def finish(self) -> None:
        """The order is carried out: whoever gives it once more begins anew."""
        if self._lanes:
            await self._commit([], {lane: OffsetAndMetadata(0, _FINISHED) for lane in self._lanes})

    async def stop(self) -> None:
        """Let go. Never raises."""
        await let_go(self._producer)
        failure_of(self._producer)

    async def _commit(self, records: Sequence[Outgoing], offsets: Mapping[int, OffsetAndMetadata]) -> None:
        try:
            async with asyncio.timeout(self._seconds_max):
                await self._producer.begin_transaction()
                sent = await send(self._producer, self._targets, records)
                if offsets:
                    logs = {TopicPartition(self._commands, lane): at for lane, at in offsets.items()}
                    await self._producer.send_offsets_to_transaction(logs, self._group)
                await asyncio.gather(*sent)
                await pass_by(Failpoint.INSIDE_TRANSACTION)
                await self._producer.commit_transaction()
                await pass_by(Failpoint.AFTER_TRANSACTION)
        except IllegalOperation as error:
            # Whoever sends into a transaction that has failed is told only that; why, whoever waits for its end.
            raise (failure_of(self._producer) or error) from None
