"""E8: a dead letter is the record as it came, byte for byte, and says why it lies there and where it came from."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.system.checker.marks import Came, digest
from tests.system.checker.messages import DEAD_LETTER_HEADERS, TRUNCATED, Message, Place

DETAIL_BYTES_MAX = 1024


@dataclass(frozen=True)
class _Copy:
    letter: str
    topic: bytes
    timestamp: bytes
    missing: frozenset[str]
    key: bytes
    value: bytes
    headers: bytes


@dataclass
class Letters:
    """The dead letters, to be compared with the log of commands."""

    copies: dict[Place, _Copy] = field(default_factory=dict)

    def see(self, message: Message) -> Iterator[str]:
        """A dead letter: the worker's own headers come last, in their order."""
        record = message.record
        headers = list(record.headers)
        missing: frozenset[str] = frozenset()
        if headers and headers[-1][0] == TRUNCATED:
            missing = frozenset((headers.pop()[1] or b"").decode().split(", "))
        came, ours = headers[: -len(DEAD_LETTER_HEADERS)], headers[-len(DEAD_LETTER_HEADERS) :]
        if tuple(name for name, _ in ours) != DEAD_LETTER_HEADERS:
            yield f"the dead letter {message} ends in the headers {[name for name, _ in ours]}"
            return
        told = {name: value or b"" for name, value in ours}
        if not told["billing-reason"] or len(told["billing-detail"]) > DETAIL_BYTES_MAX:
            yield f"the dead letter {message} has no reason, or one that is too long"
        self.copies[message.place] = _Copy(
            str(message),
            told["billing-topic"],
            told["billing-timestamp"],
            missing,
            digest(record.key),
            digest(record.value),
            digest(came),
        )

    def compare(self, record: Came) -> Iterator[str]:
        """A record of the log, which one of them may be a copy of."""
        copy = self.copies.pop(Place(record.partition, record.offset), None)
        if copy is None:
            return
        if (copy.topic, copy.timestamp) != (record.topic.encode(), str(record.timestamp).encode()):
            yield f"the dead letter {copy.letter} names another origin than {record.topic} at {record.timestamp}"
        original = {"key": digest(record.key), "value": digest(record.value), "headers": digest(list(record.headers))}
        for part, wanted in original.items():
            if part not in copy.missing and getattr(copy, part) != wanted:
                yield f"the {part} of the dead letter {copy.letter} differs from what came"

    def are_of_records(self, starts: dict[int, int]) -> Iterator[str]:
        """Each is a copy of something."""
        for place, copy in self.copies.items():
            if place.offset >= starts.get(place.lane, 0):
                yield f"the dead letter {copy.letter} is of {place}, where no record lies"
