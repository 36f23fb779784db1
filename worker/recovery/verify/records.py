"""Reading a record of the journal as far as checks need it; whatever somebody made of it."""

from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

import orjson

from worker.domain.values import derive_id
from worker.wire.outgoing import Topic

Json: TypeAlias = dict[str, Any]

_OFFSET_MAX: Final = 2**62
_NUMBER_MAX: Final = 2**31


class Place(NamedTuple):
    """Where a record belongs: number `number` of what the command at an offset of a lane brought about."""

    lane: int
    offset: int
    number: int

    @property
    def is_possible(self) -> bool:
        """Whether there can be such a place."""
        return 0 <= self.lane < _NUMBER_MAX and 0 <= self.offset < _OFFSET_MAX and 0 <= self.number < _NUMBER_MAX

    def __str__(self) -> str:
        return f"{self.lane}/{self.offset}/{self.number}"


def envelope_of(value: bytes | None) -> Json | None:
    """The CloudEvents document, None if there is none."""
    try:
        read = orjson.loads(value or b"")
    except ValueError:
        return None
    return read if isinstance(read, dict) and isinstance(read.get("data"), dict) else None


def place_of(envelope: Json) -> tuple[str, Place] | None:
    """The topic of commands and the place that a record names, None if it does not."""
    try:
        topic, *numbers = envelope["commandposition"].rsplit("/", 3)
        place = Place(*map(int, numbers))
    except (KeyError, AttributeError, TypeError, ValueError):
        return None
    return (topic, place) if place.is_possible else None


def id_at(installation: UUID, topic: Topic | str, at: str, number: int, envelope: Json) -> str:
    """The id of record `number` of what the command at `topic/lane/offset` brought about, derived anew."""
    if topic in (Topic.ACCOUNT_EVENTS, Topic.BINDING_EVENTS):
        name = f"event/{envelope.get('organization')}/{envelope.get('causationid')}/{at}/{number}"
    elif topic in (Topic.ACCOUNTS, Topic.PAYERS):
        name = f"state/{at}/{envelope.get('subject')}"
    else:
        name = f"result/{at}"
    return derive_id(installation, name)
