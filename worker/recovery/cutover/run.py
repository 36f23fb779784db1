"""The drained cut-over to more partitions of commands: looked at, then done in one transaction.

Only the topic of commands grows. Event topics keep their partitions, so that all records of a subject, those before and
those after, lie in one partition in their order. An organization that moves goes on in its new lane above every instant
that was ever given out, and after everything that was decided of it: its old lane is drained and published.

Killed anywhere it is begun once more: partitions that are there already are no obstacle, and the database is changed
at once or not at all. The topics are told first, by a horizon of every lane: so whatever the database declares they
know, and one that was set back to before is recognised by any lane of it. Should it be killed in between, no worker
takes a lane until it was done again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas.instants import format_instant
from worker.broker.topics import present_partitions
from worker.domain.counts import CutOver
from worker.domain.values import Instant
from worker.lane.publisher import Handover
from worker.recovery.cutover import ground
from worker.recovery.cutover.sight import LaneSight, Sight, members_of, sight
from worker.recovery.ground import Refused
from worker.recovery.progress import Bar
from worker.settings import Settings
from worker.store import audit, installation, lanes
from worker.store.installation import Installation
from worker.store.lanes import Lane
from worker.wire.partitions import partition_of

_SETTLE_SECONDS_MAX: Final = 60.0
_POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Plan:
    """What a cut-over would do, and why it must not be done yet. `present` partitions the topic has now."""

    declared: Installation
    present: int
    wanted: int
    seen: Mapping[int, Lane]
    lanes: tuple[LaneSight, ...]
    organizations: int
    moving: int
    latest_at: Instant
    obstacles: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For people and programs."""
        return {
            "declared": self.declared.partitions,
            "present": self.present,
            "wanted": self.wanted,
            "lanes": len(self.seen),
            "organizations": self.organizations,
            "moving": self.moving,
            "above": format_instant(self.latest_at),
            "waitingInAddedPartitions": sum(one.undecided for one in self.lanes if one.row is None),
        }


async def make_plan(
    settings: Settings, engine: AsyncEngine, admin: AIOKafkaAdminClient, wanted: int, watch_seconds: float
) -> Plan:
    """Look at everything, and watch for so long whether anything arrives. Raises Refused where asking makes no sense.

    What only has to wait is an obstacle of the plan.
    """
    async with engine.connect() as connection:
        declared = await installation.read(connection)
        seen = {lane.partition: lane for lane in await lanes.read_all(connection)}
    topic = settings.topics.commands
    present = (await present_partitions(admin)).get(topic)
    count = _check(settings, declared, present, wanted)
    async with sight(settings, engine, declared, wanted) as eyes:
        before = await eyes.ends(count)
        await asyncio.sleep(watch_seconds)
        looked_at = tuple([await eyes.lane(partition, seen.get(partition)) for partition in range(count)])
        obstacles = _obstacles(looked_at, before, declared.partitions or 0)
    members = await members_of(admin, settings.kafka.group_id)
    group = settings.kafka.group_id
    at_work = [f"{len(members)} workers are in the group {group}: {', '.join(members)}"] if members else []
    async with engine.connect() as connection:
        total, moving = await _count(connection, declared.partitions or wanted, wanted)
    return Plan(
        declared=declared,
        present=count,
        wanted=wanted,
        seen=seen,
        lanes=looked_at,
        organizations=total,
        moving=moving,
        latest_at=ground.latest_of(seen),
        obstacles=(*at_work, *obstacles),
    )


def _check(settings: Settings, declared: Installation, present: int | None, wanted: int) -> int:
    topic = settings.topics.commands
    if declared.partitions is None:
        raise Refused("No worker has run yet, so nothing is declared: set BILLING_TOPICS__PARTITIONS and start one.")
    if declared.commands_topic != topic:
        raise Refused(f"This database belongs to the topic {declared.commands_topic}, not {topic}.")
    if present is None:
        raise Refused(f"There is no topic {topic}.")
    if present < declared.partitions:
        raise Refused(f"{topic} has {present} partitions, and {declared.partitions} are declared: is it the right one?")
    if wanted <= declared.partitions:
        raise Refused(f"{declared.partitions} partitions are declared already: only more can be added.")
    if wanted < present:
        raise Refused(f"{topic} has {present} partitions already, so {present} is the least that can be declared.")
    return present


def _obstacles(looked_at: tuple[LaneSight, ...], before: Mapping[int, int], declared: int) -> list[str]:
    found = []
    for lane in looked_at:
        if lane.row is None and (unknown := lane.unknown()):
            found += unknown
        elif lane.row is not None or lane.partition < declared:
            found += lane.undrained()
        elif lane.bounds.end != before[lane.partition] or lane.is_held:
            found.append(f"partition {lane.partition}: commands arrive, so publishers have not paused")
    return found


async def _count(connection: AsyncConnection, declared: int, wanted: int) -> tuple[int, int]:
    total = moving = 0
    async for page in ground.organizations(connection):
        total += len(page)
        moving += sum(partition_of(name, declared) != partition_of(name, wanted) for name in page)
    return total, moving


async def cut_over(
    settings: Settings, engine: AsyncEngine, admin: AIOKafkaAdminClient, plan: Plan, bar: Bar, noted: dict[str, Any]
) -> dict[str, Any]:
    """Carry a plan out; what it did. `noted` is who and with which arguments, for the audit. Raises Refused."""
    if plan.obstacles:
        raise Refused("\n".join(plan.obstacles))
    await _grow(admin, settings.topics.commands, plan)
    if members := await members_of(admin, settings.kafka.group_id):
        raise Refused(f"{len(members)} workers have joined the group meanwhile. No lane was changed.")
    async with sight(settings, engine, plan.declared, plan.wanted) as eyes, engine.begin() as connection:
        begins = await _begins(eyes, plan)
        await ground.hold_still(connection, plan.declared, plan.seen)
        moved = 0
        async for page in ground.organizations(connection):
            moved += await ground.move(connection, {name: partition_of(name, plan.wanted) for name in page})
            bar.advance(len(page))
        await ground.declare(connection, plan.wanted, begins, plan.latest_at)
        offsets = {lane.partition: lane.next_offset for lane in plan.seen.values()} | begins
        await ground.told(connection, await _tell(eyes, plan, offsets, await lanes.read_all(connection), bar))
        outcome = plan.as_json() | {
            "accountsAndProjectsMoved": moved,
            "offsets": [offsets[lane] for lane in range(plan.wanted)],
        }
        await audit.record(connection, noted["who"], audit.CUT_OVER, noted["arguments"], outcome)
    return outcome


async def _tell(
    eyes: Sight, plan: Plan, offsets: Mapping[int, int], rows: Sequence[Lane], bar: Bar
) -> Mapping[int, int]:
    """Have every lane's horizon tell of the new number, in the name of its next owner. Where each lies.

    Of one that was broken off the topics have seen that epoch already: no record may come twice.
    """
    cut_overs = [*eyes.parts.cut_overs, CutOver(plan.declared.partitions or 0, offsets)]
    parts = replace(eyes.parts, cut_overs=cut_overs)
    epochs = {one.partition: one.watermark.epoch for one in plan.lanes if one.watermark is not None}
    seen_at = {}
    for row in rows:
        bar.say(f"telling of lane {row.partition}")
        publisher = parts.topics.publisher(row.partition)
        try:
            await publisher.start()
            told = replace(row, epoch=max(row.epoch, epochs.get(row.partition, 0) + 1))
            publisher.sign(parts.installation, told.epoch)
            seen_at[row.partition] = await publisher.publish([Handover([], row.next_offset, parts.horizon(told))])
        finally:
            await publisher.stop()
    return seen_at


async def _grow(admin: AIOKafkaAdminClient, topic: str, plan: Plan) -> None:
    """Add partitions and wait until every one of them has a leader."""
    if plan.present < plan.wanted:
        await admin.create_partitions({topic: NewPartitions(plan.wanted)})
    async with asyncio.timeout(_SETTLE_SECONDS_MAX):
        while not await _are_led(admin, topic, plan.wanted):  # noqa: ASYNC110 - only asking the broker tells
            await asyncio.sleep(_POLL_SECONDS)


async def _are_led(admin: AIOKafkaAdminClient, topic: str, wanted: int) -> bool:
    (found,) = [each for each in await admin.describe_topics() if each["topic"] == topic]
    led = [each for each in found["partitions"] if each["error_code"] == 0 and each["leader"] >= 0]
    return len(led) == wanted


async def _begins(eyes: Sight, plan: Plan) -> dict[int, int]:
    """Where the log of each lane begins that has no row: what publishers put there already is decided first."""
    new = [partition for partition in range(plan.wanted) if partition not in plan.seen]
    return {partition: (await eyes.reader.range_of(eyes.log_of(partition))).start for partition in new}
