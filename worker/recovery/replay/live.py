"""Commands into the live system once more: everything that was applied is a duplicate there and changes nothing.

After a cut-over, whatever lay where it belonged then goes where its organization lives now: where it lay it would be
refused.

Who asks for it wants the answers again (`duplicate: true`), or has lost trust. What has no remembered answer is not
sent unless that is asked for: it would be decided as if it were new.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.broker import clients
from worker.domain.counts import Counts
from worker.recovery.progress import Bar, Bookmark, Pace
from worker.recovery.replay.scope import Scope, Stretch, pages, stretches_of
from worker.settings import Settings
from worker.store import audit, inbox, installation, lanes
from worker.store.engine import create_engine
from worker.wire.incoming import read
from worker.wire.partitions import partition_of_key
from worker.wire.request import Request, Tick, Unreadable

REMEMBERED = "remembered"
"""Those that are duplicates: the id is used up, by this content or another."""
FORGOTTEN = "notRemembered"


@dataclass
class Tally:
    """What was found in the scope, by what becomes of it, and how much was sent."""

    found: Counter[str] = field(default_factory=Counter)
    sent: int = 0

    def as_json(self) -> dict[str, Any]:
        """For programs, and the audit."""
        return {"found": dict(sorted(self.found.items())), "sent": self.sent}


@dataclass(frozen=True, slots=True)
class Live:
    """The live system, and what of its commands is asked for."""

    settings: Settings
    scope: Scope
    engine: AsyncEngine
    consumer: AIOKafkaConsumer
    topic: str
    counts: Counts
    stretches: list[Stretch]

    @property
    def total(self) -> int:
        """How many offsets there are to look through, at the most."""
        return sum(stretch.last - stretch.first for stretch in self.stretches)

    async def replay(
        self,
        producer: AIOKafkaProducer | None,
        bar: Bar,
        pace: Pace,
        bookmark: Bookmark,
        *,
        forgotten_too: bool = False,
    ) -> Tally:
        """Send the commands again to their organizations, byte for byte. Without a producer they are only counted.

        The bookmark is kept once what lies before it was acknowledged; a run that was killed goes on there, and what it
        sends twice is a duplicate like the rest.
        """
        tally = Tally()
        reached: dict[str, int] = bookmark.read() or {}
        for stretch in self.stretches:
            first = max(stretch.first, reached.get(str(stretch.lane), 0))
            bar.say(f"lane {stretch.lane}")
            bar.advance(first - stretch.first)
            async for page in pages(self.consumer, self.topic, Stretch(stretch.lane, first, stretch.last)):
                chosen = await self._choose(page, tally, forgotten_too=forgotten_too)
                if producer is not None:
                    await self._send(producer, chosen)
                    tally.sent += len(chosen)
                    await pace.keep(len(chosen))
                    reached[str(stretch.lane)] = page[-1].offset + 1
                    bookmark.keep(reached)
                bar.advance(page[-1].offset + 1 - first)
                first = page[-1].offset + 1
        bookmark.forget()
        return tally

    async def _choose(
        self, page: list[ConsumerRecord], tally: Tally, *, forgotten_too: bool
    ) -> list[tuple[ConsumerRecord, int]]:
        """What is to be sent again of a page, each with the partition where it goes."""
        read_ = [(record, read(record, partitions=self.counts.at(record.partition, record.offset))) for record in page]
        asked = [(record, what) for record, what in read_ if self._is_asked_for(what)]
        async with self.engine.connect() as connection:
            known = await inbox.load(
                connection, {(what.organization, what.id) for _, what in asked if isinstance(what, Request)}
            )
        chosen = []
        for record, kind in self._sorted(asked, known):
            tally.found[kind] += 1
            if kind == REMEMBERED or (kind == FORGOTTEN and forgotten_too):
                chosen.append((record, partition_of_key(record.key, self.counts.declared)))
        return chosen

    def _is_asked_for(self, what: Request | Tick | Unreadable) -> bool:
        if self.scope.organization is None and self.scope.command is None:
            return True
        return (
            isinstance(what, Request)
            and self.scope.organization in {None, what.organization}
            and self.scope.command in {None, what.id}
        )

    @staticmethod
    def _sorted(
        asked: list[tuple[ConsumerRecord, Request | Tick | Unreadable]], known: Mapping[tuple[str, str], object]
    ) -> Iterator[tuple[ConsumerRecord, str]]:
        for record, what in asked:
            if isinstance(what, Tick):
                yield record, "ticks"
            elif isinstance(what, Unreadable):
                yield record, "unreadable"
            elif what.dry_run:
                yield record, "dryRuns"
            elif what.key_refusals:
                yield record, "misplaced"
            else:
                yield record, REMEMBERED if (what.organization, what.id) in known else FORGOTTEN

    @staticmethod
    async def _send(producer: AIOKafkaProducer, chosen: list[tuple[ConsumerRecord, int]]) -> None:
        sent = [
            await producer.send(
                record.topic, record.value, key=record.key, partition=partition, headers=list(record.headers)
            )
            for record, partition in chosen
        ]
        for future in sent:
            await future


@asynccontextmanager
async def live(settings: Settings, scope: Scope) -> AsyncIterator[Live]:
    """Everything that is asked for as it lies now: up to where the lanes have decided."""
    engine = create_engine(settings.database.url, application_name="billing-worker replay", connections_max=1)
    try:
        async with engine.connect() as connection:
            declared = await installation.read(connection)
            positions = {lane.partition: lane.next_offset for lane in await lanes.read_all(connection)}
            cut_overs = await audit.cut_overs(connection)
        topic = declared.commands_topic or settings.topics.commands
        async with clients.consuming(settings.kafka) as consumer:
            stretches = await stretches_of(consumer, topic, scope, positions)
            counts = Counts(declared.partitions or settings.topics.partitions, cut_overs)
            yield Live(settings, scope, engine, consumer, topic, counts, stretches)
    finally:
        await engine.dispose()
