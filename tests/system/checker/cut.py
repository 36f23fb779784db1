"""Up to where everything is looked at: the database of one moment, and in the topics what it had decided by then.

So a check need not wait until workers are gone, who go on sending ticks and doing what falls due.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.system.checker.messages import Message


class Position(NamedTuple):
    """How far a lane had come."""

    next_offset: int
    latest_at: datetime


@dataclass(frozen=True)
class Cut:
    """Where each lane stood at that moment."""

    lanes: dict[int, Position]
    installation: str

    def is_past(self, message: Message) -> bool:
        """Whether a record came about later. A tombstone names no position; its time tells."""
        lane = self.lanes.get(message.place.lane)
        if lane is None:
            return message.place.lane >= 0
        if message.place.offset < 0:
            return message.record.timestamp > lane.latest_at.timestamp() * 1000
        return message.place.offset >= lane.next_offset

    def lies_past(self, partition: int, offset: int) -> bool:
        """Whether a record of the log of commands is decided later."""
        lane = self.lanes.get(partition)
        return lane is None or offset >= lane.next_offset


async def cut_of(connection: AsyncConnection) -> Cut:
    """The moment that a connection's transaction sees."""
    ((installation,),) = await connection.execute(text("SELECT id::text FROM installation"))
    rows = await connection.execute(text("SELECT partition, next_offset, latest_at FROM lanes"))
    return Cut({row[0]: Position(row[1], row[2]) for row in rows}, installation)


@dataclass
class Past:
    """What came out past the cut: of a worker that goes on, and that commits before it publishes."""

    records: dict[int, Message] = field(default_factory=dict)
    """By lane, the one of the furthest position."""

    def see(self, message: Message) -> None:
        """A record past the cut."""
        place = message.place
        if place.lane not in self.records or self.records[place.lane].place.offset < place.offset:
            self.records[place.lane] = message

    def is_committed(self, positions: dict[int, int]) -> Iterator[str]:
        """E6: what was published had been decided, says the database when it is asked afterwards."""
        for lane, message in sorted(self.records.items()):
            if message.place.offset >= positions.get(lane, 0):
                yield f"{message} was published, but lane {lane} stands at {positions.get(lane, 0)}"


@dataclass(slots=True)
class Horizon:
    """The furthest that the topics tell of a lane."""

    offset: int = 0
    installation: str = ""


def is_published(cut: Cut, told: dict[int, Horizon]) -> Iterator[str]:
    """E9: every lane's horizon has reached its position, and is of this installation."""
    for partition, lane in sorted(cut.lanes.items()):
        horizon = told.get(partition, Horizon(0, cut.installation))
        if horizon.offset < lane.next_offset:
            yield f"lane {partition} stands at {lane.next_offset}, its horizon at {horizon.offset}: more to publish"
        if horizon.installation != cut.installation:
            yield f"lane {partition} has a horizon of the installation {horizon.installation}"
