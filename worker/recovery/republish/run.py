"""Publishing again what the journal keeps: identical bytes, in the order in which they were published first.

Events, results and dead letters go out as a log: in the order of the journal, in transactions that carry how far they
have come. Of each account and project the latest state goes to a compacted topic, and only if that holds none that is
newer; where a worker publishes meanwhile, his lane is at rest while that is looked at and written. Into topics that
know nothing of a lane goes its horizon last: how far everything is published.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from worker.broker import clients
from worker.domain.counts import Counts
from worker.recovery.ahead import ahead, rarely_collecting
from worker.recovery.ground import Refused
from worker.recovery.progress import Bar, Pace
from worker.recovery.republish.journal import Place, Stretch, at_ease, latest_states
from worker.recovery.republish.order import LOGS, STATES
from worker.recovery.republish.reading import read_ahead
from worker.recovery.republish.records import restored
from worker.recovery.republish.rest import at_rest, held
from worker.recovery.republish.survey import Survey
from worker.recovery.republish.targets import Standing
from worker.recovery.republish.transactions import Transactions, progress_of
from worker.store.audit import cut_overs
from worker.store.journal_rows import JournalRow
from worker.store.lanes import Lane
from worker.wire.horizons import Horizon, counts_header, horizon_key
from worker.wire.outgoing import Outgoing, Topic
from worker.wire.writer import Writer

RECORDS_AT_ONCE: Final = 6_000
"""How many records of logs go into one transaction, about."""
STATES_AT_ONCE: Final = 2_000
"""How many states: a lane may be at rest for as long as they take."""
ROUNDS_MAX: Final = 10
"""How often to catch up with a lane that goes on while it is republished."""

_CHUNKS_AHEAD: Final = 1
_BYTES_AT_ONCE: Final = 16 * 1024 * 1024


@dataclass(slots=True)
class Outcome:
    """What was done, filled while it goes on. `resumed`: records before this place were published by a run before."""

    published: Counter[Topic] = field(default_factory=Counter)
    bytes: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    horizons: list[int] = field(default_factory=list)
    resumed: dict[int, Place] = field(default_factory=dict)

    def note(self, records: Sequence[Outgoing]) -> None:
        """These were published."""
        self.published.update(record.topic for record in records)
        self.bytes += sum(len(record.value or b"") for record in records)

    def as_json(self) -> dict[str, Any]:
        """For programs, and for the audit."""
        return {
            "published": {topic.value: count for topic, count in sorted(self.published.items())},
            "bytes": self.bytes,
            "skipped": {"older": self.skipped["older"], "alreadyThere": self.skipped["alreadyThere"]},
            "horizons": self.horizons,
            "resumedFrom": {str(lane): place.offset for lane, place in sorted(self.resumed.items())},
        }


async def republish(survey: Survey, outcome: Outcome, bar: Bar, say: Callable[[str], None]) -> None:
    """Carry an order out. Raises Refused, and the drivers' own errors: the same order then goes on where it was.

    `say` is told what whoever gave the order should know while it goes on.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(rarely_collecting())
        transactions = Transactions(survey.settings, survey.order, survey.targets, survey.installation.id)
        stack.push_async_callback(transactions.stop)
        await transactions.start()
        places = await progress_of(survey.admin, survey.settings, survey.order)
        if not places and (refusals := survey.refusals()):
            raise Refused("\n".join(refusals))
        if places:
            outcome.resumed = dict(places)
            transactions.go_on(places)
            say("Going on where a former run of the same order was ended.")
        committed = await stack.enter_async_context(clients.consuming(survey.settings.kafka))
        uncommitted = await stack.enter_async_context(
            clients.consuming(survey.settings.kafka, isolation="read_uncommitted")
        )
        standing = Standing(committed, uncommitted, survey.targets)
        stack.callback(standing.close)
        await _Run(survey, transactions, standing, Pace(survey.order.rate), outcome, bar).carry_out(places)
        await transactions.finish()


@dataclass(slots=True)
class _Run:
    survey: Survey
    transactions: Transactions
    standing: Standing
    pace: Pace
    outcome: Outcome
    bar: Bar

    async def carry_out(self, places: dict[int, Place]) -> None:
        """Logs, states, horizons; and once more for lanes that went on meanwhile."""
        self.bar.say("looking at the states that are there")
        await self.standing.open(self.survey.order.selection.chosen(STATES))
        done: dict[int, int] = {}
        for _ in range(ROUNDS_MAX):
            stretches = [each for each in await self.survey.stretches() if done.get(each.lane) != each.end]
            await self._publish_logs(stretches, places)
            await self._publish_states(stretches)
            done |= {each.lane: each.end for each in stretches}
            if await self._publish_horizons(done):
                return
        raise Refused("The lanes go on deciding while they are republished: end the workers, and give the order again.")

    async def _publish_logs(self, stretches: Sequence[Stretch], places: dict[int, Place]) -> None:
        order = self.survey.order
        if not order.selection.chosen(LOGS):
            return
        self.bar.say("events and results")
        rows_max = self.pace.page(RECORDS_AT_ONCE)
        async with read_ahead(self.survey.engine, stretches, places, order.selection, rows_max=rows_max) as steps:
            async for step in steps:
                records = restored(step.rows)
                await self.transactions.publish(records, step.places)
                places |= step.places
                await self._note(records)

    async def _publish_states(self, stretches: Sequence[Stretch]) -> None:
        if not (topics := self.survey.order.selection.chosen(STATES)):
            return
        is_own = any(map(self.survey.is_own, topics))
        async with ahead(self._latest(stretches), _CHUNKS_AHEAD) as chunks:
            async for stretch, chunk in chunks:
                self.bar.say(f"states of lane {stretch.lane}")
                is_live = is_own and stretch.lane in self.survey.horizons
                await self._publish_latest(stretch.lane, restored(chunk), is_live=is_live)

    async def _latest(self, stretches: Sequence[Stretch]) -> AsyncGenerator[tuple[Stretch, Sequence[JournalRow]], None]:
        """What the database sorts for one lane while that of another is published."""
        selection, rows_max = self.survey.order.selection, self.pace.page(STATES_AT_ONCE)
        for stretch in stretches:
            async with self.survey.engine.connect() as connection:
                await at_ease(connection)
                async for rows in latest_states(connection, stretch, selection, rows_max):
                    for chunk in _chunks(rows):
                        yield stretch, chunk

    async def _publish_latest(self, lane: int, records: Sequence[Outgoing], *, is_live: bool) -> None:
        """Those that are newer than what the topic holds, looked at and written while nobody else writes them."""
        async with AsyncExitStack() as stack:
            if is_live:
                await stack.enter_async_context(at_rest(self.survey, lane))
                await self.standing.read_on()
            reasons = [self.standing.why_not(record) for record in records]
            fresh = [record for record, reason in zip(records, reasons, strict=True) if reason is None]
            if fresh:
                await self.transactions.publish(fresh, {})
        self.standing.take(fresh)
        self.outcome.skipped.update(reason for reason in reasons if reason is not None)
        self.bar.advance(len(records) - len(fresh))
        await self._note(fresh)

    async def _publish_horizons(self, done: dict[int, int]) -> bool:
        """Tell how far the lanes are published where nothing is told of them. False: a lane has gone on."""
        if not self.survey.order.selection.is_whole:
            return True
        is_done = True
        for lane, end in done.items():
            if not self.survey.is_own(Topic.HORIZONS):
                if lane in self.survey.lanes:  # at least that far, whatever it has decided since
                    await self._tell(self.survey.lanes[lane])
            elif lane not in self.survey.horizons:
                async with held(self.survey, lane) as row:
                    if row.next_offset > end:
                        is_done = False
                    else:
                        await self._tell(row)
        return is_done

    async def _tell(self, row: Lane) -> None:
        """That everything before a lane's position is published, unless something is told of it."""
        key = horizon_key(self.survey.commands, row.partition)
        log = self.survey.targets.log_of(Topic.HORIZONS, key)
        if await self.survey.reader.newest_of_key(log, key) is None:
            horizon = await self._horizon(row)
            await self.transactions.publish([horizon], {})
            self.outcome.horizons.append(row.partition)
            await self._note([horizon])

    async def _horizon(self, row: Lane) -> Outgoing:
        """What the lane's owner would write: everything before the position is published."""
        survey, ours = self.survey, self.survey.installation
        horizon = Horizon(row.latest_at, row.next_offset, row.epoch, ours.id)
        told = Writer(ours.id, survey.settings.publishing.source).horizon(survey.commands, row.partition, horizon)
        async with survey.engine.connect() as connection:
            counts = Counts(ours.partitions or survey.settings.topics.partitions, await cut_overs(connection))
        return told._replace(headers=(*told.headers, counts_header(counts, row.partition)))

    async def _note(self, records: Sequence[Outgoing]) -> None:
        self.outcome.note(records)
        self.bar.advance(len(records))
        await self.pace.keep(len(records))


def _chunks(rows: Sequence[JournalRow]) -> list[Sequence[JournalRow]]:
    """As many at once as one transaction should carry."""
    chunks: list[Sequence[JournalRow]] = []
    first = size = 0
    for number, row in enumerate(rows):
        if number > first and size > _BYTES_AT_ONCE:
            chunks.append(rows[first:number])
            first, size = number, 0
        size += len(row.value or b"")
    return [*chunks, rows[first:]]
