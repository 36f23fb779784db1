"""E5 and E6: what was published is the journal, record for record, in its order; and nothing else was."""

from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.system.checker.marks import MARK_BYTES, Headers, digest
from tests.system.checker.messages import Message, Place

Way = tuple[int, str, int]
"""A lane, a topic, a partition of it: what goes this way keeps the order of the journal."""


@dataclass(slots=True)
class _Rows:
    offsets: "array[int]" = field(default_factory=lambda: array("q"))
    indexes: "array[int]" = field(default_factory=lambda: array("i"))
    marks: bytearray = field(default_factory=bytearray)
    next: int = 0

    def mark(self, row: int) -> bytes:
        return bytes(self.marks[row * MARK_BYTES : (row + 1) * MARK_BYTES])

    def place(self, lane: int, row: int) -> Place:
        """What the row is of."""
        return Place(lane, self.offsets[row], self.indexes[row])

    def find(self, mark: bytes, first: int, last: int) -> int:
        """The row of a mark in `[first, last)`, or -1."""
        return next((row for row in range(first, last) if self.mark(row) == mark), -1)


@dataclass
class Ledger:
    """The rows of the journal by the way that they go, to be crossed off as the records are met in the topics."""

    ways: dict[Way, _Rows] = field(default_factory=lambda: defaultdict(_Rows))
    rows: int = 0

    def enter(self, way: Way, place: Place, mark: bytes) -> None:
        """A row, in the order of the journal."""
        rows = self.ways[way]
        rows.offsets.append(place.offset)
        rows.indexes.append(place.index)
        rows.marks += mark
        self.rows += 1

    def cross_off(self, message: Message) -> Iterator[tuple[str, str]]:
        """A record met in its topic, the first of its identity: claim and message for what is wrong."""
        record = message.record
        rows = self.ways[message.place.lane, record.topic, record.partition]
        mark = mark_of(record.key, record.value, record.headers)
        if rows.next < len(rows.offsets) and rows.mark(rows.next) == mark:
            place = rows.place(message.place.lane, rows.next)
            if message.place.index >= 0 and message.place != place:
                yield "E5", f"{message} is in the journal at {place}"
            rows.next += 1
            return
        found = rows.find(mark, rows.next, len(rows.offsets))
        if found >= 0:
            for row in range(rows.next, found):
                place = rows.place(message.place.lane, row)
                yield "E5", f"{place} is in the journal, but not in {record.topic} before {message}"
            rows.next = found + 1
        elif rows.find(mark, 0, rows.next) >= 0:
            yield "E5", f"{message} is not where the journal has it"
        else:
            yield "E6", f"{message} was published, but is not in the journal"

    def is_published(self) -> Iterator[str]:
        """E5: every row was met."""
        for (lane, topic, _), rows in self.ways.items():
            for row in range(rows.next, len(rows.offsets)):
                yield f"{rows.place(lane, row)} is in the journal, but not in {topic}"


def mark_of(key: bytes | None, value: bytes | None, headers: Headers) -> bytes:
    """What the journal keeps of a record: headers only of dead letters."""
    names = {name for name, _ in headers}
    return digest(key, value, list(headers) if "billing-offset" in names else None)
