"""Lanes as they stand when everything is loaded: so that `run` goes on there, and `replay` begins where they did."""

from typing import Final

from aiokafka import TopicPartition
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.broker.log import LogRange, LogReader
from worker.lane.fingerprint import fingerprint_of
from worker.recovery.rebuild import ground
from worker.recovery.rebuild.reading import Published
from worker.settings import Settings
from worker.store import rules
from worker.store.lanes import Lane

_FIRST: Final = text('SELECT min("offset") FROM journal WHERE lane = :lane')


async def stand(
    connection: AsyncConnection, logs: LogReader, settings: Settings, lane: Published, *, has_history: bool
) -> None:
    """Let a lane stand where the topics say, and the rules that are set hold from its beginning.

    Which rules held before, no record tells.
    """
    log = TopicPartition(settings.topics.commands, lane.partition)
    bounds = await logs.range_of(log)
    await ground.add_lane(connection, await _row_of(lane, logs, log, bounds))
    began = await _began(connection, lane, bounds) if has_history else 0
    await rules.hold_from(connection, lane.partition, began, settings.rules.as_rules())


async def _row_of(lane: Published, logs: LogReader, log: TopicPartition, bounds: LogRange) -> Lane:
    """The row; the record before its position tells it the log again, if that is still there."""
    horizon = lane.horizon
    before = horizon.offset - 1
    record = await logs.record_at(log, before) if bounds.start <= before < bounds.end else None
    return Lane(
        partition=lane.partition,
        epoch=max(1, horizon.epoch),
        next_offset=horizon.offset,
        latest_at=horizon.through,
        fingerprint=fingerprint_of(record) if record is not None else None,
        published=horizon.offset,
        horizon_offset=lane.seen_at,
        stopped=None,
    )


async def _began(connection: AsyncConnection, lane: Published, bounds: LogRange) -> int:
    """From where on it was decided, as far as its log and its journal tell.

    What lies in the log before all that the journal has brought nothing about; what the log has lost may have.
    """
    first = (await connection.execute(_FIRST, {"lane": lane.partition})).scalar_one()
    return min(bounds.start, lane.horizon.offset if first is None else first)
