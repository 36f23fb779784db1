"""Which commands to read again, and reading them outside every group."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas.instants import format_instant
from worker.recovery.republish.order import Edge
from worker.wire.cause import to_ms

PAGE_RECORDS = 500
POLL_MS = 200


@dataclass(frozen=True, slots=True)
class Scope:
    """All that fit everything that is given; `until` is exclusive, instants are append times."""

    lanes: frozenset[int] = frozenset()
    since: Edge = None
    until: Edge = None
    organization: str | None = None
    command: str | None = None

    def arguments(self) -> dict[str, object]:
        """What was asked, for the audit and to know a run again."""
        return {
            "lanes": sorted(self.lanes),
            "from": _written(self.since),
            "to": _written(self.until),
            "organization": self.organization,
            "id": self.command,
        }


@dataclass(frozen=True, slots=True)
class Stretch:
    """The records `[first, last)` of a lane."""

    lane: int
    first: int
    last: int


def _written(edge: Edge) -> object:
    return format_instant(edge) if isinstance(edge, datetime) else edge


async def stretches_of(
    consumer: AIOKafkaConsumer, topic: str, scope: Scope, positions: Mapping[int, int]
) -> list[Stretch]:
    """What the scope means now, lane by lane: nothing at or past a lane's position, which is yet to be decided."""
    found = []
    for lane, position in sorted(positions.items()):
        if scope.lanes and lane not in scope.lanes:
            continue
        log = TopicPartition(topic, lane)
        start = (await consumer.beginning_offsets([log]))[log]
        end = min(position, (await consumer.end_offsets([log]))[log])
        first = max(start, await _offset_of(consumer, log, scope.since, start))
        last = min(end, await _offset_of(consumer, log, scope.until, end))
        if first < last:
            found.append(Stretch(lane, first, last))
    return found


async def _offset_of(consumer: AIOKafkaConsumer, log: TopicPartition, edge: Edge, default: int) -> int:
    if edge is None:
        return default
    if isinstance(edge, int):
        return edge
    found = (await consumer.offsets_for_times({log: to_ms(edge)}))[log]
    return int((await consumer.end_offsets([log]))[log] if found is None else found.offset)


async def pages(consumer: AIOKafkaConsumer, topic: str, stretch: Stretch) -> AsyncIterator[list[ConsumerRecord]]:
    """The committed records of a stretch, some hundreds at a time."""
    log = TopicPartition(topic, stretch.lane)
    consumer.assign([log])
    consumer.seek(log, stretch.first)
    while await consumer.position(log) < stretch.last:
        for records in (await consumer.getmany(log, timeout_ms=POLL_MS, max_records=PAGE_RECORDS)).values():
            if page := [record for record in records if record.offset < stretch.last]:
                yield page
