"""Records of several lanes in one order: that of their instants, in each lane that of the journal.

Lanes share no subjects, so any order between them would do, but for one case: after a cut-over to more partitions an
organization goes on in another lane, above the latest instant of all. By instants it stays in order.
"""

from bisect import bisect_right
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.recovery.ahead import ahead
from worker.recovery.republish.journal import Place, Stretch, at_ease, page
from worker.recovery.republish.order import Selection
from worker.store.journal_rows import JournalRow

_ROWS_AT_ONCE = 12_000
_BYTES_AT_ONCE = 12 * 1024 * 1024
_ROWS_AT_FIRST = 200
_STEPS_AHEAD = 1


@dataclass(frozen=True, slots=True)
class Step:
    """Rows to publish in this order, and how far each lane is read with them."""

    rows: Sequence[JournalRow]
    places: dict[int, Place]


class _Lane:
    """One lane's rows, a page ahead."""

    def __init__(self, stretch: Stretch, place: Place, rows_max: int, bytes_max: int) -> None:
        self.stretch = stretch
        self.place = place
        self.rows: list[JournalRow] = []
        self.is_read = False
        self._rows_max, self._bytes_max = rows_max, bytes_max
        self._next_rows = min(rows_max, _ROWS_AT_FIRST)

    async def fill(self, connection: AsyncConnection, selection: Selection) -> None:
        """Read a page when nothing is left of the last; as many rows as will not take too much memory."""
        if self.rows or self.is_read:
            return
        wanted = self._next_rows
        self.rows = await page(connection, self.stretch.lane, self.place, self.stretch.last, selection, wanted)
        self.is_read = len(self.rows) < wanted
        if self.rows:
            bytes_ = sum(len(row.value or b"") + len(row.headers or b"") for row in self.rows)
            fitting = self._bytes_max * len(self.rows) // max(bytes_, 1)
            self._next_rows = max(1, min(self._rows_max, fitting, wanted * 4))
            self.place = Place(self.rows[-1].offset, self.rows[-1].index)

    def take(self, until: datetime | None) -> list[JournalRow]:
        """What lies no later than an instant; None: everything."""
        cut = len(self.rows) if until is None else bisect_right(self.rows, until, key=lambda row: row.at)
        taken, self.rows = self.rows[:cut], self.rows[cut:]
        return taken


async def in_order(
    connection: AsyncConnection,
    stretches: Sequence[Stretch],
    places: dict[int, Place],
    selection: Selection,
    rows_max: int,
) -> AsyncGenerator[Step, None]:
    """Everything of these stretches behind these places, in steps of about as many rows as a page at most has."""
    share = max(len(stretches), 1)
    lanes = [
        _Lane(
            stretch,
            places.get(stretch.lane, Place(stretch.first, -1)),
            max(1, min(rows_max, _ROWS_AT_ONCE) // share),
            _BYTES_AT_ONCE // share,
        )
        for stretch in stretches
    ]
    while True:
        await at_ease(connection)
        for lane in lanes:
            await lane.fill(connection, selection)
        await connection.rollback()  # whoever publishes them takes his time: no transaction waits for him
        lanes = [lane for lane in lanes if lane.rows or not lane.is_read]
        if not lanes:
            return
        until = min((lane.rows[-1].at for lane in lanes if lane.rows and not lane.is_read), default=None)
        rows: list[JournalRow] = []
        reached = {}
        for lane in lanes:
            if taken := lane.take(until):
                rows += taken
                reached[lane.stretch.lane] = Place(taken[-1].offset, taken[-1].index)
        rows.sort(key=lambda row: row.at)  # keeps each lane's own order
        yield Step(rows, reached)


async def gathered(steps: AsyncGenerator[Step, None], rows_max: int) -> AsyncGenerator[Step, None]:
    """The same; several small steps are put together."""
    so_far = Step([], {})
    async with aclosing(steps):
        async for step in steps:
            so_far = Step([*so_far.rows, *step.rows], so_far.places | step.places)
            if len(so_far.rows) * 2 >= rows_max or _bytes(so_far) * 4 >= _BYTES_AT_ONCE:
                yield so_far
                so_far = Step([], {})
    if so_far.rows:
        yield so_far


@asynccontextmanager
async def read_ahead(
    engine: AsyncEngine,
    stretches: Sequence[Stretch],
    places: dict[int, Place],
    selection: Selection,
    *,
    rows_max: int,
) -> AsyncGenerator[AsyncGenerator[Step, None], None]:
    """Everything of these stretches behind these places in order, read while what came before is published."""
    async with engine.connect() as connection:
        steps = in_order(connection, stretches, places, selection, rows_max)
        async with ahead(gathered(steps, rows_max), _STEPS_AHEAD) as read:
            yield read


def _bytes(step: Step) -> int:
    return sum(len(row.value or b"") for row in step.rows)
