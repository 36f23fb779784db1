"""PostgreSQL as a lane sees it: one transaction a batch, and the lane's row, which fences."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.domain.book import Book, Key, Recorded
from worker.domain.values import Instant, Rules
from worker.store import book as books
from worker.store import due, installation, journal, lanes, notices, retention, rules
from worker.store.book import Needs
from worker.store.due import Due
from worker.store.inbox import InboxRow
from worker.store.journal_rows import JournalRow
from worker.store.lanes import Lane, Moved, Taken
from worker.store.stopped import end_stopped_copies, is_lock_timeout

JOURNAL_AHEAD = 100_000
"""How many offsets ahead of the position the journal has its pieces ready."""

_CHECK_CONSTRAINTS = text("SET CONSTRAINTS ALL IMMEDIATE")


class PostgresTransaction:
    """One transaction of a batch."""

    def __init__(self, connection: AsyncConnection, installation: UUID, rules_: Rules) -> None:
        self._connection = connection
        self._installation = installation
        self._rules = rules_

    async def move(self, lane: Lane, after: Lane, ids: Collection[Key] = ()) -> Moved | None:
        """Compare-and-set of the position; None if it stands elsewhere. One statement, which also asks for `ids`."""
        return await lanes.move(
            self._connection,
            lane.partition,
            epoch=lane.epoch,
            expected_offset=lane.next_offset,
            next_offset=after.next_offset,
            latest_at=after.latest_at,
            fingerprint=after.fingerprint,
            published=after.published,
            horizon_offset=after.horizon_offset,
            ids=ids,
        )

    async def read(self, partition: int) -> Lane | None:
        """The lane as it stands."""
        return await lanes.read(self._connection, partition)

    async def correct(self, lane: Lane) -> None:
        """Set how far the batch has come."""
        await lanes.correct(self._connection, lane)

    async def load(self, needs: Needs) -> Book:
        """The book for what the batch touches: two or three statements."""
        return await books.load(self._connection, needs, self._installation, self._rules)

    async def load_due(self, book: Book, partition: int, at: Instant) -> Due:
        """What is due by an instant, put into the book: one to four statements."""
        return await due.load(self._connection, book, partition, at)

    async def forget(self, ids: Collection[Key]) -> None:
        """Forget these answers: what is given from now on is appended after that."""
        await retention.forget_answers(self._connection, ids)

    async def save(
        self, partition: int, book: Book, recorded: Sequence[Recorded], used: Sequence[InboxRow] = ()
    ) -> None:
        """Write what the recorded events changed, what the book says has changed without one, and ids used up.

        Raises StateDiverged when the database does not hold what the book was loaded from.
        """
        await books.save(self._connection, book, recorded, used, lane=partition)

    async def append(self, partition: int, outgoing: Sequence[JournalRow]) -> None:
        """Write every record that goes out."""
        await journal.append(self._connection, partition, outgoing)

    async def settle_notices(self, partition: int) -> None:
        """Let no account owe notices that all of its projects were given: their end is no event."""
        await notices.settle(self._connection, self._installation, self._rules, partition)

    async def next_due_at(self, partition: int) -> Instant | None:
        """When the lane has something to do next."""
        return await due.next_at(self._connection, partition)

    async def check_constraints(self) -> None:
        """Check now what would be checked at COMMIT, whose outcome is then not in doubt."""
        await self._connection.execute(_CHECK_CONSTRAINTS)

    async def commit(self) -> None:
        """Make it last."""
        await self._connection.commit()


class PostgresDatabase:
    """Where the state, the journal and the lanes' rows are.

    `partitions` are those that were declared when the worker began: with another number no lane is taken.
    """

    def __init__(
        self, engine: AsyncEngine, installation_: UUID, rules_: Rules, *, partitions: int | None = None
    ) -> None:
        self._engine = engine
        self._installation = installation_
        self._rules = rules_
        self._partitions = partitions

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresTransaction]:
        """A batch's transaction; undone unless committed."""
        async with self._engine.connect() as connection:
            yield PostgresTransaction(connection, self._installation, self._rules)

    async def read_lane(self, partition: int) -> Lane | None:
        """The lane as it stands, None if nobody ever took it."""
        async with self._engine.connect() as connection:
            return await lanes.read(connection, partition)

    async def check_declared(self) -> None:
        """Raises DeclaredAnew when another number of partitions is declared by now than this process began with."""
        async with self._engine.connect() as connection:
            await self._check_declared(connection)

    async def take_lane(self, partition: int, *, first_offset: int, published: int = 0, above: int = 0) -> Taken:
        """Become the owner: a new epoch, above `above`. Waits for a batch in flight, then shuts its owner out."""
        async with self._waiting_for_the_row() as connection:
            lane = await lanes.take(connection, partition, first_offset=first_offset, above=above)
            await self._check_declared(connection)
            return await self._get_ready(connection, lane, published)

    async def keep_lane(self, partition: int, epoch: int, *, published: int = 0) -> Taken | None:
        """Go on as the owner of the epoch; None when it is somebody else's. Waits for a batch in flight."""
        async with self._waiting_for_the_row() as connection:
            lane = await lanes.hold(connection, partition)
            if lane is None or lane.epoch != epoch:
                return None
            await self._check_declared(connection)
            return await self._get_ready(connection, lane, published)

    async def stop_lane(self, partition: int, epoch: int | None, reason: str | None) -> None:
        """Note why a lane waits for an operator's word; None lets it go on. Without an epoch: whoever owns it."""
        async with self._engine.begin() as connection:
            row = await lanes.hold(connection, partition)
            if row is not None and epoch in {None, row.epoch}:
                await lanes.stop(connection, partition, row.epoch, reason)

    async def make_room(self, partition: int, next_offset: int) -> int:
        """Have room in the journal ahead of a position. Returns the offset up to which there is."""
        async with self._engine.begin() as connection:
            return await self._make_room(connection, partition, next_offset)

    async def journal(
        self, partition: int, first: int, last: int, *, rows_max: int
    ) -> AsyncIterator[Sequence[JournalRow]]:
        """Records of the commands at [first, last), in order, never cutting through a command."""
        async with self._engine.connect() as connection:
            async for rows in journal.read(connection, partition, first, last, rows_max=rows_max):
                await connection.rollback()  # whoever publishes them takes his time: no transaction waits for him
                yield rows

    @asynccontextmanager
    async def _waiting_for_the_row(self) -> AsyncIterator[AsyncConnection]:
        """A transaction. Whoever waits in vain sees to it that whoever tries again does not."""
        try:
            async with self._engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            if is_lock_timeout(error):
                async with self._engine.connect() as connection:
                    await end_stopped_copies(connection)
            raise

    async def _check_declared(self, connection: AsyncConnection) -> None:
        """Raises DeclaredAnew. Only a statement after the one that waited for the row sees what a cut-over declared."""
        if self._partitions is not None:
            await installation.check(connection, self._partitions)

    async def _get_ready(self, connection: AsyncConnection, lane: Lane, published: int) -> Taken:
        """The rules that are set hold from the position on; from where was published, if that is further.

        Where none are known, those that held before are lost: then these are supposed from the position on, as a
        rebuild supposes them, and a lane begins where its rules do.
        """
        room_until = await self._make_room(connection, lane.partition, lane.next_offset)
        offset = max(lane.next_offset, published)
        if await rules.in_force(connection, lane.partition, offset) is None:
            offset = lane.next_offset
        await rules.hold_from(connection, lane.partition, offset, self._rules)
        return Taken(lane, await due.next_at(connection, lane.partition), room_until)

    @staticmethod
    async def _make_room(connection: AsyncConnection, partition: int, next_offset: int) -> int:
        await journal.ensure_pieces(connection, partition, next_offset, next_offset + JOURNAL_AHEAD)
        return next_offset + JOURNAL_AHEAD
