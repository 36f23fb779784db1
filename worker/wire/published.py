"""What the worker itself has published, read again: where each record belongs, events as they happened, results.

Read without the models of the contract, and not judged: what lies in the output topics was written by a worker. What
was not raises NotPublishedError. At a hundred thousand records a second and more there is no time for a second look.
"""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

import orjson

from schemas.results import CommandAccepted, CommandEvaluated, CommandRejected
from worker.domain.decision import Reason
from worker.domain.events import Event
from worker.domain.values import Instant, Origin, Position
from worker.wire.published_events import READERS, Told
from worker.wire.published_parts import instant
from worker.wire.records import Headers

T = TypeVar("T")

_PLACE: Final = re.compile(rb'"commandposition":"([^"/]+)/([0-9]+)/([0-9]+)/([0-9]+)"')
_HEAD_BYTES: Final = 2_048
"""The writer puts the position among the first attributes, behind none that may be longer than this together."""

_TIME: Final = re.compile(rb'"time":"([0-9T:.-]{26}Z)"')
_SOURCE_BYTES: Final = 8_192
"""What comes before the time and may be longer: the setting `source`."""

_LETTER_PLACE: Final = ("billing-topic", "billing-partition", "billing-offset")
_OUTCOMES: Final = {
    CommandAccepted.TYPE: "accepted",
    CommandRejected.TYPE: "rejected",
    CommandEvaluated.TYPE: "evaluated",
}
_USES_NO_ID: Final = frozenset(
    reason.value for reason in (Reason.KEY_MISMATCH, Reason.WRONG_PARTITION, Reason.COMMAND_ID_REUSED)
)


class NotPublishedError(ValueError):
    """No worker wrote this record as an event or result."""


class Place(NamedTuple):
    """Where a record belongs: number `index` of what the command at `offset` of a lane brought about."""

    topic: str
    lane: int
    offset: int
    index: int  # type: ignore[assignment]  # nobody looks for a value in a place


class PublishedEvent(NamedTuple):
    """An event with its place among those of its subject; `command` is the id of what caused it."""

    organization: str
    event: Event
    sequence: int
    at: Instant
    command: str
    place: Place


class PublishedResult(NamedTuple):
    """What was answered; `data` as it is kept in the inbox, byte for byte."""

    organization: str
    command: str
    outcome: str
    codes: frozenset[str]
    is_duplicate: bool
    at: Instant
    data: bytes
    place: Place

    @property
    def uses_id(self) -> bool:
        """Whether the command's id is used up by this answer, unless it was before.

        It was before where a command of unknown type has the id of another: that alone is not told by the answer.
        """
        return self.outcome != "evaluated" and not self.is_duplicate and not self.codes & _USES_NO_ID


def place_of(value: bytes | None) -> Place | None:
    """Where a record belongs, without reading it whole; None for tombstones and whatever has no such place."""
    found = _PLACE.search(value, 0, _HEAD_BYTES) if value else None
    if found is None:
        return None
    topic, lane, offset, index = found.groups()
    return Place(topic.decode(), int(lane), int(offset), int(index))


def place_of_letter(headers: Headers) -> Place | None:
    """Where a dead letter belongs: the last such headers are the worker's own.

    A copy of a command that is a defect of the program follows its answer; any other dead letter is all there is.
    """
    last = dict(headers)
    topic, partition, offset = (last.get(name) for name in _LETTER_PLACE)
    if topic is None or partition is None or offset is None:
        return None
    is_copy = last.get("billing-reason") == Reason.INTERNAL_ERROR.value.encode()
    try:
        return Place(topic.decode(), int(partition), int(offset), int(is_copy))
    except ValueError:
        return None


def read_event(value: bytes | None, installation: UUID) -> PublishedEvent:
    """The event in a record. Raises NotPublishedError for what no worker wrote as an event."""

    def read(envelope: dict[str, Any]) -> PublishedEvent:
        organization, command = envelope["organization"], envelope["causationid"]
        place, at = _place(envelope), instant(envelope["time"])

        def derived_hold() -> str:
            position = Position(place.topic, place.lane, place.offset)
            return Origin(installation, organization, command, position).hold_id(place.index)

        told = Told(envelope["subject"].rpartition("/")[2], at, derived_hold)
        event = READERS[envelope["type"]](envelope["data"], told)
        return PublishedEvent(organization, event, envelope["sequence"], at, command, place)

    return _reading(value, read)


def read_result(value: bytes | None) -> PublishedResult:
    """The result in a record. Raises NotPublishedError for what no worker wrote as a result."""

    def read(envelope: dict[str, Any]) -> PublishedResult:
        data = envelope["data"]
        codes = frozenset(reason["code"] for reason in data.get("reasons", ()))
        return PublishedResult(
            envelope["organization"],
            data["command"],
            _OUTCOMES[envelope["type"]],
            codes,
            data.get("duplicate", False),
            instant(envelope["time"]),
            orjson.dumps(data),
            _place(envelope),
        )

    return _reading(value, read)


def at_of(value: bytes | None) -> Instant:
    """When a record took effect, without reading it whole. Raises NotPublishedError for what no worker wrote."""
    found = _TIME.search(value, 0, _HEAD_BYTES + _SOURCE_BYTES) if value else None
    if found is None:
        raise NotPublishedError("no worker wrote this: it has no time")
    return instant(found[1].decode())


def _place(envelope: dict[str, Any]) -> Place:
    topic, lane, offset, index = envelope["commandposition"].rsplit("/", 3)
    return Place(topic, int(lane), int(offset), int(index))


def _reading(value: bytes | None, read: Callable[[dict[str, Any]], T]) -> T:
    try:
        return read(orjson.loads(value or b""))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotPublishedError(f"no worker wrote this: {type(error).__name__}") from error
