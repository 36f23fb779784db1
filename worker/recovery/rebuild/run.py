"""A database from the topics alone: what was planned is done piece by piece, and resumed when killed.

Subjects live in one partition each, so the partitions of a topic are folded one after the other, and within each
everything that is over is written at once. A piece is one transaction, which also notes how far its partition is read.
Events and all the rest are two streams that go on side by side, each over a connection of its own: while the database
writes for one, the other is folded. At the end, in one transaction more, the rules that were put aside are put back,
and the lanes stand where the topics say.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaConsumer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.broker.log import LogReader, open_reader
from worker.domain.book import Book
from worker.folding.stretch import EVENTS
from worker.ops.retention import ids_remembered
from worker.recovery.ahead import ahead, rarely_collecting, side_by_side
from worker.recovery.progress import Bar, Pace
from worker.recovery.rebuild import counts, ground
from worker.recovery.rebuild.ground import Reached
from worker.recovery.rebuild.loading import Loading, Tally, Whole
from worker.recovery.rebuild.plan import LOOK_MS_MAX, Plan
from worker.recovery.rebuild.reading import RECORDS_AT_ONCE, Commands, Page, Unit, consumer, read_all, read_partition
from worker.recovery.rebuild.standing import stand
from worker.recovery.rebuild.states import States, newest
from worker.settings import PublishingMode, Settings
from worker.store import notices
from worker.wire.outgoing import Topic

PIECE_RECORDS: Final = 200_000
"""How much of a stream is read again at the most when a run was killed."""

SUBJECTS_MAX: Final = 30_000
"""So many accounts or projects a stream keeps in memory; the others are looked up when something happens to them."""

PAGES_AHEAD: Final = 2
"""So many pages of a stream are fetched while what came before is loaded."""

_BEGIN = text("SELECT 1")  # only a statement begins a transaction, and rows are copied within one
_ANALYZE = text("ANALYZE accounts, holds, phases, projects, bindings")


async def rebuild(settings: Settings, engine: AsyncEngine, plan: Plan, bar: Bar, rate: float | None) -> Tally:
    """Carry a plan out. Raises what the database says when the topics break one of its rules."""
    tally, pace = Tally(), Pace(rate)
    if plan.begun is None:
        await _begin(engine, plan)
    with rarely_collecting():
        left = [(unit, first) for unit in plan.units if (first := plan.first_of(unit)) < unit.end]
        events = [part for part in left if part[0].topic in EVENTS]  # about half the work: no row is written by both
        rest = [part for part in left if part[0].topic not in EVENTS]
        streams = [parts for parts in (events, rest) if parts]
        await side_by_side(_load(settings, engine, plan, parts, tally, bar, pace) for parts in streams)
    bar.say("putting back the rules")
    async with engine.connect() as connection, open_reader(settings.kafka, wait_ms=LOOK_MS_MAX) as logs:
        await ground.write_hastily(connection)
        await _finish(connection, logs, settings, plan)
        await connection.commit()
    return tally


async def _begin(engine: AsyncEngine, plan: Plan) -> None:
    async with engine.begin() as connection:
        await ground.begin(connection, plan.installation, plan.partitions, plan.identity)
        for lane in plan.lanes:
            await ground.make_room(connection, lane.partition, lane.horizon.offset)


async def _load(
    settings: Settings,
    engine: AsyncEngine,
    plan: Plan,
    parts: Sequence[tuple[Unit, int]],
    tally: Tally,
    bar: Bar,
    pace: Pace,
) -> None:
    """These partitions, each from an offset on, over a connection of their own."""
    async with engine.connect() as connection:
        await ground.write_hastily(connection)
        async with consumer(settings) as reader, consumer(settings) as commands, consumer(settings) as states:
            source = read_all(reader, parts, pace.page(RECORDS_AT_ONCE))
            async with ahead(source, PAGES_AHEAD) as pages:
                await _Stream(settings, plan, connection, commands, states, tally, bar, pace).load(pages)


@dataclass(slots=True)
class _Stream:
    """Partitions on their way into the database, one after the other."""

    settings: Settings
    plan: Plan
    connection: AsyncConnection
    commands: AIOKafkaConsumer
    states: AIOKafkaConsumer
    tally: Tally
    bar: Bar
    pace: Pace

    async def load(self, pages: AsyncGenerator[Page, None]) -> None:
        """Load everything, a piece in each transaction."""
        unit: Unit | None = None
        loading: Loading | None = None
        first = done = 0
        await self.connection.execute(_BEGIN)
        try:
            async for page in pages:
                if loading is None or page.unit is not unit:
                    unit, first, done = page.unit, self.plan.first_of(page.unit), 0
                    loading = await self._begin(page.unit)
                await loading.take(self.connection, page.records)
                done += len(page.records)
                if done >= PIECE_RECORDS or loading.subjects > SUBJECTS_MAX or page.position >= page.unit.end:
                    await self._end_piece(loading, page)
                    done = 0
                self.bar.advance(page.position - first)
                await self.pace.keep(len(page.records))
                first = page.position
        finally:
            if loading is not None:
                await loading.wait()

    async def _begin(self, unit: Unit) -> Loading:
        self.bar.say(f"{unit.log.topic}/{unit.log.partition}")
        settings, plan = self.settings, self.plan
        published = {lane.partition: lane.horizon.offset for lane in plan.lanes}
        whole = Whole(
            settings.topics.commands,
            published,
            plan.partitions,
            ids_remembered(settings),
            is_transactional=settings.publishing.mode is PublishingMode.EXACTLY_ONCE,
        )
        hashes = Commands(self.commands, plan.commands, settings.lanes.command_bytes_max)
        return Loading(
            unit.topic,
            Book(plan.installation, settings.rules.as_rules()),
            whole,
            hashes,
            self.tally,
            reached=plan.reached_in(unit),
            states=await self._states_in(unit),
        )

    async def _states_in(self, unit: Unit) -> States | None:
        if not self.plan.from_state or unit.topic not in {Topic.ACCOUNTS, Topic.PAYERS}:
            return None
        offsets = await newest(lambda unit: read_partition(self.states, unit, unit.start), unit)
        return States(unit.topic, offsets, self.settings.rules.as_rules(), self.plan.partitions)

    async def _end_piece(self, loading: Loading, page: Page) -> None:
        await loading.finish(self.connection, SUBJECTS_MAX // 2)
        at = Reached(page.position, loading.reached)
        await ground.note(self.connection, page.unit.topic.value, page.unit.log.partition, at)
        await self.connection.commit()
        await self.connection.execute(_BEGIN)


async def _finish(connection: AsyncConnection, logs: LogReader, settings: Settings, plan: Plan) -> None:
    await ground.count_usage(connection)
    if plan.from_state:
        await ground.suppose_told(connection)
    await ground.remove_records(connection)
    await ground.put_back(connection)
    await connection.execute(_ANALYZE)
    await ground.go_by_key(connection)
    rules = settings.rules.as_rules()
    for lane in plan.lanes:
        await notices.settle(connection, plan.installation, rules, lane.partition)
        await stand(connection, logs, settings, lane, has_history=not plan.from_state)
    await counts.note(connection, plan.counts)
    await ground.finish(connection, plan.installation, settings.topics.commands, plan.partitions)
