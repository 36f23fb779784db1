"""What a lane needs of the outside: a database with transactions, and topics. Kafka and PostgreSQL come in by these.

The simulation puts an in-memory world behind them; everything above them is the code that runs in production.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from aiokafka import ConsumerRecord, TopicPartition

from worker.broker.log import LogRange
from worker.domain.book import Book, Key, Recorded
from worker.domain.values import Instant
from worker.folding.sources import Span
from worker.folding.stretch import Stretch
from worker.lane.publisher import Publisher
from worker.store.book import Needs
from worker.store.due import Due
from worker.store.inbox import InboxRow
from worker.store.journal_rows import JournalRow
from worker.store.lanes import Lane, Moved, Taken


class GroupOffset(NamedTuple):
    """A position as the consumer group keeps it, -1 if none; and who committed it, in his own words."""

    offset: int = -1
    metadata: str = ""


class Transaction(Protocol):
    """One transaction of a batch. Whatever is not committed when its block ends is undone."""

    async def move(self, lane: Lane, after: Lane, ids: Collection[Key] = ()) -> Moved | None:
        """The first statement: compare-and-set of the position, locked until the end.

        Returns the database's clock, and what was answered before of the commands with these ids; None if the lane
        stands elsewhere or is somebody else's.
        """

    async def read(self, partition: int) -> Lane | None:
        """The lane as it stands."""

    async def correct(self, lane: Lane) -> None:
        """Set how far the batch has come, if it moved the lane further than it decided."""

    async def load(self, needs: Needs) -> Book:
        """The book for what the batch touches."""

    async def load_due(self, book: Book, partition: int, at: Instant) -> Due:
        """What is due by an instant, put into the book, whose changes were saved before."""

    async def forget(self, ids: Collection[Key]) -> None:
        """Forget these answers: others are appended in their place."""

    async def save(
        self, partition: int, book: Book, recorded: Sequence[Recorded], used: Sequence[InboxRow] = ()
    ) -> None:
        """Write what the recorded events changed, what the book says has changed without one, and the ids used up."""

    async def append(self, partition: int, outgoing: Sequence[JournalRow]) -> None:
        """Write every record that goes out."""

    async def settle_notices(self, partition: int) -> None:
        """Let no account owe notices that all of its projects were given: their end is no event."""

    async def next_due_at(self, partition: int) -> Instant | None:
        """When the lane has something to do next."""

    async def check_constraints(self) -> None:
        """Check now what would be checked at COMMIT."""

    async def commit(self) -> None:
        """Make it last. On an error the outcome may be unknown."""


class Database(Protocol):
    """Where the state, the journal and the lanes' rows are."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A batch's transaction."""

    async def read_lane(self, partition: int) -> Lane | None:
        """The lane as it stands, None if nobody ever took it."""

    async def check_declared(self) -> None:
        """Raises DeclaredAnew when another number of partitions is declared by now than this process began with."""

    async def take_lane(self, partition: int, *, first_offset: int, published: int = 0, above: int = 0) -> Taken:
        """Become the owner, with room in the journal, and look up when something falls due.

        The rules that are set hold from the position on. Waits for a batch in flight, then shuts its owner out. A lane
        that nobody ever took begins at `first_offset`. `published` and `above` are what the topics know of its position
        and epoch: the rules hold from no sooner, and no epoch is counted again.
        """

    async def keep_lane(self, partition: int, epoch: int, *, published: int = 0) -> Taken | None:
        """The same for the owner that holds the epoch already; None when it is somebody else's."""

    async def stop_lane(self, partition: int, epoch: int | None, reason: str | None) -> None:
        """Note why a lane waits for an operator's word; None lets it go on. Without an epoch: whoever owns it."""

    async def make_room(self, partition: int, next_offset: int) -> int:
        """Have room in the journal ahead of a position. Returns the offset up to which there is."""

    def journal(self, partition: int, first: int, last: int, *, rows_max: int) -> AsyncIterator[Sequence[JournalRow]]:
        """Records of the commands at [first, last), in order, never cutting through a command."""


class Reader(Protocol):
    """Reads logs by position."""

    async def range_of(self, log: TopicPartition) -> LogRange:
        """What the log holds, open transactions included."""

    async def record_at(self, log: TopicPartition, offset: int) -> ConsumerRecord | None:
        """The record at an offset, or None if there is none exactly there."""

    async def newest_of_key(self, log: TopicPartition, key: bytes, hint: int | None = None) -> ConsumerRecord | None:
        """The newest committed record of a key, or None. `hint` is an offset where one was seen."""


class Topics(Protocol):
    """Where commands come from, and everything else goes."""

    def publisher(self, partition: int) -> Publisher:
        """A publisher for a lane, not started."""

    def reader(self) -> AbstractAsyncContextManager[Reader]:
        """A reader, connected."""

    def history(self, span: Span) -> AsyncGenerator[Stretch, None]:
        """What the topics hold of a lane, a stretch at a time, without a gap."""

    async def group_offset(self, partition: int) -> GroupOffset:
        """What the group's tools are told of the lane's position."""
