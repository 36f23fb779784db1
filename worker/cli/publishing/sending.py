"""Putting commands into the topic, in order for each organization, many at a time and so many per second at most."""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Final

from aiokafka import AIOKafkaProducer

from worker.cli.publishing.batches import BATCH_RECORDS_MAX, Batches
from worker.cli.publishing.lines import Outgoing
from worker.wire.partitions import partition_of_key

UNDER_WAY_MAX: Final = 8
"""Batches that are sent and not acknowledged. With the size of a batch this bounds the memory."""
ACKNOWLEDGED_SECONDS_MAX: Final = 60.0
"""How long a batch may wait: an idempotent producer by itself would wait for ever."""
_PAUSES_PER_SECOND = 20

Headers = Sequence[tuple[str, bytes]]


class Sender:
    """Sends to one topic, each key to the partition that it lives in. `sent` counts what is acknowledged."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, partitions: int, headers: Headers) -> None:
        self.sent = 0
        self._producer = producer
        self._topic = topic
        self._partitions = partitions
        self._headers = list(headers)

    async def send(self, batches: Batches, *, rate: float | None, on_sent: Callable[[int], None]) -> None:
        """Send everything; `on_sent` is told how many more are acknowledged. Raises KafkaError, TimeoutError."""
        under_way: deque[tuple[int, asyncio.Future[list[object]]]] = deque()

        async def settle() -> None:
            count, acknowledged = under_way.popleft()
            async with asyncio.timeout(ACKNOWLEDGED_SECONDS_MAX):
                await acknowledged
            self.sent += count
            on_sent(count)

        begun, handed_over = time.monotonic(), 0
        try:
            async for batch in batches:
                futures = await self._hand_over(batch)
                under_way.append((len(batch), asyncio.gather(*futures)))
                handed_over += len(batch)
                if rate is not None:
                    await asyncio.sleep(max(0.0, begun + handed_over / rate - time.monotonic()))
                while len(under_way) > UNDER_WAY_MAX or (under_way and under_way[0][1].done()):
                    await settle()
        finally:
            try:
                while under_way:
                    await settle()
            finally:
                for _, acknowledged in under_way:  # after an error nobody waits for them any more
                    acknowledged.cancel()

    async def _hand_over(self, batch: Sequence[Outgoing]) -> list["asyncio.Future[object]"]:
        """In whole batches of a partition: a send for each record costs five times as much."""
        partitions: dict[int, list[Outgoing]] = defaultdict(list)
        for command in batch:
            partitions[partition_of_key(command.key, self._partitions)].append(command)
        futures = []
        for partition, commands in partitions.items():
            builder = self._producer.create_batch()
            for command in commands:
                record = {"timestamp": None, "key": command.key, "value": command.value, "headers": self._headers}
                if builder.append(**record) is None:
                    futures.append(await self._producer.send_batch(builder, self._topic, partition=partition))
                    builder = self._producer.create_batch()
                    builder.append(**record)
            futures.append(await self._producer.send_batch(builder, self._topic, partition=partition))
        return futures


def batch_records_for(rate: float | None) -> int:
    """How many to send at once so that a rate looks even."""
    if rate is None:
        return BATCH_RECORDS_MAX
    return max(1, min(BATCH_RECORDS_MAX, int(rate / _PAUSES_PER_SECOND)))
