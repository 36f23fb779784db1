"""A database that is older than the topics: what was published is the truth, and is folded, never decided again.

Rules and settings may have changed since; and whatever was published was seen.
"""

from contextlib import aclosing
from dataclasses import replace

import structlog

from worker.domain.values import Instant
from worker.folding.sources import Span
from worker.folding.stretch import Reading, fold_reading, read
from worker.lane.errors import Fenced, PositionMoved
from worker.lane.parts import Parts
from worker.lane.ports import Transaction
from worker.lane.watermark import Watermark
from worker.store.lanes import Lane, Moved

log = structlog.get_logger(__name__)


async def catch_up(parts: Parts, lane: Lane, watermark: Watermark) -> tuple[Lane, Instant | None]:
    """Fold everything from the lane's position to the watermark, a transaction for each stretch of it.

    Each moves the row as a batch does, so nobody else decides meanwhile, and it may end anywhere and go on from there.
    Returns the lane as it stands then, and when something falls due. Raises Fenced and PositionMoved as a batch does,
    SequenceGapError and NotPublishedError when the topics are not whole.
    """
    partition, due_at = lane.partition, None
    log.warning("database_older", lane=partition, offset=lane.next_offset, published=watermark.offset)
    span = Span(partition, lane.next_offset, watermark.offset, lane.latest_at, parts.partitions)
    async with aclosing(parts.topics.history(span)) as stretches:
        async for stretch in stretches:
            await parts.database.make_room(partition, stretch.first)
            reading = read(stretch, parts.installation)
            after = _after(lane, reading, watermark)
            async with parts.database.transaction() as transaction:
                moved = await _move(transaction, lane, after, reading)
                await _save(transaction, reading, moved)
                if stretch.last == watermark.offset:
                    await transaction.settle_notices(partition)
                    due_at = await transaction.next_due_at(partition)
                await transaction.commit()
            log.info("folded", lane=partition, events=len(reading.events), through=stretch.last, of=watermark.offset)
            lane = after
    return lane, due_at


def _after(lane: Lane, reading: Reading, watermark: Watermark) -> Lane:
    stretch = reading.stretch
    is_whole = stretch.last == watermark.offset
    return replace(
        lane,
        next_offset=stretch.last,
        latest_at=watermark.through if is_whole else max(lane.latest_at, stretch.latest_at),
        fingerprint=reading.fingerprint or lane.fingerprint,
        published=stretch.last,
        horizon_offset=watermark.seen_at,
    )


async def _move(transaction: Transaction, lane: Lane, after: Lane, reading: Reading) -> Moved:
    moved = await transaction.move(lane, after, reading.ids)
    if moved is None:
        current = await transaction.read(lane.partition)
        raise PositionMoved if current is not None and current.epoch == lane.epoch else Fenced
    return moved


async def _save(transaction: Transaction, reading: Reading, moved: Moved) -> None:
    book = await transaction.load(reading.needs)
    recorded, used = fold_reading(reading, book, moved.answered)
    await transaction.forget([key for row in used if (key := (row.organization, row.command_id)) in moved.answered])
    await transaction.save(reading.stretch.lane, book, recorded, used)
    await transaction.append(reading.stretch.lane, reading.journal)
