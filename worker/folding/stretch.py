"""A stretch of a lane as its topics hold it, and what it means for state, inbox and journal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from worker.domain.book import Book, Key, Recorded
from worker.domain.decision import Reason
from worker.domain.values import Instant
from worker.folding.events import fold, needs_of
from worker.store.book import Needs
from worker.store.inbox import InboxRow, Remembered
from worker.store.journal_rows import JournalRow
from worker.store.lanes import Fingerprint
from worker.wire.outgoing import Topic
from worker.wire.published import Place, PublishedEvent, PublishedResult, at_of, read_event, read_result

HASH_UNKNOWN = b""
"""Stands in the inbox where the command itself is gone from its topic: its id counts, whatever its content was."""

MAY_BE_USED: Final = frozenset({Reason.UNKNOWN_COMMAND.value, Reason.INTERNAL_ERROR.value})
"""Answers that may have been given to an id that was used up before; they do not tell."""

EVENTS = frozenset({Topic.ACCOUNT_EVENTS, Topic.BINDING_EVENTS})

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Found(NamedTuple):
    """A record as it lies in an output topic, with where it belongs. `headers` are packed, of dead letters only."""

    place: Place
    topic: Topic
    key: bytes | None
    value: bytes | None
    headers: bytes | None
    timestamp: int


class Sent(NamedTuple):
    """What is kept of a command: its instant, the hash of its content (none if unreadable), how to know it again."""

    at: Instant
    content_hash: bytes
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class Stretch:
    """Everything that the commands at `[first, last)` of a lane brought about, as far as the topics still hold it.

    `commands` by offset are those that their topic still has. `latest_at` is the instant that the lane had reached
    after them. `removed` are projects whose compacted record was removed until then.
    """

    lane: int
    first: int
    last: int
    found: Sequence[Found]
    commands: Mapping[int, Sent]
    latest_at: Instant
    removed: Sequence[Key]


@dataclass(slots=True)
class Reading:
    """A stretch, its events and results read."""

    stretch: Stretch
    events: list[PublishedEvent] = field(default_factory=list)
    results: list[PublishedResult] = field(default_factory=list)
    journal: list[JournalRow] = field(default_factory=list)

    @property
    def needs(self) -> Needs:
        """What has to be loaded before it is folded."""
        needs = needs_of(self.events)
        needs.projects |= set(self.stretch.removed)
        return needs

    @property
    def fingerprint(self) -> Fingerprint | None:
        """That of the last command, if its topic still has any."""
        commands = self.stretch.commands
        return commands[max(commands)].fingerprint if commands else None

    @property
    def ids(self) -> set[Key]:
        """The ids that are used up, unless they were before."""
        return {(result.organization, result.command) for result in self.results if result.uses_id}


def from_ms(timestamp: int) -> Instant:
    """The instant of a timestamp of Kafka's."""
    return _EPOCH + timedelta(milliseconds=timestamp)


def read(stretch: Stretch, installation: UUID) -> Reading:
    """Read a stretch. Raises NotPublishedError when something lies there that no worker wrote."""
    reading = Reading(stretch)
    for found in stretch.found:
        at = None
        if found.topic in EVENTS:
            event = read_event(found.value, installation)
            reading.events.append(event)
            at = event.at
        elif found.topic is Topic.COMMAND_RESULTS:
            result = read_result(found.value)
            reading.results.append(result)
            at = result.at
        elif found.topic is not Topic.DEAD_LETTERS:
            at = at_of(found.value)
        reading.journal.append(_row(found, at or _at_of_letter(stretch, found)))
    return reading


def fold_reading(
    reading: Reading, book: Book, answered: Mapping[Key, Remembered]
) -> tuple[Sequence[Recorded], list[InboxRow]]:
    """What the stretch changes in the book, which holds its needs, and the ids that it uses up.

    Some may be among those that were `answered`: their time was over, and they were used anew. Only the later answer
    is to be given again, so the earlier one has to be forgotten.

    Raises SequenceGapError when the topics are not whole.
    """
    recorded = fold(book, reading.events)
    for key in reading.stretch.removed:
        project = book.projects[key]
        if project is not None and project.deleted_at is not None and not project.tombstoned:
            book.tombstone(key)
    used: dict[Key, InboxRow] = {}
    for result in reading.results:
        key = (result.organization, result.command)
        is_known = key in answered or key in used
        if result.uses_id and not (is_known and result.codes & MAY_BE_USED):
            sent = reading.stretch.commands.get(result.place.offset)
            used[key] = inbox_row(result, sent.content_hash if sent else HASH_UNKNOWN)
    return recorded, list(used.values())


def inbox_row(result: PublishedResult, content_hash: bytes) -> InboxRow:
    """What an answer leaves in the inbox."""
    place = result.place
    return InboxRow(
        result.organization,
        result.command,
        content_hash,
        place.lane,
        place.offset,
        result.at,
        result.outcome,
        result.data,
    )


def _row(found: Found, at: Instant) -> JournalRow:
    place = found.place
    return JournalRow(place.offset, place.index, at, found.topic.value, found.key, found.value, found.headers)


def _at_of_letter(stretch: Stretch, found: Found) -> Instant:
    """Of a dead letter Kafka knows the instant in milliseconds only; the command's own place tells the rest."""
    sent = stretch.commands.get(found.place.offset)
    return sent.at if sent else from_ms(found.timestamp)
