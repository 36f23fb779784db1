"""What `republish` finds before it begins: the lanes, the topics it goes to, and why it would not go on."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.broker import clients
from worker.broker.log import LogReader, open_reader
from worker.broker.topics import present_partitions
from worker.lane.sending import TopicNames
from worker.recovery.ground import Refused
from worker.recovery.republish.journal import Amount, Place, Stretch, amounts, at_ease, stretch_of
from worker.recovery.republish.order import LOGS, STATES, Order, own_name
from worker.recovery.republish.targets import Targets, records_in
from worker.recovery.republish.transactions import progress_of
from worker.settings import Settings
from worker.store import installation, lanes
from worker.store.engine import create_engine
from worker.store.installation import Installation
from worker.store.lanes import Lane
from worker.wire.horizons import horizon_key, read_horizon
from worker.wire.outgoing import Topic

_STATEMENT_SECONDS_MAX: Final = 3600.0
_CONNECTIONS = 5
_LOOK_MS_MAX: Final = 10
"""How long the broker waits for more where one record is looked for: at the end of a log nothing more will come."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything that decides what will happen, and the connections to do it by.

    `horizons` say how far a lane is published in the installation's own topics; a lane without one is in nobody's
    hands there. `held` is how much lies in the topics that keep every record. `progress` is that of a run of the same
    order that was killed.
    """

    settings: Settings
    order: Order
    engine: AsyncEngine
    admin: AIOKafkaAdminClient
    reader: LogReader
    installation: Installation
    lanes: Mapping[int, Lane]
    horizons: Mapping[int, int]
    targets: Targets
    held: Mapping[Topic, int]
    progress: Mapping[int, Place]

    @property
    def commands(self) -> str:
        """The topic of commands that the journal tells of."""
        return self.installation.commands_topic or self.settings.topics.commands

    def is_own(self, topic: Topic) -> bool:
        """Whether records of this kind go where the worker publishes them."""
        return self.order.is_own(topic, self.settings)

    def end_of(self, lane: Lane) -> int:
        """How far a lane is republished. What its owner has yet to publish into these topics is left to him."""
        horizon = self.horizons.get(lane.partition)
        is_own = any(map(self.is_own, self.order.selection.chosen((*LOGS, *STATES))))
        return lane.next_offset if horizon is None or not is_own else min(horizon, lane.next_offset)

    async def stretches(self) -> list[Stretch]:
        """What the selection means, lane by lane, as the lanes stand now."""
        async with self.engine.connect() as connection:
            await at_ease(connection)
            known = {lane.partition: lane for lane in await lanes.read_all(connection)}
            chosen = self.order.selection.lanes or known.keys()
            return [
                await stretch_of(connection, number, self.order.selection, self.end_of(lane))
                for number, lane in sorted(known.items())
                if number in chosen
            ]

    async def amounts(self, stretches: list[Stretch]) -> dict[int, list[Amount]]:
        """How much that is, by lane and topic. Reads all of it in the database."""
        async with self.engine.connect() as connection:
            await at_ease(connection)
            return {each.lane: await amounts(connection, each, self.order.selection) for each in stretches}

    def refusals(self) -> list[str]:
        """Why the order must not be carried out; nothing if it may."""
        found = []
        if missing := sorted(self.order.selection.lanes - self.lanes.keys()):
            found.append(f"There is no lane {', '.join(map(str, missing))}.")
        full = [f"{self.targets.name[topic]} ({held})" for topic, held in self.held.items() if held]
        if full and not self.order.again and not self.progress:
            found.append(
                f"Not empty: {', '.join(full)}. With --again the records go in behind what is there: the same bytes "
                "once more, which subscribers drop by their sequence."
            )
        return found


@asynccontextmanager
async def survey(settings: Settings, order: Order) -> AsyncIterator[Survey]:
    """Look at everything, with connections open for the block. Changes nothing. Raises Refused."""
    async with AsyncExitStack() as stack:
        engine = create_engine(
            settings.database.url,
            application_name="billing-worker republish",
            connections_max=_CONNECTIONS,
            command_seconds_max=_STATEMENT_SECONDS_MAX,
            by_key=False,
        )
        stack.push_async_callback(engine.dispose)
        async with engine.connect() as connection:
            ours = await installation.read(connection)
            known = {lane.partition: lane for lane in await lanes.read_all(connection)}
        admin = await stack.enter_async_context(clients.administering(settings.kafka))
        present = await present_partitions(admin)
        _check_topics(settings, order, present)
        targets = Targets(settings, order, present)
        reader = await stack.enter_async_context(open_reader(settings.kafka, wait_ms=_LOOK_MS_MAX))
        horizons = await _horizons(reader, settings, present, ours, known)
        held = await records_in(reader, targets, order.selection.chosen(LOGS))
        reader.rest()
        yield Survey(
            settings=settings,
            order=order,
            engine=engine,
            admin=admin,
            reader=reader,
            installation=ours,
            lanes=known,
            horizons=horizons,
            targets=targets,
            held=held,
            progress=await progress_of(admin, settings, order),
        )


def _check_topics(settings: Settings, order: Order, present: Mapping[str, int]) -> None:
    """Every target is there and is of its kind: nothing goes into a topic that carries something else."""
    own = {own_name(topic, settings): topic for topic in Topic}
    wanted = {topic: order.name(topic, settings) for topic in order.selection.chosen((*LOGS, *STATES))}
    if order.selection.is_whole:
        wanted[Topic.HORIZONS] = order.name(Topic.HORIZONS, settings)
    for topic, name in wanted.items():
        if own.get(name, topic) is not topic:
            raise Refused(f"{name} is the installation's topic of {own[name]}: {topic} do not go there.")
        if name not in present:
            raise Refused(f"There is no topic {name}: make it first; `billing-worker topics apply` makes one's own.")
        if name in own:
            _check_partitions(name, present[name], settings)
    if settings.topics.commands not in present:
        raise Refused(f"There is no topic {settings.topics.commands}: run `billing-worker topics apply` first.")


def _check_partitions(name: str, present: int, settings: Settings) -> None:
    if present != settings.topics.partitions:
        raise Refused(
            f"{name} has {present} partitions where the settings say {settings.topics.partitions}: "
            "keys would go where nobody looks for them. See `billing-worker topics plan`."
        )


async def _horizons(
    reader: LogReader,
    settings: Settings,
    present: Mapping[str, int],
    ours: Installation,
    known: Mapping[int, Lane],
) -> dict[int, int]:
    """How far the topics themselves say that each lane is published."""
    if settings.topics.horizons not in present:
        return {}
    _check_partitions(settings.topics.horizons, present[settings.topics.horizons], settings)
    found = {}
    own = TopicNames(settings)
    for number, lane in known.items():
        key = horizon_key(ours.commands_topic or settings.topics.commands, number)
        record = await reader.newest_of_key(own.log_of(Topic.HORIZONS, key), key, lane.horizon_offset)
        horizon = read_horizon(record.value) if record else None
        if horizon is not None and horizon.installation != ours.id:
            raise Refused(f"The topics belong to installation {horizon.installation}, this database is {ours.id}.")
        if horizon is not None:
            found[number] = horizon.offset
    return found
