"""Commands decided anew in an empty schema beside the live one, by this release: the lane's own code, nobody published.

It begins where a lane began, since what a command does hangs on all before it. Lanes share nothing until a cut-over,
where organizations move from one to another: so all lanes are decided up to there, then moved, then decided on.
"""

from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.broker import clients
from worker.domain.counts import Counts, CutOver
from worker.domain.values import Rules
from worker.lane.batch import Standing, settle
from worker.lane.kafka import KafkaTopics
from worker.lane.parts import Parts
from worker.lane.sending import TopicNames
from worker.recovery.cutover import ground
from worker.recovery.ground import Refused
from worker.recovery.progress import Bar, Pace
from worker.recovery.replay import under_way
from worker.recovery.replay.scope import Scope, Stretch, pages, stretches_of
from worker.recovery.replay.under_way import SCHEMA
from worker.settings import Settings
from worker.store import audit, installation, lanes, rules
from worker.store.database import PostgresDatabase
from worker.store.engine import create_engine
from worker.store.installation import Installation
from worker.store.lanes import BEFORE_ALL
from worker.wire.partitions import partition_of
from worker.wire.writer import Writer

ROOM_MIN: Final = 50_000
"""With less room in the journal than for so many offsets, more is made."""

_STATEMENT_SECONDS_MAX: Final = 3600.0
_LOCK = text("SELECT pg_try_advisory_lock(hashtextextended('billing-worker replay', 0))")
_LIVE = text("SELECT current_schema()")
_BE = text("UPDATE installation SET id = :id, commands_topic = :topic, partitions = :partitions")


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane to decide anew, from where it began, and the rules by which it was decided: in order, by first offset.

    `is_asked_for`: else it is decided for the sake of those organizations alone that a cut-over moved away from it.
    """

    stretch: Stretch
    began: int
    rules: Sequence[tuple[int, Rules]]
    is_asked_for: bool = True

    def era(self, first: int | None, last: int | None) -> Stretch:
        """What of it lies between two cut-overs, None being no cut-over."""
        whole = self.stretch
        first = whole.first if first is None else max(whole.first, first)
        return Stretch(whole.lane, first, whole.last if last is None else min(whole.last, last))

    def cut(self, records: Sequence[ConsumerRecord]) -> Iterator[tuple[Rules, Sequence[ConsumerRecord]]]:
        """The records in pieces that were decided by the same rules."""
        edges = [offset for offset, _ in self.rules]
        rest = list(records)
        while rest:
            place = bisect_right(edges, rest[0].offset)
            end = edges[place] if place < len(edges) else None
            piece = [record for record in rest if end is None or record.offset < end]
            yield self.rules[max(0, place - 1)][1], piece
            rest = rest[len(piece) :]


@dataclass(frozen=True, slots=True)
class Scratch:
    """Both schemas, and what is to be decided in the one as it was in the other."""

    settings: Settings
    scope: Scope
    live: AsyncEngine
    live_schema: str
    own: AsyncEngine
    consumer: AIOKafkaConsumer
    installation: Installation
    lanes: Sequence[Lane]
    cut_overs: Sequence[CutOver] = ()
    passed: int | None = None
    """How many of the cut-overs a run that was killed had passed, with which this one goes on; None: it begins."""

    @property
    def topic(self) -> str:
        """The commands that were decided."""
        return self.installation.commands_topic or self.settings.topics.commands

    @property
    def total(self) -> int:
        """How many offsets there are to decide, at the most."""
        return sum(lane.stretch.last - lane.stretch.first for lane in self.lanes)

    async def decide(self, bar: Bar, pace: Pace) -> None:
        """Decide every lane from its beginning or from where it stands, from one cut-over to the next."""
        counts = Counts(self.installation.partitions or self.settings.topics.partitions, self.cut_overs)
        before: Mapping[int, int] = {}
        eras = zip_longest(counts.ever, counts.cut_overs, counts.ever[1:])
        for place, (partitions, cut_over, more) in enumerate(eras):
            is_passed = place < (self.passed or 0)
            for lane in self.lanes:
                number = lane.stretch.lane
                era = lane.era(before.get(number), None if cut_over is None else cut_over.offsets.get(number, 0))
                if is_passed:
                    _leave_out(bar, max(0, era.last - era.first))
                elif era.first < era.last:
                    bar.say(f"lane {number}")
                    await self._decide(lane, era, partitions, bar, pace)
            if cut_over is not None:
                if not is_passed:
                    await self._move(cut_over, more, place + 1)
                before = cut_over.offsets

    async def _move(self, cut_over: CutOver, partitions: int, passed: int) -> None:
        """What the cut-over to so many partitions did to the live schema."""
        async with self.own.begin() as connection:
            rows = {row.partition: row for row in await lanes.read_all(connection)}
            async for page in ground.organizations(connection):
                await ground.move(connection, {name: partition_of(name, partitions) for name in page})
            begins = {lane: offset for lane, offset in cut_over.offsets.items() if lane not in rows}
            latest_at = max(ground.latest_of(rows), cut_over.above or BEFORE_ALL)
            await ground.declare(connection, partitions, begins, latest_at)
            await under_way.go_past(connection, passed)

    async def _decide(self, lane: Lane, era: Stretch, partitions: int, bar: Bar, pace: Pace) -> None:
        number = era.lane
        database = self._parts(lane.rules[0][1], partitions).database
        row, due_at, room_until = await database.take_lane(number, first_offset=era.first)
        reached = min(max(era.first, row.next_offset), era.last)
        _leave_out(bar, reached - era.first)
        standing = Standing(row, due_at)
        async for page in pages(self.consumer, self.topic, Stretch(number, reached, era.last)):
            if page[-1].offset + ROOM_MIN > room_until:
                room_until = await database.make_room(number, standing.row.next_offset)
            for rules_, records in lane.cut(page):
                async with aclosing(settle(self._parts(rules_, partitions), standing, records)) as settled:
                    async for standing, _ in settled:  # noqa: B007 - the last one is where the next piece begins
                        pass
            bar.advance(page[-1].offset + 1 - reached)
            reached = page[-1].offset + 1
            await pace.keep(len(page))

    def _parts(self, rules_: Rules, partitions: int) -> Parts:
        names, own_id = TopicNames(self.settings), self.installation.id
        return Parts(
            settings=self.settings,
            database=PostgresDatabase(self.own, own_id, rules_),
            topics=KafkaTopics(self.settings, names, own_id),
            installation=own_id,
            partitions=partitions,
            names=names,
            writer=Writer(own_id, self.settings.publishing.source),
        )


def _leave_out(bar: Bar, count: int) -> None:
    """So much was decided before a run was killed."""
    bar.aim((bar.total or 0) - count)


@asynccontextmanager
async def scratch(
    settings: Settings, scope: Scope, on_progress: Callable[[str], None], *, with_rules_of_now: bool, is_kept: bool
) -> AsyncIterator[Scratch]:
    """An empty schema beside the live one, gone in the end unless it is kept. Raises Refused.

    A run that was killed has left its own behind: the same run, of the same release, goes on with it; another drops it.
    """
    live = _engine(settings, settings.database.url)
    owner = _engine(settings, settings.database.owner_url or settings.database.url)
    own = _engine(settings, settings.database.owner_url or settings.database.url, SCHEMA)
    try:
        async with owner.connect() as guard, clients.consuming(settings.kafka) as consumer:
            autocommit = await guard.execution_options(isolation_level="AUTOCOMMIT")
            if not (await autocommit.execute(_LOCK)).scalar_one():
                raise Refused("Somebody else is replaying into the scratch schema of this database.")
            async with live.connect() as connection:
                declared = await installation.read(connection)
                live_schema: str = (await connection.execute(_LIVE)).scalar_one()
                cut_overs = await audit.cut_overs(connection)
                found = await _lanes(connection, consumer, settings, scope, declared, cut_overs, with_rules_of_now)
            identity = under_way.identity_of(
                settings, _asked(scope, declared, cut_overs, found), with_rules_of_now=with_rules_of_now
            )
            passed = await under_way.begun(autocommit, identity)
            if passed is None:
                await under_way.make(autocommit, settings, on_progress)
                async with own.begin() as connection:
                    await connection.execute(
                        _BE,
                        {"id": declared.id, "topic": declared.commands_topic, "partitions": declared.partitions},
                    )
                    await under_way.begin(connection, identity)
            yield Scratch(settings, scope, live, live_schema, own, consumer, declared, found, cut_overs, passed)
            await own.dispose()
            await under_way.end(autocommit, is_kept=is_kept)
    finally:
        for engine in (own, owner, live):
            await engine.dispose()


def _engine(settings: Settings, url: str, search_path: str | None = None) -> AsyncEngine:
    return create_engine(
        url,
        application_name="billing-worker replay",
        connections_max=2,
        command_seconds_max=_STATEMENT_SECONDS_MAX,
        idle_in_transaction_seconds_max=_STATEMENT_SECONDS_MAX,
        lock_seconds_max=settings.database.command_timeout_seconds,
        search_path=search_path,
    )


def _asked(
    scope: Scope, declared: Installation, cut_overs: Sequence[CutOver], found: Sequence[Lane]
) -> Mapping[str, object]:
    return {
        "scope": scope.arguments(),
        "lanes": [[lane.stretch.lane, lane.began] for lane in found],
        "installation": [str(declared.id), declared.commands_topic, declared.partitions, len(cut_overs)],
    }


async def _lanes(
    connection: AsyncConnection,
    consumer: AIOKafkaConsumer,
    settings: Settings,
    scope: Scope,
    declared: Installation,
    cut_overs: Sequence[CutOver],
    with_rules_of_now: bool,  # noqa: FBT001
) -> list[Lane]:
    """What was decided of the lanes that are asked for, from their beginnings on, and of others up to a cut-over."""
    topic = declared.commands_topic or settings.topics.commands
    positions = {lane.partition: lane.next_offset for lane in await lanes.read_all(connection)}
    asked_for = await stretches_of(consumer, topic, Scope(lanes=scope.lanes, until=scope.until), positions)
    others = dict(cut_overs[-1].offsets) if cut_overs and scope.lanes else {}
    for number in scope.lanes:
        others.pop(number, None)
    found = []
    for stretch in [*asked_for, *await stretches_of(consumer, topic, Scope(), others)]:
        in_force = await rules.read_all(connection, stretch.lane)
        began = in_force[0][0] if in_force else stretch.first
        if stretch.first > began:
            msg = (
                f"Lane {stretch.lane} began at offset {began}, but its log starts at {stretch.first}: the commands "
                "before are gone, and with them what the others stood on. How long they stay is the topic's retention."
            )
            raise Refused(msg)
        if with_rules_of_now or not in_force:
            in_force = [(began, settings.rules.as_rules())]
        whole = Stretch(stretch.lane, max(began, stretch.first), stretch.last)
        found.append(Lane(whole, began, in_force, is_asked_for=stretch in asked_for))
    return found
