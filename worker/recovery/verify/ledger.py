"""Two large sets of records compared in little memory: sums first, the records themselves only where sums differ."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from struct import Struct
from types import TracebackType
from typing import Final, NamedTuple, Self

from worker.recovery.verify.records import Place

BUCKETS: Final = 1024
"""Into how many stretches a lane is cut, each with sums of its own."""

_MARK_BYTES: Final = 16
_MODULUS: Final = 2 ** (8 * _MARK_BYTES)
_HEAD: Final = Struct(">qii")
_FORM: Final = """
    CREATE TABLE seen (
        lane INTEGER, "offset" INTEGER, number INTEGER, mark BLOB, times INTEGER, partition INTEGER, at INTEGER,
        is_known INTEGER DEFAULT 0, PRIMARY KEY (lane, "offset", number, mark)
    ) WITHOUT ROWID
"""
_SEE: Final = """
    INSERT INTO seen (lane, "offset", number, mark, times, partition, at) VALUES (?, ?, ?, ?, 1, ?, ?)
    ON CONFLICT DO UPDATE SET times = times + 1
"""
_KNOW: Final = 'UPDATE seen SET is_known = 1 WHERE lane = ? AND "offset" = ? AND number = ? AND mark = ?'
_OTHER: Final = 'SELECT partition, at FROM seen WHERE lane = ? AND "offset" = ? AND number = ?'
_UNKNOWN: Final = 'SELECT lane, "offset", number, partition, at FROM seen WHERE NOT is_known'
_REPEATED: Final = "SELECT coalesce(sum(times - 1), 0) FROM seen WHERE is_known"


def mark_of(place: Place, key: bytes | None, value: bytes | None) -> bytes:
    """What two records have in common only if they are the same, at the same place."""
    head = _HEAD.pack(place.offset, place.number, -1 if key is None else len(key))
    return blake2b(head + (key or b"") + b"\0" + (value or b""), digest_size=_MARK_BYTES).digest()


class Stretch(NamedTuple):
    """A part of a lane, `[first, last)`."""

    lane: int
    first: int
    last: int


class Sums:
    """The sum of the marks of each stretch, whatever their order. `ends` is where each lane's last stretch ends."""

    def __init__(self, ends: Mapping[int, int]) -> None:
        self._ends = ends
        self.of: dict[tuple[int, int], tuple[int, int]] = defaultdict(lambda: (0, 0))

    def add(self, place: Place, mark: bytes) -> None:
        """One more record."""
        where = (place.lane, place.offset * BUCKETS // self._ends[place.lane])
        count, total = self.of[where]
        self.of[where] = (count + 1, (total + int.from_bytes(mark)) % _MODULUS)

    def differing(self, other: "Sums") -> list[Stretch]:
        """Where the two do not hold the same."""
        return [
            self._stretch(*where)
            for where in sorted(self.of.keys() | other.of.keys())
            if self.of[where] != other.of[where]
        ]

    def _stretch(self, lane: int, bucket: int) -> Stretch:
        end = self._ends[lane]
        return Stretch(lane, -(-bucket * end // BUCKETS), -(-(bucket + 1) * end // BUCKETS))


class Sight(NamedTuple):
    """Where a record lies in a topic."""

    place: Place
    partition: int
    offset: int


class Scratch:
    """Records of the stretches that differ, in a file of their own that goes when it is closed."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("")  # a temporary file; only a few pages of it are kept in memory
        self._file.execute(_FORM)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def see(self, place: Place, mark: bytes, partition: int, offset: int) -> None:
        """A record lies in the topic."""
        self._file.execute(_SEE, (*place, mark, partition, offset))

    def knows(self, place: Place, mark: bytes) -> bool:
        """Whether the record was seen; it is then accounted for."""
        return self._file.execute(_KNOW, (*place, mark)).rowcount == 1

    def other_at(self, place: Place) -> Sight | None:
        """What was seen instead."""
        row = self._file.execute(_OTHER, place).fetchone()
        return Sight(place, *row) if row else None

    def unaccounted(self) -> Iterator[Sight]:
        """What was seen and nobody knew."""
        for lane, offset, number, partition, at in self._file.execute(_UNKNOWN):
            yield Sight(Place(lane, offset, number), partition, at)

    def repeated(self) -> int:
        """How often something was seen again, to the letter."""
        return int(self._file.execute(_REPEATED).fetchone()[0])
