"""E10, its ground: each command has the instant that the log gives it, later than all before it in its partition."""

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.instants import format_instant, parse_instant
from tests.system.checker.marks import Came
from tests.system.checker.messages import Message

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


CUT_OVERS = text(
    "SELECT outcome FROM audit WHERE command = 'topics cut-over' AND outcome -> 'offsets' IS NOT NULL ORDER BY id"
)

Raised = dict[int, dict[int, int]]
"""By lane and offset: from there on every instant lies above this one, in microseconds."""


async def raised_by_cut_overs(connection: AsyncConnection) -> Raised:
    """What the audit tells of cut-overs: every lane goes on above the latest instant of all."""
    raised: Raised = defaultdict(dict)
    for (outcome,) in await connection.execute(CUT_OVERS):
        above = (parse_instant(outcome["above"]) - EPOCH) // MICROSECOND
        for lane, offset in enumerate(outcome["offsets"]):
            raised[lane][offset] = above
    return raised


@dataclass
class Instants:
    """at = max(append time, the latest instant of the partition + 1 µs), from the first record of the log on."""

    raised: Raised = field(default_factory=dict)
    latest: dict[int, int] = field(default_factory=dict)
    offsets: dict[int, "array[int]"] = field(default_factory=lambda: defaultdict(lambda: array("q")))
    instants: dict[int, "array[int]"] = field(default_factory=lambda: defaultdict(lambda: array("q")))

    def lies(self, record: Came) -> None:
        """The next record of its partition, whatever it is."""
        lane = record.partition
        raised = self.raised.get(lane, {})
        for offset in [offset for offset in raised if offset <= record.offset]:
            self.latest[lane] = max(self.latest.get(lane, 0), raised.pop(offset))
        at = max(record.timestamp * 1000, self.latest.get(lane, 0) + 1)
        self.latest[lane] = at
        self.offsets[lane].append(record.offset)
        self.instants[lane].append(at)

    def see(self, message: Message) -> Iterator[str]:
        """Whatever a command brings about is of its instant."""
        place = message.place
        at = self._at(place.lane, place.offset)
        if message.body is None or at is None:
            return
        wanted = format_instant(EPOCH + at * MICROSECOND)
        if message.body["time"] != wanted:
            yield f"{message} is of {message.body['time']}, but its command's instant is {wanted}"

    def _at(self, lane: int, offset: int) -> int | None:
        """The instant of a record of the log."""
        offsets = self.offsets.get(lane)
        if offsets is None:
            return None
        place = bisect_left(offsets, offset)
        return self.instants[lane][place] if place < len(offsets) and offsets[place] == offset else None
