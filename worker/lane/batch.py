"""A batch of one lane, from raw records to COMMIT: read, load, decide, save, in one transaction."""

import asyncio
import logging
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import groupby

import structlog
from aiokafka import ConsumerRecord

from worker import metrics
from worker.domain.book import Key
from worker.domain.value import value
from worker.domain.values import Instant
from worker.failpoints import Failpoint, pass_by
from worker.lane.counting import count_events
from worker.lane.deciding import CommandDefect, Deciding
from worker.lane.errors import Fenced, LaneStopped, PositionMoved
from worker.lane.faults import cause_of, is_fault
from worker.lane.fingerprint import fingerprint_of
from worker.lane.needs import Incoming, needs_of
from worker.lane.outcome import Outcome
from worker.lane.parts import Parts
from worker.lane.ports import Transaction
from worker.lane.publisher import Handover
from worker.lane.reading import read_all
from worker.store.lanes import Lane, Moved
from worker.wire.request import Unreadable

log = structlog.get_logger(__name__)
_levels = logging.getLogger(__name__)

_NO_DEFECTS: Mapping[int, str] = {}

AT_ONCE_MAX = 50
"""After so many records others have their turn: what they publish goes through a dozen steps, each of which waits."""

OUTGOING_MAX = 4_000
"""A transaction that has brought about so many records looks for no more that is due: that may be much."""


@value
class Standing:
    """Where a lane stands: its row, and the earliest instant at which something may fall due (None: nothing)."""

    row: Lane
    due_at: Instant | None


async def _at_once() -> None:
    pass


async def settle(
    parts: Parts,
    standing: Standing,
    records: Sequence[ConsumerRecord],
    before_each: Callable[[], Awaitable[None]] = _at_once,
) -> AsyncGenerator[tuple[Standing, Handover], None]:
    """Bring records behind COMMIT, all of them, whatever a single one does: yields where each transaction has led.

    `before_each` is waited for before a transaction begins.

    A command that makes the program or a constraint fail is answered INTERNAL_ERROR: it is found by trying the batch
    again with fresh state, then by halves. Faults, Fenced, PositionMoved and LaneStopped are the caller's.
    """
    defects: dict[int, str] = {}
    incoming, stopped = read_all(
        records, standing.row.latest_at, parts.partitions, parts.settings.lanes.command_bytes_max
    )
    pending = _pieces(incoming)
    has_failed = False
    while pending:
        await before_each()
        piece, began = pending[0], time.perf_counter()
        try:
            standing, handover, decided = await process(parts, standing, piece, defects, careful=has_failed)
        except (Fenced, PositionMoved, LaneStopped):
            raise
        except CommandDefect as defect:
            if defect.offset in defects:
                raise
            metrics.DEFECTS.inc()
            log.exception("command_defect", lane=standing.row.partition, offset=defect.offset)
            defects[defect.offset] = cause_of(defect.__cause__ or defect)
        except Exception as error:
            _trace_failure(parts, piece, error, began)
            if is_fault(error):
                raise
            offset = piece[0].record.offset
            metrics.BATCH_DEFECTS.inc()
            log.exception("batch_defect", lane=standing.row.partition, offset=offset, records=len(piece))
            if not has_failed:
                has_failed = True
            elif len(piece) > 1:
                half = len(piece) // 2
                pending[:1] = [piece[:half], piece[half:]]
            elif offset in defects:
                raise
            else:
                metrics.DEFECTS.inc()
                defects[offset] = cause_of(error)
        else:
            pending[:1] = [piece[decided:]] if decided < len(piece) else []
            yield standing, handover
    if stopped is not None:
        raise stopped


async def process(
    parts: Parts,
    standing: Standing,
    incoming: Sequence[Incoming],
    defects: Mapping[int, str] = _NO_DEFECTS,
    *,
    careful: bool = False,
) -> tuple[Standing, Handover, int]:
    """One transaction: the lane moves, everything that the records bring about is saved, COMMIT.

    Returns where that has led, what is to be published, and how many of the records were decided: at least the first;
    all of them unless they bring about too much. Where something falls due in between, what was decided until then is
    saved, for the database to tell what is due by the next record.

    Raises Fenced when the lane is another worker's, PositionMoved when it is still ours but stands elsewhere.
    `careful` has deferred constraints checked before COMMIT, whose outcome is then not in doubt.
    """
    began = time.perf_counter()
    lane = standing.row
    after, count, needs = _after(lane, incoming), len(incoming), needs_of(incoming)
    async with parts.database.transaction() as transaction:
        moved = await _move(transaction, lane, after, needs.ids)
        incoming = _cut_ahead(parts, incoming, moved.now)
        book = await transaction.load(needs.book)
        outcome = Outcome(due_at=standing.due_at)
        deciding = Deciding(
            parts.writer, book, moved.answered, defects, parts.settings.topics.record_bytes_max, outcome=outcome
        )
        await _decide(transaction, lane.partition, incoming, deciding)
        if outcome.decided < count:
            after = _after(lane, incoming[: outcome.decided])
            await transaction.correct(after)
        await transaction.append(lane.partition, outcome.journal)
        if careful:
            await transaction.check_constraints()
        await pass_by(Failpoint.BEFORE_COMMIT)
        await transaction.commit()
        await pass_by(Failpoint.AFTER_COMMIT)
    seconds = time.perf_counter() - began
    _measure(outcome, seconds)
    if parts.traces is not None:
        parts.traces.processed(incoming, outcome.outcomes, defects, seconds)
    if _levels.isEnabledFor(logging.DEBUG):
        _tell(after, incoming, outcome, seconds)
    return (
        Standing(after, outcome.due_at),
        Handover(outcome.outgoing, after.next_offset, parts.horizon(after)),
        outcome.decided,
    )


async def _decide(transaction: Transaction, lane: int, incoming: Sequence[Incoming], deciding: Deciding) -> None:
    """Decide the records and save what that changes; before each by which something is due, and in the end."""
    book, outcome = deciding.book, deciding.outcome
    saved = 0
    while outcome.decided < len(incoming) and len(outcome.outgoing) < OUTGOING_MAX:
        due = None
        if outcome.is_due(at := incoming[outcome.decided].at):
            await transaction.save(lane, book, outcome.recorded[saved:])
            saved = len(outcome.recorded)
            due = await transaction.load_due(book, lane, at)
        deciding.decide(incoming[outcome.decided : outcome.decided + AT_ONCE_MAX], due)
        await asyncio.sleep(0)
    await transaction.save(lane, book, outcome.recorded[saved:], outcome.inbox)


def _pieces(incoming: Sequence[Incoming]) -> list[Sequence[Incoming]]:
    """The records in batches: what must be alone is."""
    pieces: list[Sequence[Incoming]] = []
    for is_alone, group in groupby(incoming, key=lambda item: item.is_alone):
        items = list(group)
        pieces += [[item] for item in items] if is_alone else [items]
    return pieces


def _after(lane: Lane, incoming: Sequence[Incoming]) -> Lane:
    last = incoming[-1]
    fingerprint = fingerprint_of(last.record)
    return replace(lane, next_offset=last.record.offset + 1, latest_at=last.at, fingerprint=fingerprint)


async def _move(transaction: Transaction, lane: Lane, after: Lane, ids: Collection[Key]) -> Moved:
    """The first statement: compare-and-set of the position, which stays locked until COMMIT."""
    moved = await transaction.move(lane, after, ids)
    if moved is None:
        current = await transaction.read(lane.partition)
        raise PositionMoved if current is not None and current.epoch == lane.epoch else Fenced
    return moved


def _cut_ahead(parts: Parts, incoming: Sequence[Incoming], now: Instant) -> Sequence[Incoming]:
    """The records up to one that is stamped too far ahead. Raises LaneStopped when that is the first."""
    limit = now + timedelta(seconds=parts.settings.lanes.clock_ahead_seconds_max)
    before = bisect_right(incoming, limit, key=lambda item: item.at)
    if not before:
        msg = f"commands are stamped {incoming[0].at}, past the database's clock {now}: a broker's clock is wrong"
        raise LaneStopped(msg)
    return incoming[:before]


def _trace_failure(parts: Parts, incoming: Sequence[Incoming], error: Exception, began: float) -> None:
    if parts.traces is not None:
        parts.traces.failed(incoming, error, time.perf_counter() - began)


def _tell(after: Lane, incoming: Sequence[Incoming], outcome: Outcome, seconds: float) -> None:
    """What became of each record, for whoever looks for one. Nothing of what publishers wrote but ids."""
    for item, what in zip(incoming, outcome.outcomes, strict=False):
        named = (
            {} if isinstance(item.what, Unreadable) else {"organization": item.what.organization, "id": item.what.id}
        )
        log.debug("decided", lane=after.partition, offset=item.record.offset, outcome=what, **named)
    log.debug("committed", lane=after.partition, offset=after.next_offset, records=outcome.decided, seconds=seconds)


def _measure(outcome: Outcome, seconds: float) -> None:
    metrics.BATCH_SECONDS.observe(seconds)
    metrics.BATCH_COMMANDS.observe(outcome.decided)
    for name, count in Counter(outcome.outcomes).items():
        metrics.COMMANDS.labels(name).inc(count)
    for reason, count in outcome.dead_letters.items():
        metrics.DEAD_LETTERS.labels(reason).inc(count)
    for attribute, count in outcome.ignored.items():
        metrics.ATTRIBUTES_IGNORED.labels(attribute).inc(count)
    count_events(outcome.recorded)
