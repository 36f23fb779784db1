"""Rows of the journal, and many of them in the binary format of COPY.

The format: PostgreSQL's documentation, COPY, "Binary Format". The driver writes the same value by value, each by its
type, at five times the time; every record that goes out is such a row.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from struct import Struct
from typing import Final, NamedTuple

from worker.domain.values import MICROSECOND, Instant

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no extension
_TRAILER: Final = b"\xff\xff"
_FIXED: Final = Struct("!hiqiiiq")  # number of fields, then length and value of bigint, integer and timestamptz
_FIELDS: Final = 7
_LENGTH: Final = Struct("!i")
_NULL: Final = _LENGTH.pack(-1)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


class JournalRow(NamedTuple):
    """One outgoing record: number `index` of the command at `offset`. `topic` is the short name, not a setting's."""

    offset: int
    index: int  # type: ignore[assignment]  # nobody looks for a value in a record
    at: Instant
    topic: str
    key: bytes | None
    value: bytes | None
    headers: bytes | None


def encoded(rows: Iterable[JournalRow]) -> bytes:
    """These rows, for `COPY … FROM STDIN (FORMAT binary)` with the columns of JournalRow."""
    parts = [_HEADER]
    topics: dict[str, bytes] = {}
    latest, micros = _EPOCH, 0
    for offset, index, at, topic, key, value, headers in rows:
        if at is not latest:
            latest, micros = at, (at - _EPOCH) // MICROSECOND
        name = topics.get(topic)
        if name is None:
            name = topics[topic] = _field(topic.encode())
        parts += (_FIXED.pack(_FIELDS, 8, offset, 4, index, 8, micros), name, _field(key))
        if value is None:
            parts.append(_NULL)
        else:
            parts += (_LENGTH.pack(len(value)), value)  # the large one: not copied once more
        parts.append(_field(headers))
    parts.append(_TRAILER)
    return b"".join(parts)


def _field(value: bytes | None) -> bytes:
    return _NULL if value is None else _LENGTH.pack(len(value)) + value
