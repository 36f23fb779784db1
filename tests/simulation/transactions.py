"""One transaction of a batch, as `worker.store.database` has it: statements on a connection that may break at each."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from tests.simulation import books, saving
from tests.simulation.loop import PROCESS
from tests.simulation.network import Link, Request
from tests.simulation.postgres import Postgres, Session, lost
from tests.simulation.tables import Tables
from worker.domain.book import Book, Key, Recorded
from worker.domain.values import Instant, Rules
from worker.store.book import Needs
from worker.store.due import Due
from worker.store.inbox import InboxRow, Remembered
from worker.store.journal_rows import JournalRow
from worker.store.lanes import Lane, Moved


class Connection:
    """A session, from the client's end. After the first error it is of no use any more."""

    def __init__(self, postgres: Postgres, link: Link, patience: float) -> None:
        self.postgres = postgres
        self._link = link
        self._patience = patience
        self.session: Session = postgres.open(PROCESS.get())

    async def execute(self, name: str, effect: Callable[[Request], Any]) -> Any:
        """One statement."""
        session = self.session

        def run(request: Request) -> Any:
            if not session.is_alive:
                raise lost()
            session.idle_since = self._link.world.loop.time()
            return effect(request)

        return await self._link.ask(name, run, patience=self._patience)

    def close(self) -> None:
        """Give it up. The server hears of it in a moment, or much later where the connection broke."""
        if not self.session.is_alive or self._link.world.is_over:
            return
        loop, draw = self._link.world.loop, self._link.world.draw
        most = self.postgres.settings.database.idle_in_transaction_seconds_max
        seconds = draw() * most if draw() < self.postgres.server.rate else self._link.world.latency()
        loop.later(seconds, self.postgres.end, self.session)


class Transaction:
    """One transaction of a batch."""

    def __init__(self, connection: Connection, installation: UUID, rules: Rules) -> None:
        self._connection = connection
        self._installation = installation
        self._rules = rules
        self._partition = -1

    @property
    def _postgres(self) -> Postgres:
        return self._connection.postgres

    async def move(self, lane: Lane, after: Lane, ids: Collection[Key] = ()) -> Moved | None:
        """Compare-and-set under the row's lock. A row that does not match is not waited for."""
        postgres, session, partition = self._postgres, self._connection.session, lane.partition
        self._partition = partition

        def run(request: Request) -> Any:
            return postgres.lock(session, partition, request, then) if postgres.stands(lane) else None

        def then() -> Moved | None:
            if not postgres.stands(lane):
                return None
            session.staged.lane = moved(postgres.tables.lanes[partition], after)
            return Moved(postgres.world.now(), answered(postgres.tables, ids))

        done: Moved | None = await self._connection.execute(
            f"move {partition} of {lane.epoch} from {lane.next_offset} to {after.next_offset}", run
        )
        return done

    async def read(self, partition: int) -> Lane | None:
        """The lane as it stands."""
        lane: Lane | None = await self._connection.execute(
            "read lane", lambda _: self._postgres.tables.lanes.get(partition)
        )
        return lane

    async def correct(self, lane: Lane) -> None:
        """Set how far the batch has come."""
        staged = self._connection.session.staged

        def run(_: Request) -> None:
            assert staged.lane is not None
            staged.lane = replace(
                staged.lane, next_offset=lane.next_offset, latest_at=lane.latest_at, fingerprint=lane.fingerprint
            )

        await self._connection.execute(f"correct to {lane.next_offset}", run)

    async def load(self, needs: Needs) -> Book:
        """The book for what the batch touches."""
        book: Book = await self._connection.execute(
            "load", lambda _: books.load(self._postgres.tables, needs, self._installation, self._rules)
        )
        return book

    async def load_due(self, book: Book, partition: int, at: Instant) -> Due:
        """What is due by an instant, put into the book."""
        staged = self._connection.session.staged
        due: Due = await self._connection.execute(
            "load due", lambda _: books.load_due(staged.over(self._postgres.tables), book, partition, at)
        )
        return due

    async def forget(self, ids: Collection[Key]) -> None:
        """What was published is not folded here, so nothing is answered anew."""
        raise NotImplementedError

    async def save(
        self, partition: int, book: Book, recorded: Sequence[Recorded], used: Sequence[InboxRow] = ()
    ) -> None:
        """Write what changed, and the ids used up."""
        tables, staged = self._postgres.tables, self._connection.session.staged
        await self._write(
            f"save {len(recorded)} events", lambda: saving.stage(tables, staged, partition, book, recorded, used)
        )

    async def append(self, partition: int, outgoing: Sequence[JournalRow]) -> None:
        """Write every record that goes out."""
        tables, staged = self._postgres.tables, self._connection.session.staged
        await self._write(f"append {len(outgoing)} records", lambda: saving.append(tables, staged, partition, outgoing))

    async def _write(self, what: str, write: Callable[[], None]) -> None:
        def run(_: Request) -> None:
            try:
                write()
            except Exception as error:
                self._postgres.violations.append(str(error))
                raise

        await self._connection.execute(what, run)

    async def settle_notices(self, partition: int) -> None:
        """Folding is not simulated."""

    async def next_due_at(self, partition: int) -> Instant | None:
        """When the lane has something to do next."""
        staged = self._connection.session.staged
        at: Instant | None = await self._connection.execute(
            "next due", lambda _: books.next_at(staged.over(self._postgres.tables), partition)
        )
        return at

    async def check_constraints(self) -> None:
        """Check now what would be checked at COMMIT."""
        staged = self._connection.session.staged
        await self._connection.execute(
            "check constraints", lambda _: staged.check(self._postgres.tables, self._partition)
        )

    async def commit(self) -> None:
        """Make it last. On an error the outcome may be unknown."""
        session = self._connection.session
        await self._connection.execute("COMMIT", lambda _: self._postgres.commit(session, self._partition))


def answered(tables: Tables, ids: Collection[Key]) -> dict[Key, Remembered]:
    """Of these commands the ones that were answered before."""
    known = [(key, tables.inbox[key]) for key in sorted(ids) if key in tables.inbox]
    return {key: Remembered(row.content_hash, row.outcome, row.result) for key, row in known}


def moved(row: Lane, after: Lane) -> Lane:
    """The row after a batch."""
    return replace(
        row,
        next_offset=after.next_offset,
        latest_at=after.latest_at,
        fingerprint=after.fingerprint,
        published=after.published,
        horizon_offset=after.horizon_offset,
    )
