"""A log of commands that begins anew is carried on behind the lane's position, so that no position comes twice.

Journal keys, positions of events, and ids of results follow from offsets. So the new log is filled with ticks up to
where the old one was read, what publishers had put into it is sent again behind that, byte for byte and in its order,
and what lies before is deleted. A command that was decided before is a duplicate then. Done twice, it does no harm.
"""

from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata
from orjson import dumps

from schemas.commands import TickLane
from worker.broker import clients
from worker.recovery.progress import Bar
from worker.settings import Settings
from worker.wire.incoming import read
from worker.wire.request import Tick

_KEY: Final = b"billing-worker"
_FILLER: Final = dumps(
    {
        "specversion": "1.0",
        "id": "filler",
        "source": "billing-worker",
        "type": TickLane.TYPE,
        "organization": _KEY.decode(),
        "data": {},
    }
)


class LogGrew(Exception):  # noqa: N818  it is what the log did
    """Somebody else writes into the log."""


async def carry_on(settings: Settings, partition: int, first: int, end: int, position: int, bar: Bar) -> int:
    """Fill the log up to a position, and send its commands [first, end) again behind it. Returns that position.

    Raises LogGrew when records come from elsewhere meanwhile.
    """
    log = TopicPartition(settings.topics.commands, partition)
    async with clients.producer(settings.kafka) as producer, clients.consuming(settings.kafka) as consumer:
        position = max(position, end)
        await _fill(producer, log, end, position, bar)
        await _send_again(settings, producer, consumer, log, first, end)
    return position


async def forget_before(admin: AIOKafkaAdminClient, settings: Settings, partition: int, position: int) -> None:
    """Let the log begin at a position."""
    await admin.delete_records({TopicPartition(settings.topics.commands, partition): RecordsToDelete(position)})


async def _fill(producer: AIOKafkaProducer, log: TopicPartition, end: int, position: int, bar: Bar) -> None:
    while end < position:
        batch = producer.create_batch()
        count = 0
        while end + count < position and batch.append(key=_KEY, value=_FILLER, timestamp=None) is not None:
            count += 1
        batch.close()
        written: RecordMetadata = await (await producer.send_batch(batch, log.topic, partition=log.partition))
        if written.offset != end:
            raise LogGrew(f"lane {log.partition}: commands arrive, so publishers have not paused")
        end += count
        bar.advance(count)


async def _send_again(
    settings: Settings,
    producer: AIOKafkaProducer,
    consumer: AIOKafkaConsumer,
    log: TopicPartition,
    first: int,
    end: int,
) -> None:
    if first >= end:
        return
    consumer.assign([log])
    consumer.seek(log, first)
    while await consumer.position(log) < end:
        again = []
        for records in (await consumer.getmany(log, timeout_ms=200)).values():
            again += [record for record in records if record.offset < end and not _is_tick(settings, record)]
        await _append(producer, log, again)


def _is_tick(settings: Settings, record: ConsumerRecord) -> bool:
    what = read(record, partitions=1, record_bytes_max=settings.lanes.command_bytes_max)
    return isinstance(what, Tick)


async def _append(producer: AIOKafkaProducer, log: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
    """By whole batches: a send by itself refuses what has neither key nor value."""
    waiting = list(reversed(records))
    while waiting:
        batch = producer.create_batch()
        while waiting and _fits(batch, waiting[-1]):
            waiting.pop()
        batch.close()
        await (await producer.send_batch(batch, log.topic, partition=log.partition))


def _fits(batch: BatchBuilder, record: ConsumerRecord) -> bool:
    values = {"key": record.key, "value": record.value, "headers": list(record.headers), "timestamp": None}
    return batch.append(**values) is not None
