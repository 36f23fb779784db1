"""Partitions of topics: records at offsets, transactions that hide them, markers that take an offset each."""

from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import NamedTuple

from aiokafka import ConsumerRecord, TopicPartition

from worker.wire.records import Headers


class Content(NamedTuple):
    """A record without its place."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int


class Fate(Enum):
    """What becomes of a transaction."""

    OPEN = auto()
    COMMITTED = auto()
    ABORTED = auto()


class Transaction:
    """Records of a producer in several logs that become visible together, or never."""

    __slots__ = ("fate", "logs", "offsets", "producer")

    def __init__(self, producer: str) -> None:
        self.producer = producer
        self.fate = Fate.OPEN
        self.logs: list[Log] = []
        self.offsets: dict[int, tuple[int, str]] = {}


class Log:
    """One partition. `stable` is the last stable offset: nobody who reads committed records reads further."""

    __slots__ = (
        "clock_ahead_ms",
        "contents",
        "is_append_time",
        "name",
        "open",
        "read",
        "stable",
        "transactions",
        "watchers",
    )

    def __init__(self, name: TopicPartition, *, is_append_time: bool) -> None:
        self.name = name
        self.is_append_time = is_append_time
        self.clock_ahead_ms = 0
        self.contents: list[Content | None] = []
        self.transactions: list[Transaction | None] = []
        self.open: dict[Transaction, int] = {}
        self.stable = 0
        self.watchers: dict[object, Callable[[], None]] = {}
        self.read: dict[int, ConsumerRecord] = {}

    @property
    def end(self) -> int:
        """The offset of the next record."""
        return len(self.contents)

    def append(self, content: Content | None, transaction: Transaction | None) -> int:
        """Put a record (None: a marker) at the end. Returns its offset."""
        offset = len(self.contents)
        if transaction is not None and content is not None and transaction not in self.open:
            self.open[transaction] = offset
            transaction.logs.append(self)
        self.contents.append(content)
        self.transactions.append(transaction)
        self._settle()
        return offset

    def mark(self, transaction: Transaction) -> None:
        """Write the marker that ends a transaction here."""
        self.open.pop(transaction, None)
        self.append(None, transaction)

    def is_visible(self, offset: int) -> bool:
        """Whether there is a record below the last stable offset, and of no aborted transaction."""
        if self.contents[offset] is None:
            return False
        transaction = self.transactions[offset]
        return transaction is None or transaction.fate is Fate.COMMITTED

    def committed(self) -> Iterator[tuple[int, Content]]:
        """What a subscriber sees who reads committed records only."""
        for offset in range(self.stable):
            content = self.contents[offset]
            if content is not None and self.is_visible(offset):
                yield offset, content

    def record(self, offset: int) -> ConsumerRecord:
        """The record at an offset, as a client gives it."""
        known = self.read.get(offset)
        if known is None:
            content = self.contents[offset]
            assert content is not None
            key, value, headers, timestamp = content
            known = self.read[offset] = ConsumerRecord(
                *self.name,
                offset,
                timestamp,
                int(self.is_append_time),
                key,
                value,
                None,
                -1 if key is None else len(key),
                -1 if value is None else len(value),
                headers,
            )
        return known

    def _settle(self) -> None:
        before, self.stable = self.stable, min(self.open.values()) if self.open else len(self.contents)
        if self.stable > before:
            for watcher in self.watchers.values():
                watcher()
