"""Following topics from a place of one's own: outside every group, without leaving a trace."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

_POLL_MS = 200
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin: at the end, at an instant, or at the beginning."""

    since: datetime | None = None

    @classmethod
    def of_the_logs(cls) -> "Start":
        """The beginning of everything that is kept."""
        return cls(_BEGINNING)


@dataclass(frozen=True, slots=True)
class End:
    """When to stop: after so many that are shown, or when nothing came for so long."""

    count: int | None
    idle_seconds: float | None


async def follow(
    consumer: AIOKafkaConsumer, logs: Sequence[TopicPartition], start: Start, idle_seconds: float | None
) -> AsyncIterator[ConsumerRecord]:
    """The records, in the order of their instants as far as they are read together; of one key always in order.

    Ends when nothing came for `idle_seconds`.
    """
    consumer.assign(list(logs))
    for log, offset in (await _offsets(consumer, logs, start)).items():
        consumer.seek(log, offset)
    loop = asyncio.get_running_loop()
    last = loop.time()
    while True:
        polled = await consumer.getmany(timeout_ms=_POLL_MS)
        records = [record for of_one_log in polled.values() for record in of_one_log]
        for record in sorted(records, key=lambda record: record.timestamp):
            yield record
        if records:
            last = loop.time()
        elif idle_seconds is not None and loop.time() - last >= idle_seconds:
            return


async def _offsets(
    consumer: AIOKafkaConsumer, logs: Sequence[TopicPartition], start: Start
) -> dict[TopicPartition, int]:
    ends: dict[TopicPartition, int] = await consumer.end_offsets(logs)
    if start.since is None:
        return ends
    if start.since == _BEGINNING:
        beginnings: dict[TopicPartition, int] = await consumer.beginning_offsets(logs)
        return beginnings
    instant_ms = int(start.since.timestamp() * 1000)
    found = await consumer.offsets_for_times(dict.fromkeys(logs, instant_ms))
    return {log: found[log].offset if found.get(log) else ends[log] for log in logs}
