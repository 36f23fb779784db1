"""Dead letters: finding them in their topic and in the journal, and what became of each.

A letter is named by where its record lay: topic/partition/offset of commands. What was requeued or discarded is told
by the audit; whoever does either first takes a lock on the letter, so that two do not do it at once.
"""
# ruff: noqa: S608  the parts that SQL is put together from are constants of this module and numbers

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import ORGANIZATION
from schemas.topics import DEAD_LETTER_HEADERS
from worker.domain.values import Position
from worker.wire.dead_letters import TRUNCATED
from worker.wire.envelope import open_envelope
from worker.wire.journal import unpack_headers
from worker.wire.records import Headers
from worker.wire.request import Unreadable

REQUEUE: Final = "dead-letters requeue"
DISCARD: Final = "dead-letters discard"
LETTER_BYTES_MAX: Final = 64_000_000
"""The largest that a topic can be told to take (BILLING_TOPICS__RECORD_BYTES_MAX)."""

_THERE = text("SELECT to_regclass(:name) IS NOT NULL")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:letter, 0))")
_FATES = text(
    """
    SELECT arguments ->> 'letter' AS letter, command, at, who, outcome ->> 'id' AS id, arguments ->> 'reason' AS reason
    FROM audit WHERE command IN (:requeue, :discard) AND (:letter = '' OR arguments ->> 'letter' = :letter)
    ORDER BY id
    """
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A record as it came, and why it lies here. A record too: what reads commands reads it.

    `timestamp` is that of the record, `at` when it was decided that it is none. `missing` names what was left out of a
    record that was too large.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    reason: str
    detail: str
    at: datetime
    missing: str | None

    @property
    def position(self) -> Position:
        """Where the record lay."""
        return Position(self.topic, self.partition, self.offset)

    @property
    def name(self) -> str:
        """What the letter is called."""
        return str(self.position)

    @property
    def organization(self) -> str | None:
        """Whose it seems to be: of its content, else of its key."""
        envelope = open_envelope(self, LETTER_BYTES_MAX)
        said = envelope.get("organization") if not isinstance(envelope, Unreadable) else None
        for name in (said, (self.key or b"").decode(errors="replace")):
            if isinstance(name, str) and ORGANIZATION.fullmatch(name):
                return name
        return None


@dataclass(frozen=True, slots=True)
class Fate:
    """Something that was done to a letter. `id` is the new command's, `reason` why it was discarded."""

    command: str
    at: datetime
    who: str
    id: str | None
    reason: str | None

    @property
    def word(self) -> str:
        """What was done to it, in a word."""
        return "requeued" if self.command == REQUEUE else "discarded"


class NoLetter(LookupError):  # noqa: N818  it is not there
    """There is no such letter, or its name is none."""


def parse_name(name: str, topic: str) -> Position:
    """Topic/partition/offset, or without the topic where that is the one of commands. Raises NoLetter."""
    parts = name.rsplit("/", 2)
    if len(parts) == 2:  # noqa: PLR2004
        parts = [topic, *parts]
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts[1:]):  # noqa: PLR2004
        raise NoLetter(f"{name} is no dead letter: they are called TOPIC/PARTITION/OFFSET, as `dead-letters list` does")
    return Position(parts[0], int(parts[1]), int(parts[2]))


def read_letter(key: bytes | None, value: bytes | None, headers: Headers, timestamp_ms: int) -> Letter | None:
    """A letter from its record; None for what no worker wrote. Our headers are the last: the record may bring its own.

    A record that has been a dead letter once, and was sent as a command, brings all of them.
    """
    names = [name for name, _ in headers]
    first = next((n for n in range(len(names) - 1, -1, -1) if names[n] == DEAD_LETTER_HEADERS[0]), None)
    if first is None or tuple(names[first:]) not in {DEAD_LETTER_HEADERS, (*DEAD_LETTER_HEADERS, TRUNCATED)}:
        return None
    ours = {name: (said or b"").decode(errors="replace") for name, said in headers[first:]}
    try:
        partition, offset, timestamp = (int(ours[f"billing-{name}"]) for name in ("partition", "offset", "timestamp"))
    except ValueError:
        return None
    return Letter(
        topic=ours["billing-topic"],
        partition=partition,
        offset=offset,
        timestamp=timestamp,
        key=key,
        value=value,
        headers=tuple(headers[:first]),
        reason=ours["billing-reason"],
        detail=ours["billing-detail"],
        at=datetime.fromtimestamp(timestamp_ms / 1000, UTC),
        missing=ours.get(TRUNCATED),
    )


async def in_topic(
    consumer: AIOKafkaConsumer, topic: str, partitions: int, since: datetime | None = None
) -> AsyncIterator[Letter]:
    """The letters that their topic holds now, from an instant on; of each partition in order."""
    logs = [TopicPartition(topic, partition) for partition in range(partitions)]
    consumer.assign(logs)
    ends = await consumer.end_offsets(logs)
    starts = await consumer.beginning_offsets(logs)
    if since is not None:
        found = await consumer.offsets_for_times(dict.fromkeys(logs, int(since.timestamp() * 1000)))
        starts = {log: found[log].offset if found.get(log) else ends[log] for log in logs}
    for log in logs:
        consumer.seek(log, starts[log])
    while any([await consumer.position(log) < ends[log] for log in logs]):
        for records in (await consumer.getmany(timeout_ms=200, max_records=1_000)).values():
            for record in records:
                letter = read_letter(record.key, record.value, record.headers, record.timestamp)
                if letter is not None:
                    yield letter


async def in_journal(connection: AsyncConnection, position: Position) -> Letter | None:
    """The letter of a record, while the journal keeps it."""
    table = f"journal_{position.partition:d}"
    if not (await connection.execute(_THERE, {"name": table})).scalar_one():
        return None
    found = await connection.execute(
        text(
            f"""
            SELECT at, key, value, headers FROM {table}
            WHERE lane = {position.partition:d} AND "offset" = :offset AND topic = 'dead-letters'
            """
        ),
        {"offset": position.offset},
    )
    for row in found:
        letter = read_letter(row.key, row.value, unpack_headers(row.headers or b""), int(row.at.timestamp() * 1000))
        if letter is not None and letter.position == position:
            return letter
    return None


async def fates(connection: AsyncConnection, letter: str = "") -> Mapping[str, list[Fate]]:
    """What was done to letters, or to one of them, by name: in the order in which it was done."""
    found = defaultdict(list)
    for row in await connection.execute(_FATES, {"requeue": REQUEUE, "discard": DISCARD, "letter": letter}):
        found[row.letter].append(Fate(row.command, row.at, row.who, row.id, row.reason))
    return found


async def lock(connection: AsyncConnection, letter: str) -> None:
    """Be the only one who does something to a letter, until the end of the transaction."""
    await connection.execute(_LOCK, {"letter": letter})
