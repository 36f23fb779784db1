"""What a subscriber keeps of a record: where it lay, which one it is, and a digest of everything that came."""

import marshal
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple, Protocol

from aiokafka import TopicPartition

MARK_BYTES = 16

_VALUES_ALONE = 2

Headers = Sequence[tuple[str, bytes | None]]


class Came(Protocol):
    """A record as it came; aiokafka's ConsumerRecord is one."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


def digest(*parts: bytes | str | list[tuple[str, bytes | None]] | None) -> bytes:
    """Of byte strings and headers in their order; null and empty are not the same."""
    # This version writes values alone, nothing that hangs on how they lie in memory.
    return blake2b(marshal.dumps(parts, _VALUES_ALONE), digest_size=MARK_BYTES).digest()


def digest_of(record: Came) -> bytes:
    """Of key, value and headers."""
    return digest(record.key, record.value, list(record.headers))


def identity_of(record: Came) -> bytes:
    """Which record it is, as a digest. A dead letter is known by where it came from, a tombstone by its key."""
    names = dict(record.headers)
    if "billing-offset" in names:
        return digest(names.get("billing-topic"), names.get("billing-partition"), names["billing-offset"])
    if record.value is None:
        return digest(b"tombstone", record.key)
    return digest(names.get("ce_id"))


class Sighting(NamedTuple):
    """One record that was seen."""

    offset: int
    identity: bytes
    mark: bytes


@dataclass
class Log:
    """The records of one partition in the order seen: forty bytes each."""

    offsets: "array[int]" = field(default_factory=lambda: array("q"))
    identities: bytearray = field(default_factory=bytearray)
    marks: bytearray = field(default_factory=bytearray)

    def __len__(self) -> int:
        return len(self.offsets)

    def __iter__(self) -> Iterator[Sighting]:
        return (self.at(place) for place in range(len(self.offsets)))

    @property
    def next_offset(self) -> int:
        """Where whoever goes on reading begins."""
        return self.offsets[-1] + 1 if self.offsets else 0

    def append(self, offset: int, identity: bytes, mark: bytes) -> None:
        """Note a record."""
        self.offsets.append(offset)
        self.identities += identity
        self.marks += mark

    def at(self, place: int) -> Sighting:
        """The record seen as the so-manieth."""
        piece = slice(place * MARK_BYTES, (place + 1) * MARK_BYTES)
        return Sighting(self.offsets[place], bytes(self.identities[piece]), bytes(self.marks[piece]))


@dataclass
class View:
    """What one subscriber saw, log by log; and where each log ended when he had read it to its end."""

    logs: dict[TopicPartition, Log] = field(default_factory=dict)
    ends: dict[TopicPartition, int] = field(default_factory=dict)
