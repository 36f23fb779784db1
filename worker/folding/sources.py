"""The partitions that a lane's history is read from: those of its output, and that of its commands."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from aiokafka import ConsumerRecord, TopicPartition

from worker.domain.book import Key
from worker.domain.value import value
from worker.domain.values import MICROSECOND, Instant
from worker.folding.stretch import HASH_UNKNOWN, Found, Sent, from_ms
from worker.store.lanes import Fingerprint
from worker.wire.incoming import content_of
from worker.wire.journal import pack_headers
from worker.wire.outgoing import Topic
from worker.wire.partitions import partition_of
from worker.wire.published import place_of, place_of_letter

KEPT_BYTES_MAX: Final = 256 * 1024
COMMANDS_MAX: Final = 5_000
"""How much is kept of one partition, and of the commands, before those behind it are waited for."""


@value
class Span:
    """The commands `[first, last)` of a lane, of which the one before the first took effect at `latest_at`."""

    lane: int
    first: int
    last: int
    latest_at: Instant
    partitions: int


class OutputSource:
    """One partition of an output topic on its way to `end`. `reached` is the last command that was met in it."""

    def __init__(self, log: TopicPartition, topic: Topic, end: int, span: Span, commands: str) -> None:
        self.log = log
        self.end = end
        self.reached = -1
        self.is_read = False
        self.kept: deque[Found] = deque()
        self.removed: deque[tuple[int, Key]] = deque()
        self._topic = topic
        self._span = span
        self._commands = commands
        self._kept_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether enough is kept of it for now."""
        return self._kept_bytes > KEPT_BYTES_MAX

    def take(self, records: Sequence[ConsumerRecord]) -> None:
        """Keep what is the lane's own and of the span.

        What comes behind a later command's was published again, by whom and why ever: the first of it counts.
        """
        span, topic = self._span, self._topic
        for record in records:
            if record.offset >= self.end:
                return
            if topic is Topic.DEAD_LETTERS:
                place, headers = place_of_letter(record.headers), pack_headers(record.headers)
            else:
                place, headers = place_of(record.value), None
            if place is None:
                self._take_tombstone(record)
            elif (place.topic, place.lane) == (self._commands, span.lane) and (
                max(span.first, self.reached) <= place.offset < span.last
            ):
                self.reached = place.offset
                self.kept.append(Found(place, topic, record.key, record.value, headers, record.timestamp))
                self._kept_bytes += size_of(self.kept[-1])

    def give(self, before: int) -> list[Found]:
        """What belongs to commands below an offset."""
        given = []
        while self.kept and self.kept[0].place.offset < before:
            given.append(self.kept.popleft())
            self._kept_bytes -= size_of(given[-1])
        return given

    def give_removed(self, until_ms: int | None) -> list[Key]:
        """The projects whose record was removed until then (None: ever). A tombstone does not say by which command."""
        given = []
        while self.removed and (until_ms is None or self.removed[0][0] <= until_ms):
            given.append(self.removed.popleft()[1])
        return given

    def _take_tombstone(self, record: ConsumerRecord) -> None:
        if self._topic is not Topic.PAYERS or record.value is not None or record.key is None:
            return
        organization, _, project = record.key.decode(errors="replace").partition("/")
        if partition_of(organization, self._span.partitions) == self._span.lane:
            self.removed.append((record.timestamp, (organization, project)))


class CommandSource:
    """The commands of the span as their own topic still has them, each at its instant of effect."""

    def __init__(
        self, log: TopicPartition, span: Span, bytes_max: int, fingerprint_of: Callable[[ConsumerRecord], Fingerprint]
    ) -> None:
        self.log = log
        self.end = span.last
        self.reached = -1
        self.is_read = False
        self._bytes_max = bytes_max
        self._fingerprint_of = fingerprint_of
        self._latest_at = self._given_at = span.latest_at
        self._sent: deque[tuple[int, Sent]] = deque()

    @property
    def is_full(self) -> bool:
        """Whether enough of them are kept for now."""
        return len(self._sent) > COMMANDS_MAX

    def take(self, records: Sequence[ConsumerRecord]) -> None:
        """Keep what has to be known of each command."""
        for record in records:
            if record.offset >= self.end:
                return
            self._latest_at = max(from_ms(record.timestamp), self._latest_at + MICROSECOND)
            content_hash = content_of(record, self._bytes_max) or HASH_UNKNOWN
            self._sent.append((record.offset, Sent(self._latest_at, content_hash, self._fingerprint_of(record))))
            self.reached = record.offset

    def give(self, before: int) -> tuple[dict[int, Sent], Instant]:
        """Those below an offset, and the instant of the last one that was ever given."""
        given = {}
        while self._sent and self._sent[0][0] < before:
            offset, sent = self._sent.popleft()
            given[offset], self._given_at = sent, sent.at
        return given, self._given_at


def size_of(found: Found) -> int:
    """About how much memory a record takes."""
    return len(found.value or b"") + len(found.headers or b"") + 512
