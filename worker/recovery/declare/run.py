"""What an operator knows of stopped lanes, declared: looked at first, refused where it contradicts what is seen.

Each word is done so that killed anywhere it can be said once more: what goes to the topics goes first, and the lane's
row, which ends what stopped it, follows in one transaction with the audit.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, OffsetAndMetadata
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.broker import clients
from worker.lane.publisher import Handover
from worker.recovery.cutover.sight import Sight, members_of, sight
from worker.recovery.declare.log import LogGrew, carry_on, forget_before
from worker.recovery.declare.sight import Declarable, HorizonState, Word, look_at
from worker.recovery.ground import Refused
from worker.recovery.progress import Bar
from worker.settings import Settings
from worker.store import audit, installation, lanes
from worker.store.installation import Installation
from worker.store.lanes import Lane

COMMAND: Final = "topics declare"

_SAVE = text(
    """
    UPDATE lanes
    SET epoch = epoch + 1, next_offset = :next_offset, published = :published, horizon_offset = :horizon_offset,
        fingerprint_offset = CASE WHEN :is_known_again THEN fingerprint_offset END,
        fingerprint_timestamp = CASE WHEN :is_known_again THEN fingerprint_timestamp END,
        fingerprint_hash = CASE WHEN :is_known_again THEN fingerprint_hash END, stopped = NULL
    WHERE partition = :partition
    """
)


@dataclass(frozen=True, slots=True)
class Seen:
    """All lanes that were asked for, and what stands in the way of declaring a word about them, if one was said."""

    word: Word | None
    declared: Installation
    lanes: Sequence[Declarable]
    obstacles: Sequence[str]


@dataclass
class Done:
    """What became of the lanes so far, by whom."""

    who: str
    lanes: list[dict[str, Any]] = field(default_factory=list)


async def see(
    settings: Settings,
    engine: AsyncEngine,
    admin: AIOKafkaAdminClient,
    word: Word | None,
    chosen: Sequence[int],
    watch_seconds: float,
) -> Seen:
    """Look at lanes (none chosen: all), and watch for so long whether publishers have paused, where they have to."""
    async with engine.connect() as connection:
        declared = await installation.read(connection)
        rows = [row for row in await lanes.read_all(connection) if not chosen or row.partition in chosen]
    if missing := set(chosen) - {row.partition for row in rows}:
        raise Refused(f"No worker ever took lane {', '.join(map(str, sorted(missing)))}.")
    async with sight(settings, engine, declared) as eyes:
        before = {row.partition: await eyes.reader.range_of(eyes.log_of(row.partition)) for row in rows}
        if word is Word.LOG_ANEW:
            await asyncio.sleep(watch_seconds)
        found = [await look_at(eyes, row) for row in rows]
    obstacles = [] if word is None else [why for one in found if (why := one.why_not(word)) is not None]
    if word is Word.LOG_ANEW:
        obstacles += [
            f"lane {one.row.partition}: commands arrive, so publishers have not paused"
            for one in found
            if one.lane.is_held or one.lane.bounds.end != before[one.row.partition].end
        ]
    group = settings.kafka.group_id
    if word is not None and (members := await members_of(admin, group)):
        obstacles.insert(0, f"{len(members)} workers are in the group {group}: {', '.join(members)}")
    return Seen(word, declared, found, obstacles)


async def declare(
    settings: Settings, engine: AsyncEngine, admin: AIOKafkaAdminClient, seen: Seen, bar: Bar, done: Done
) -> None:
    """Do it, lane after lane; `done` tells of those that are whole. Raises Refused."""
    word = seen.word
    if word is None or seen.obstacles:
        raise Refused("\n".join(seen.obstacles))
    async with sight(settings, engine, seen.declared) as eyes:
        for lane in seen.lanes:
            bar.say(f"lane {lane.row.partition}")
            try:
                after = await _on_the_topics(settings, eyes, word, lane, bar)
            except LogGrew as grew:
                raise Refused(str(grew)) from None
            async with engine.begin() as connection:
                outcome = await _save(connection, lane, after)
                arguments = {"lane": lane.row.partition, "word": word.value}
                await audit.record(connection, done.who, COMMAND, arguments, outcome)
            if word is Word.LOG_ANEW:
                await forget_before(admin, settings, lane.row.partition, after.next_offset)
            done.lanes.append({"lane": lane.row.partition, **outcome})


async def _on_the_topics(settings: Settings, eyes: Sight, word: Word, lane: Declarable, bar: Bar) -> Lane:
    """Do what is to be done there. Returns the row as it is to be."""
    row, bounds = lane.row, lane.lane.bounds
    match word:
        case Word.SKIP:
            return replace(row, next_offset=bounds.start, fingerprint=None)
        case Word.LOG_ANEW:
            position = await carry_on(settings, row.partition, bounds.start, bounds.end, row.next_offset, bar)
            return replace(row, next_offset=position, fingerprint=None)
        case Word.PUBLISHED:
            return replace(row, published=row.next_offset, horizon_offset=await _tell(eyes, row))
        case Word.PUBLISH_AGAIN if lane.horizon is HorizonState.BEHIND and lane.told is not None:
            await _take_back(settings, eyes, row)
            return replace(row, published=lane.told.offset, horizon_offset=None)
        case Word.PUBLISH_AGAIN:
            await _take_back(settings, eyes, row)
            return replace(row, published=0, horizon_offset=None)


async def _tell(eyes: Sight, row: Lane) -> int:
    """Have the topics tell that everything is published; in the name of the next owner. Where the record lies."""
    publisher = eyes.parts.topics.publisher(row.partition)
    told = replace(row, epoch=row.epoch + 1)
    try:
        await publisher.start()
        publisher.sign(eyes.parts.installation, told.epoch)
        return await publisher.publish([Handover([], told.next_offset, eyes.parts.horizon(told))])
    finally:
        await publisher.stop()


async def _take_back(settings: Settings, eyes: Sight, row: Lane) -> None:
    """Have the group say nothing any more of how far this installation published."""
    consumer = AIOKafkaConsumer(
        **clients.connection(settings.kafka), group_id=settings.kafka.group_id, enable_auto_commit=False
    )
    try:
        await consumer.start()
        log = eyes.log_of(row.partition)
        consumer.assign([log])
        await consumer.commit({log: OffsetAndMetadata(0, "")})
    finally:
        await consumer.stop()


async def _save(connection: AsyncConnection, lane: Declarable, after: Lane) -> dict[str, Any]:
    """The row as it is to be, unless a worker has begun meanwhile."""
    row = lane.row
    if await lanes.hold(connection, row.partition) != row:
        raise Refused(f"Lane {row.partition} has moved since it was looked at: a worker has begun meanwhile.")
    await connection.execute(
        _SAVE,
        {
            "partition": row.partition,
            "next_offset": after.next_offset,
            "published": after.published,
            "horizon_offset": after.horizon_offset,
            "is_known_again": after.fingerprint is not None,
        },
    )
    return {
        "position": [row.next_offset, after.next_offset],
        "published": [row.published, after.published],
        "stopped": row.stopped,
        "seen": lane.as_json(),
    }
