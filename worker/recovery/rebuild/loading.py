"""What one partition of a topic leaves in the database: state folded from events, ids used up, the journal."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.book import Book
from worker.folding.stretch import HASH_UNKNOWN, from_ms, inbox_row
from worker.recovery.rebuild import used
from worker.recovery.rebuild.accounts import Accounts
from worker.recovery.rebuild.ground import NotRebuildableError, Reached
from worker.recovery.rebuild.projects import Projects
from worker.recovery.rebuild.reading import Commands
from worker.recovery.rebuild.states import States
from worker.store.columns import copy_into
from worker.store.inbox import InboxRow
from worker.wire.journal import pack_headers
from worker.wire.outgoing import Topic
from worker.wire.published import Place, PublishedEvent, at_of, place_of, place_of_letter, read_event, read_result
from worker.wire.records import PlainRecord

_JOURNAL: Final = ("lane", "offset", "index", "at", "topic", "key", "value", "headers")
_NOWHERE: Final = (-1, -1)
_SLICE: Final = 200
"""So many records are read at a time before the connection has its turn: the server is to work meanwhile."""

_KEEP = text("INSERT INTO rebuilding_kept VALUES (:organization, :project) ON CONFLICT DO NOTHING")
_DROP = text("DELETE FROM rebuilding_kept WHERE organization = :organization AND project = :project")


@dataclass(slots=True)
class Tally:
    """What was read so far, by kind: events, results, ids, states, letters; repeated and unpublished ones left out."""

    counts: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Whole:
    """What is known of the topics as a whole: their commands, and through where each lane is published.

    What lies behind a lane's horizon is as if it were not there, and with transactions cannot be. Ids are `remembered`
    for so long.
    """

    commands: str
    published: dict[int, int]
    partitions: int
    remembered: timedelta
    is_transactional: bool


class Loading:
    """One partition on its way into the database, within the transaction that is open."""

    def __init__(
        self,
        topic: Topic,
        book: Book,
        whole: Whole,
        commands: Commands,
        tally: Tally,
        *,
        reached: Reached | None = None,
        states: States | None = None,
    ) -> None:
        """`reached`: how far the database has the partition; `states`: what stands is taken from its records."""
        self._topic, self._topic_value = topic, topic.value
        self._whole = whole
        self._commands = commands
        self._counts = tally.counts
        self._installation = book.installation
        self._states = states
        self._subjects: Accounts | Projects | None = None
        if topic is Topic.ACCOUNT_EVENTS:
            self._subjects = Accounts(book, whole.partitions, may_be_stored=reached is not None)
        elif topic is Topic.BINDING_EVENTS:
            self._subjects = Projects(book, whole.partitions, may_be_stored=reached is not None)
        self.reached = dict(reached.places) if reached else {}
        self._journal: list[tuple[object, ...]] = []
        self._inbox: list[InboxRow] = []
        self._kept: dict[tuple[str, str], bool] = {}
        self._writing: asyncio.Task[None] | None = None

    @property
    def subjects(self) -> int:
        """How many accounts or projects are kept in memory, be it by their names alone."""
        return (self._subjects.count if self._subjects else 0) + len(self._kept)

    async def take(self, connection: AsyncConnection, records: Sequence[PlainRecord]) -> None:
        """Read records and begin to write what they bring; the next ones may be read meanwhile."""
        if self._topic is Topic.COMMAND_RESULTS:
            await self._take_results(records)
        elif self._subjects is not None:
            await self._take_events(connection, self._subjects, records)
        else:
            await self._take_others(records)
        await self.wait()
        self._writing = asyncio.create_task(self._write(connection))

    async def finish(self, connection: AsyncConnection, subjects_max: int) -> None:
        """Write everything that was taken."""
        await self.wait()
        await self._write(connection)
        if self._subjects is not None:
            await self._subjects.write_present(connection, subjects_max)
        for is_kept, statement in ((True, _KEEP), (False, _DROP)):
            keys = [{"organization": key[0], "project": key[1]} for key, kept in self._kept.items() if kept is is_kept]
            if keys:
                await connection.execute(statement, keys)
        self._kept.clear()

    async def wait(self) -> None:
        """Until what was begun to be written is."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            await writing

    async def _take_events(
        self, connection: AsyncConnection, subjects: Accounts | Projects, records: Sequence[PlainRecord]
    ) -> None:
        found: list[tuple[PublishedEvent, PlainRecord]] = []
        for number, record in enumerate(records):
            told = read_event(record.value, self._installation)
            if self._is_first(told.place):
                found.append((told, record))
            if number % _SLICE == 0:
                await asyncio.sleep(0)
        if found and subjects.may_be_stored:
            await self.wait()
            await subjects.look_up(connection, [told for told, _ in found])
        folded = 0
        for number, (told, record) in enumerate(found):
            if subjects.fold(told):
                self._note(told.place, told.at, record)
                folded += 1
            if number % _SLICE == 0:
                await asyncio.sleep(0)
        self._counts["events"] += folded
        self._counts["repeated"] += len(found) - folded

    async def _take_results(self, records: Sequence[PlainRecord]) -> None:
        results = []
        for number, record in enumerate(records):
            result = read_result(record.value)
            if self._is_first(result.place):
                self._note(result.place, result.at, record)
                self._counts["results"] += 1
                if result.uses_id:
                    results.append(result)
            if number % _SLICE == 0:
                await asyncio.sleep(0)
        for lane in {result.place.lane for result in results}:
            of_lane = [result for result in results if result.place.lane == lane]
            hashes = await self._commands.hashes(lane, [result.place.offset for result in of_lane])
            for result in of_lane:
                content_hash = hashes.get(result.place.offset, HASH_UNKNOWN)
                self._counts["without content"] += content_hash == HASH_UNKNOWN
                self._inbox.append(inbox_row(result, content_hash))
        self._counts["ids"] += len(results)

    async def _take_others(self, records: Sequence[PlainRecord]) -> None:
        is_letters = self._topic is Topic.DEAD_LETTERS
        for number, record in enumerate(records):
            place = place_of_letter(record.headers) if is_letters else place_of(record.value)
            if self._topic is Topic.PAYERS and record.key is not None:
                organization, _, project = record.key.decode().partition("/")
                self._kept[organization, project] = record.value is not None
            if place is not None and self._is_first(place):
                at = from_ms(record.timestamp) if is_letters else at_of(record.value)
                self._note(place, at, record, pack_headers(record.headers) if is_letters else None)
                self._counts["letters" if is_letters else "states"] += 1
                if self._states is not None:
                    self._counts["subjects"] += self._states.take(record.offset, record.value)
            if number % _SLICE == 0:
                await asyncio.sleep(0)

    def _is_first(self, place: Place) -> bool:
        """Whether it counts, and was not read before: what comes again behind later ones was published again.

        Raises NotRebuildableError where topics and horizons contradict each other.
        """
        topic, lane, offset, index = place
        published = self._whole.published.get(lane, 0)
        if offset >= published and topic == self._whole.commands and self._whole.is_transactional:
            raise NotRebuildableError(
                f"lane {lane} is published through {published}, say the horizons, but in {self._topic_value} lies what "
                f"came of {offset}: a worker is at work, or the horizons are of an earlier time"
            )
        if offset >= published or topic != self._whole.commands:
            self._counts["unpublished"] += 1
            return False
        at = offset, index
        if at <= self.reached.get(lane, _NOWHERE):
            self._counts["repeated"] += 1
            return False
        self.reached[lane] = at
        return True

    def _note(self, place: Place, at: object, record: PlainRecord, headers: bytes | None = None) -> None:
        _, lane, offset, index = place
        self._journal.append((lane, offset, index, at, self._topic_value, record.key, record.value, headers))

    async def _write(self, connection: AsyncConnection) -> None:
        rows, self._journal = self._journal, []
        if rows:
            await copy_into(connection, "journal", _JOURNAL, rows)
        if self._states is not None:
            await self._states.write(connection)
        if self._subjects is not None:
            await self._subjects.write_past(connection)
        ids, self._inbox = self._inbox, []
        await used.write(connection, ids, self._whole.remembered)
