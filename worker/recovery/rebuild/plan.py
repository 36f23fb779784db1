"""What a rebuild would read, and where it would leave the lanes: found out without touching anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.broker import clients
from worker.broker.log import open_reader
from worker.broker.topics import present_partitions
from worker.domain.counts import Counts
from worker.folding.stretch import EVENTS
from worker.recovery.rebuild import counts, ground
from worker.recovery.rebuild.ground import NotRebuildableError, Reached, UnderWay
from worker.recovery.rebuild.outputs import WithoutHorizons, installations_in_group, lanes_by_output
from worker.recovery.rebuild.reading import Published, Unit, unit_of
from worker.settings import Settings
from worker.wire.outgoing import Topic

_ORDER: Final = (
    Topic.ACCOUNT_EVENTS,
    Topic.BINDING_EVENTS,
    Topic.COMMAND_RESULTS,
    Topic.DEAD_LETTERS,
    Topic.ACCOUNTS,
    Topic.PAYERS,
)
_MADE_FIRST: Final = (Topic.COMMANDS, Topic.HORIZONS)

LOOK_MS_MAX: Final = 5
"""How long the broker waits for more where a lane's last command or horizon is looked for: there is nothing to come."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would read, and what the database would become. `begun` is how far a killed run had come."""

    installation: UUID
    counts: Counts
    lanes: list[Published]
    units: list[Unit]
    commands: dict[int, Unit]
    begun: UnderWay | None
    from_state: bool
    has_horizons: bool = True

    @property
    def partitions(self) -> int:
        """How many of commands are declared."""
        return self.counts.declared

    @property
    def identity(self) -> str:
        """What has to be the same for a run to go on with another one."""
        stands = {lane.partition: lane.horizon.offset for lane in self.lanes}
        told_by = "states" if self.from_state else "events"
        told_by += "" if self.has_horizons else " without horizons"
        return f"{self.installation}, {self.partitions} partitions, {told_by}, published through {stands}"

    @property
    def records(self) -> int:
        """How much there is to read, markers of transactions included."""
        return sum(unit.end - self.first_of(unit) for unit in self.units)

    def first_of(self, unit: Unit) -> int:
        """Where a partition is read from."""
        reached = self.reached_in(unit)
        return max(unit.start, reached.next_offset if reached else 0)

    def reached_in(self, unit: Unit) -> Reached | None:
        """How far a killed run had come in a partition."""
        return self.begun.partitions.get((unit.topic.value, unit.log.partition)) if self.begun else None

    def as_json(self) -> dict[str, Any]:
        """For people and programs."""
        read = {topic.value: sum(unit.count for unit in self.units if unit.topic is topic) for topic in _ORDER}
        return {
            "installation": str(self.installation),
            "partitions": self.partitions,
            "lanes": len(self.lanes),
            "commands": sum(lane.horizon.offset for lane in self.lanes),
            "topics": read,
            "left": self.records,
            "resumes": self.begun is not None,
            "history": not self.from_state,
            "horizons": self.has_horizons,
        }


async def make_plan(
    settings: Settings,
    engine: AsyncEngine,
    partitions: int | None = None,
    *,
    from_state: bool = False,
    without_horizons: WithoutHorizons | None = None,
) -> Plan:
    """Look at topics and database. `partitions` are those of commands; None: as many as the topics tell of.

    `from_state` leaves the events alone: what stands is taken from the compacted topics, and there is no history.
    `without_horizons`: where the lanes stand is told by what they brought about.

    Raises NotRebuildableError, NotEmptyError.
    """
    async with engine.connect() as connection:
        begun = await ground.under_way(connection)
    names = {topic: str(getattr(settings.topics, topic.name.lower())) for topic in (*_ORDER, *_MADE_FIRST)}
    order = [topic for topic in _ORDER if not (from_state and topic in EVENTS)]
    async with clients.administering(settings.kafka) as admin, open_reader(settings.kafka, wait_ms=LOOK_MS_MAX) as logs:
        present = await present_partitions(admin)
        _check_present(names, present, from_state=from_state)
        lanes, told = await counts.lanes_and_counts(settings, logs, partitions, present[settings.topics.commands])
        if not lanes and without_horizons is None:
            raise NotRebuildableError(await _no_horizons(settings, admin))
        if lanes and without_horizons is not None:
            raise NotRebuildableError("there are horizons, which tell where the lanes stand: leave that out")
        if partitions not in {None, told.declared}:
            raise NotRebuildableError(
                f"the horizons tell of {told.declared} partitions, not {partitions}: leave that out"
            )
        units = [
            await unit_of(logs, topic, TopicPartition(names[topic], partition))
            for topic in order
            for partition in range(present.get(names[topic], 0))
        ]
        commands = {
            partition: await unit_of(logs, Topic.COMMANDS, TopicPartition(settings.topics.commands, partition))
            for partition in range(min(told.declared, present[settings.topics.commands]))
        }
    if without_horizons is not None:
        lanes = await lanes_by_output(settings, units, without_horizons)
        if more := [lane.partition for lane in lanes if lane.partition >= told.declared]:
            raise NotRebuildableError(
                f"the topics tell of lane {max(more)}: there are more than {told.declared} partitions"
            )
    installations = {lane.horizon.installation for lane in lanes}
    if len(installations) != 1:
        raise NotRebuildableError(f"the topics tell of {len(installations)} installations; one is needed")
    (installation,) = installations
    plan = Plan(installation, told, lanes, units, commands, begun, from_state, without_horizons is None)
    if begun is not None and begun.plan != plan.identity:
        raise NotRebuildableError(
            f"another run was begun here ({begun.plan}; now it is {plan.identity}): do as it did, or use a new database"
        )
    return plan


def _check_present(names: Mapping[Topic, str], present: Mapping[str, int], *, from_state: bool) -> None:
    needed = (Topic.ACCOUNTS, Topic.PAYERS) if from_state else EVENTS
    if missing := sorted(names[topic] for topic in needed if names[topic] not in present):
        raise NotRebuildableError(f"there is no topic {', '.join(missing)}: nothing can be told without it")
    if missing := sorted(names[topic] for topic in _MADE_FIRST if names[topic] not in present):
        raise NotRebuildableError(
            f"there is no topic {', '.join(missing)}: first make it, `billing-worker topics apply`"
        )


async def _no_horizons(settings: Settings, admin: AIOKafkaAdminClient) -> str:
    """What is so where nobody tells how far lanes are published, and what can be done."""
    found = sorted(await installations_in_group(settings, admin))
    signed = f"were signed by {', '.join(found)}" if found else "do not tell whose they are"
    return (
        f"{settings.topics.horizons} tells of no lane. Was it lost? Then say whose topics these are, and how many "
        f"partitions are declared: --without-horizons INSTALLATION --partitions N (the group's offsets {signed})"
    )
