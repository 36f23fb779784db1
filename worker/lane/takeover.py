"""Taking over a lane, in the one order in which nothing can be lost or doubled.

1. start the publisher, which fences the old one; 2. read how far was published; 3. take the lane's row, which waits
for an old transaction in flight and shuts its owner out; 4. check that the log is the one that was read; 5. publish
from the journal what was committed and not published, or fold what was published and is not in the database; 6. (the
caller) read on from the position.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import structlog
from aiokafka import TopicPartition

from worker import metrics
from worker.broker.log import LogRange
from worker.domain.value import value
from worker.domain.values import Instant
from worker.failpoints import Failpoint, pass_by
from worker.lane.catching_up import catch_up
from worker.lane.errors import Fenced, LaneStopped, PositionMoved
from worker.lane.fingerprint import fingerprint_of
from worker.lane.parts import Parts
from worker.lane.ports import Reader
from worker.lane.publisher import Handover, Publisher
from worker.lane.watermark import Watermark, read_watermark
from worker.store.lanes import Lane, Taken
from worker.wire.cause import to_ms
from worker.wire.outgoing import Topic, restore

log = structlog.get_logger(__name__)

JOURNAL_ROWS_MAX = 5_000
"""How much of the journal goes into one transaction at a take-over."""


@value
class TakenOver:
    """A lane that is ours, with nothing unpublished, and the publisher to go on with.

    Up to `room_until` there is room in the journal.
    """

    lane: Lane
    due_at: Instant | None
    publisher: Publisher
    room_until: int


async def take_over(
    parts: Parts, partition: int, epoch: int | None, *, on_taken: Callable[[int], None] = lambda _: None
) -> TakenOver:
    """Make a lane this worker's own. `epoch` is the one that it holds already, or None after an assignment.

    `on_taken` is told the epoch as soon as the row is taken: whatever fails after that must not take it once more.

    Raises Fenced when another worker took the lane, LaneStopped when topics and database do not fit together, and
    the drivers' own errors when one of them is away.
    """
    if epoch is not None:
        await _check_epoch(parts, partition, epoch)
        metrics.PRODUCERS_RECREATED.inc()
    publisher = parts.topics.publisher(partition)
    try:
        await publisher.start()
        await pass_by(Failpoint.TAKE_OVER_FENCED)
        async with asyncio.timeout(parts.settings.lanes.take_over_seconds_max), parts.topics.reader() as reader:
            commands = TopicPartition(parts.settings.topics.commands, partition)
            known = await parts.database.read_lane(partition)
            watermark = await read_watermark(parts, reader, partition, known)
            await pass_by(Failpoint.TAKE_OVER_WATERMARK_READ)
            first_offset = (await reader.range_of(commands)).start
            lane, due_at, room_until = await _take(parts, partition, epoch, first_offset, watermark)
            on_taken(lane.epoch)
            await pass_by(Failpoint.TAKE_OVER_TAKEN)
            await _check_log(reader, commands, lane, watermark)
            await pass_by(Failpoint.TAKE_OVER_LOG_CHECKED)
        if watermark is not None and watermark.offset > lane.next_offset:
            lane, due_at = await catch_up(parts, lane, watermark)
            watermark = await _tell_epoch(parts, publisher, lane, watermark)
        lane = await _publish_journal(parts, publisher, lane, watermark)
        await pass_by(Failpoint.TAKE_OVER_JOURNAL_PUBLISHED)
        return TakenOver(lane, due_at, publisher, room_until)
    except BaseException:
        await publisher.stop()
        raise


async def _check_epoch(parts: Parts, partition: int, epoch: int) -> None:
    """Whoever is not the owner any more leaves at once: starting a producer would fence the one who is."""
    row = await parts.database.read_lane(partition)
    if row is not None and row.epoch != epoch:
        raise Fenced


async def _take(
    parts: Parts, partition: int, epoch: int | None, first_offset: int, watermark: Watermark | None
) -> Taken:
    """Take the row. Only an assignment begins a new epoch: two that both retried would fence each other for ever.

    A lane that the topics know and the database does not begins at the first command that ever was.
    """
    published, above = (watermark.offset, watermark.epoch) if watermark else (0, 0)
    if epoch is None:
        first_offset = 0 if watermark else first_offset
        return await parts.database.take_lane(partition, first_offset=first_offset, published=published, above=above)
    kept = await parts.database.keep_lane(partition, epoch, published=published)
    if kept is None:
        raise Fenced
    return kept


async def _check_log(reader: Reader, commands: TopicPartition, lane: Lane, watermark: Watermark | None) -> None:
    """Kafka tells nobody that a topic was made anew or cut; its range and the last record read do.

    Commands whose outcome is published need not be there any more.
    """
    bounds = await reader.range_of(commands)
    _check_range(bounds, max(lane.next_offset, watermark.offset if watermark else 0))
    fingerprint = lane.fingerprint
    if fingerprint is None or fingerprint.offset < bounds.start:
        return
    record = await reader.record_at(commands, fingerprint.offset)
    if record is None or fingerprint_of(record) != fingerprint:
        msg = f"offset {fingerprint.offset} holds another record than the one that was read: topic made anew or cut?"
        raise LaneStopped(msg)


def _check_range(bounds: LogRange, position: int) -> None:
    if position < bounds.start:
        msg = f"the log starts at {bounds.start}, past the position {position}: commands are gone unread"
        raise LaneStopped(msg)
    if position > bounds.end:
        msg = f"the log ends at {bounds.end}, before the position {position}: topic made anew or cut?"
        raise LaneStopped(msg)


async def _tell_epoch(parts: Parts, publisher: Publisher, lane: Lane, watermark: Watermark) -> Watermark:
    """Let the topics know of an epoch that a database set back would count once more."""
    if watermark.epoch == lane.epoch:
        return watermark
    publisher.sign(parts.installation, lane.epoch)
    seen_at = await publisher.publish([Handover([], lane.next_offset, parts.horizon(lane))])
    return replace(watermark, seen_at=seen_at, epoch=lane.epoch)


async def _publish_journal(parts: Parts, publisher: Publisher, lane: Lane, watermark: Watermark | None) -> Lane:
    """Publish what was committed and not published. Returns the lane as published through its position."""
    partition = lane.partition
    published, seen_at = (watermark.offset, watermark.seen_at) if watermark else (lane.published, None)
    if published > lane.next_offset:
        msg = f"published through {published}, but the database stands at {lane.next_offset} even so"
        raise LaneStopped(msg)
    if lane.stopped is not None:
        await parts.database.stop_lane(partition, lane.epoch, None)
    publisher.sign(parts.installation, lane.epoch)
    if published == lane.next_offset:
        return replace(lane, published=published, horizon_offset=seen_at)
    async for rows in parts.database.journal(partition, published, lane.next_offset, rows_max=JOURNAL_ROWS_MAX):
        await _check_row(parts, lane)
        records = [restore(Topic(row.topic), row.key, row.value, row.headers, to_ms(row.at)) for row in rows]
        reached = replace(lane, next_offset=rows[-1].offset + 1, latest_at=rows[-1].at)
        seen_at = await publisher.publish([Handover(records, reached.next_offset, parts.horizon(reached))])
        log.info("journal_published", lane=partition, records=len(records), through=reached.next_offset)
        published = reached.next_offset
    if published < lane.next_offset:  # the last commands brought nothing about
        await _check_row(parts, lane)
        seen_at = await publisher.publish([Handover([], lane.next_offset, parts.horizon(lane))])
    return replace(lane, published=lane.next_offset, horizon_offset=seen_at)


async def _check_row(parts: Parts, lane: Lane) -> None:
    """A database that was set back since the row was taken has lost rows of the journal, and would not say so."""
    row = await parts.database.read_lane(lane.partition)
    if row is None or (row.epoch, row.next_offset) != (lane.epoch, lane.next_offset):
        raise PositionMoved
