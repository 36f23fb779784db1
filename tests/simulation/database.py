"""The port to PostgreSQL, as `worker.store.database` has it: one process's way there."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

from tests.simulation import books
from tests.simulation.loop import PROCESS
from tests.simulation.network import Link
from tests.simulation.postgres import Postgres
from tests.simulation.transactions import Connection, Transaction
from worker.domain.values import Instant, Rules
from worker.lane.lane import ROOM_MIN
from worker.store.journal_rows import JournalRow
from worker.store.lanes import BEFORE_ALL, Lane, Taken

JOURNAL_AHEAD = ROOM_MIN + 12
"""So little that room has to be made again and again."""

PAGE_ROWS_MAX = 10
"""So few rows of the journal at a time that a take-over has to come back for more."""

Change = Callable[[Lane | None], Lane | None]


class Database:
    """Where the state, the journal and the lanes' rows are."""

    def __init__(self, postgres: Postgres, link: Link, installation: UUID, rules: Rules) -> None:
        self._postgres = postgres
        self._link = link
        self._installation = installation
        self._rules = rules
        self._patience = postgres.settings.database.command_timeout_seconds

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A batch's transaction; undone unless committed."""
        with self._connected() as connection:
            yield Transaction(connection, self._installation, self._rules)

    async def read_lane(self, partition: int) -> Lane | None:
        """The lane as it stands, None if nobody ever took it."""
        with self._connected() as connection:
            lane: Lane | None = await connection.execute(
                "read lane", lambda _: self._postgres.tables.lanes.get(partition)
            )
            return lane

    async def check_declared(self) -> None:
        """Nothing is ever declared anew here."""

    async def take_lane(self, partition: int, *, first_offset: int, published: int = 0, above: int = 0) -> Taken:
        """Become the owner: a new epoch. Waits for a batch in flight."""
        owner = PROCESS.get()

        def take(row: Lane | None) -> Lane:
            self._postgres.take(owner, partition)
            if row is None:
                return Lane(partition, above + 1, first_offset, BEFORE_ALL, None, first_offset, None, None)
            return replace(row, epoch=max(row.epoch, above) + 1)

        taken = await self._get_ready(partition, f"take lane {partition}", take, published)
        assert taken is not None
        return taken

    async def keep_lane(self, partition: int, epoch: int, *, published: int = 0) -> Taken | None:
        """Go on as the owner of the epoch; None when it is somebody else's."""

        def keep(row: Lane | None) -> Lane | None:
            return row if row is not None and row.epoch == epoch else None

        return await self._get_ready(partition, f"keep lane {partition} of {epoch}", keep, published)

    async def stop_lane(self, partition: int, epoch: int | None, reason: str | None) -> None:
        """Note why a lane waits for an operator's word; None lets it go on."""

        def stop(row: Lane | None) -> Lane | None:
            return replace(row, stopped=reason) if row is not None and epoch in {None, row.epoch} else None

        with self._connected() as connection:
            await self._change(connection, partition, f"stop lane {partition}: {reason}", stop)

    async def make_room(self, partition: int, next_offset: int) -> int:
        """Have room in the journal ahead of a position."""
        with self._connected() as connection:
            room: int = await connection.execute("make room", lambda _: self._make_room(partition, next_offset))
            return room

    async def journal(
        self, partition: int, first: int, last: int, *, rows_max: int
    ) -> AsyncIterator[Sequence[JournalRow]]:
        """Records of the commands at [first, last), a few commands at a time."""
        with self._connected() as connection:
            journal = self._postgres.tables.journal
            rows: list[JournalRow] = await connection.execute(
                "read journal",
                lambda _: [row for row in journal.get(partition, ()) if first <= row.offset < last],
            )
            page: list[JournalRow] = []
            for row in rows:
                if len(page) >= min(rows_max, PAGE_ROWS_MAX) and row.offset != page[-1].offset:
                    yield page
                    page = []
                    await connection.execute("read journal on", lambda _: None)
                page.append(row)
            if page:
                yield page

    async def _get_ready(self, partition: int, what: str, change: Change, published: int) -> Taken | None:
        """Change the row, note the rules that hold from there, and look up when something falls due."""
        with self._connected() as connection:
            postgres, staged = self._postgres, connection.session.staged

            def look(row: Lane) -> tuple[Instant | None, int]:
                room_until = self._make_room(partition, row.next_offset)
                staged.rules[partition, max(row.next_offset, published)] = self._rules
                return books.next_at(postgres.tables, partition), room_until

            row, seen = await self._change(connection, partition, what, change, look)
            return None if row is None else Taken(row, *seen)

    async def _change(
        self,
        connection: Connection,
        partition: int,
        what: str,
        change: Change,
        look: Callable[[Lane], Any] = lambda _: None,
    ) -> tuple[Lane | None, Any]:
        """One transaction on the row, under its lock."""
        postgres, session = self._postgres, connection.session

        def then() -> tuple[Lane | None, Any]:
            row = change(postgres.tables.lanes.get(partition))
            if row is None:
                return None, None
            session.staged.lane = row
            return row, look(row)

        answer: tuple[Lane | None, Any] = await connection.execute(
            what, lambda request: postgres.lock(session, partition, request, then)
        )
        await connection.execute("COMMIT", lambda _: postgres.commit(session, partition))
        return answer

    def _make_room(self, partition: int, next_offset: int) -> int:
        """Pieces of the journal up to so far, if there are none yet."""
        room = self._postgres.tables.room
        room[partition] = max(room.get(partition, 0), next_offset + JOURNAL_AHEAD)
        return next_offset + JOURNAL_AHEAD

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        connection = Connection(self._postgres, self._link, self._patience)
        try:
            yield connection
        finally:
            connection.close()
