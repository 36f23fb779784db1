"""A batch of one lane, from raw records to COMMIT: read, load, decide, save, in one transaction."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog
from aiokafka import ConsumerRecord
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker import metrics
from worker.domain.values import MICROSECOND
from worker.failpoints import Failpoint, pass_by
from worker.lane.errors import Fenced, LaneStopped, PositionMoved
from worker.lane.faults import cause_of, is_fault
from worker.lane.fingerprint import fingerprint_of
from worker.lane.outcome import CommandDefect, Incoming, Outcome, decide_all, needs_of
from worker.lane.parts import Parts
from worker.lane.publisher import Handover
from worker.store import book as books
from worker.store import inbox, journal, lanes
from worker.store.lanes import Lane
from worker.wire.incoming import read

log = structlog.get_logger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOG_APPEND_TIME = 1
_NO_DEFECTS: Mapping[int, str] = {}


async def settle(parts: Parts, lane: Lane, records: Sequence[ConsumerRecord]) -> AsyncIterator[tuple[Lane, Handover]]:
    """Bring records behind COMMIT, all of them, whatever a single one does: yields the lane after each transaction.

    A command that makes the program or a constraint fail is answered INTERNAL_ERROR: it is found by trying the batch
    again with fresh state, then by halves. Faults, Fenced, PositionMoved and LaneStopped are the caller's.
    """
    defects: dict[int, str] = {}
    pending = [list(records)]
    has_failed = False
    while pending:
        batch = pending[0]
        try:
            lane, handover = await process(parts, lane, batch, defects, careful=has_failed)
        except (Fenced, PositionMoved, LaneStopped):
            raise
        except CommandDefect as defect:
            if defect.offset in defects:
                raise
            log.exception("command_defect", lane=lane.partition, offset=defect.offset)
            defects[defect.offset] = cause_of(defect.__cause__ or defect)
        except Exception as error:
            if is_fault(error):
                raise
            log.exception("batch_defect", lane=lane.partition, offset=batch[0].offset, records=len(batch))
            if not has_failed:
                has_failed = True
            elif len(batch) > 1:
                half = len(batch) // 2
                pending[:1] = [batch[:half], batch[half:]]
            elif batch[0].offset in defects:
                raise
            else:
                defects[batch[0].offset] = cause_of(error)
        else:
            del pending[0]
            yield lane, handover


async def process(
    parts: Parts,
    lane: Lane,
    records: Sequence[ConsumerRecord],
    defects: Mapping[int, str] = _NO_DEFECTS,
    *,
    careful: bool = False,
) -> tuple[Lane, Handover]:
    """One transaction: the lane moves, everything that the records bring about is saved, COMMIT.

    Raises Fenced when the lane is another worker's, PositionMoved when it is still ours but stands elsewhere.
    `careful` has deferred constraints checked before COMMIT, whose outcome is then not in doubt.
    """
    began = time.perf_counter()
    incoming = _incoming(parts, lane, records)
    after = _after(lane, records, incoming)
    async with parts.engine.connect() as connection:
        await _move(parts, connection, lane, after)
        needs = needs_of(incoming)
        book = await books.load(connection, needs.book, parts.installation, parts.rules)
        answered = await inbox.load(connection, needs.ids)
        outcome = decide_all(parts.writer, book, answered, incoming, defects, parts.settings.topics.record_bytes_max)
        await books.save(connection, book, outcome.recorded)
        await inbox.append(connection, outcome.inbox)
        await journal.append(connection, lane.partition, outcome.journal)
        if careful:
            await connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        await pass_by(Failpoint.BEFORE_COMMIT)
        await connection.commit()
        await pass_by(Failpoint.AFTER_COMMIT)
    _measure(outcome, len(records), time.perf_counter() - began)
    return after, Handover(outcome.outgoing, after.next_offset, parts.horizon(after))


def _incoming(parts: Parts, lane: Lane, records: Sequence[ConsumerRecord]) -> list[Incoming]:
    """Each record with its instant: its append time, but later than everything before it in its partition."""
    latest = lane.latest_at
    limit = parts.settings.lanes.command_bytes_max
    incoming = []
    for record in records:
        if record.timestamp_type != _LOG_APPEND_TIME:
            msg = f"the record at offset {record.offset} has no append time: set message.timestamp.type=LogAppendTime"
            raise LaneStopped(msg)
        latest = max(_EPOCH + timedelta(milliseconds=record.timestamp), latest + MICROSECOND)
        what = read(record, partitions=parts.partitions, record_bytes_max=limit)
        incoming.append(Incoming(record, latest, what))
    return incoming


def _after(lane: Lane, records: Sequence[ConsumerRecord], incoming: Sequence[Incoming]) -> Lane:
    last = records[-1]
    return replace(
        lane,
        next_offset=last.offset + 1,
        latest_at=incoming[-1].at,
        fingerprint=fingerprint_of(last),
    )


async def _move(parts: Parts, connection: AsyncConnection, lane: Lane, after: Lane) -> None:
    """The first statement: compare-and-set of the position, which stays locked until COMMIT."""
    now = await lanes.move(
        connection,
        lane.partition,
        epoch=lane.epoch,
        expected_offset=lane.next_offset,
        next_offset=after.next_offset,
        latest_at=after.latest_at,
        fingerprint=after.fingerprint,
        published=after.published,
        horizon_offset=after.horizon_offset,
    )
    if now is None:
        current = await lanes.read(connection, lane.partition)
        raise PositionMoved if current is not None and current.epoch == lane.epoch else Fenced
    ahead = timedelta(seconds=parts.settings.lanes.clock_ahead_seconds_max)
    if after.latest_at > now + ahead:
        msg = f"commands are stamped {after.latest_at}, past the database's clock {now}: a broker's clock is wrong"
        raise LaneStopped(msg)


def _measure(outcome: Outcome, records: int, seconds: float) -> None:
    metrics.BATCH_SECONDS.observe(seconds)
    metrics.BATCH_COMMANDS.observe(records)
    for name, count in outcome.counts.items():
        metrics.COMMANDS.labels(name).inc(count)
