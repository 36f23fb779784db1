"""A record on its way out, how large it is, and how it comes back from the journal."""

import json
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from typing import Final, NamedTuple

from schemas.envelope import STRUCTURED_CONTENT_TYPE
from worker.wire.journal import pack_headers, unpack_headers
from worker.wire.records import Headers

_CONTENT_TYPE: Final = ("content-type", STRUCTURED_CONTENT_TYPE.encode())

# Upper bounds, so that what is found small enough here is accepted by every broker.
_BATCH_BYTES = 61
_RECORD_BYTES = 36  # length, attributes, time and offset deltas, key and value lengths, number of headers
_LENGTHS_BYTES = 2  # of a header's name and value: what a varint can take more than the journal's four bytes


class Topic(StrEnum):
    """The topics by what they are for; their real names are settings."""

    COMMANDS = "commands"
    ACCOUNT_EVENTS = "account-events"
    BINDING_EVENTS = "binding-events"
    COMMAND_RESULTS = "command-results"
    ACCOUNTS = "accounts"
    PAYERS = "payers"
    HORIZONS = "horizons"
    DEAD_LETTERS = "dead-letters"


class Outgoing(NamedTuple):
    """One record to publish. A value of None is a tombstone (or a dead letter that came so)."""

    topic: Topic
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int

    @property
    def bytes_max(self) -> int:
        """How large it can be in a batch of its own, as Kafka counts it before compression."""
        headers = len(pack_headers(self.headers)) + _LENGTHS_BYTES * len(self.headers)
        return _BATCH_BYTES + _RECORD_BYTES + len(self.key or b"") + len(self.value or b"") + headers


def cloud_event_headers(id_: str, kind: str, subject: str) -> Sequence[tuple[str, bytes | None]]:
    """What a subscriber can filter by without parsing."""
    return (
        _CONTENT_TYPE,
        ("ce_id", id_.encode()),
        _type_header(kind),
        ("ce_subject", subject.encode()),
    )


@cache
def _type_header(kind: str) -> tuple[str, bytes | None]:
    """There are three dozen types."""
    return "ce_type", kind.encode()


def standard_headers(value: bytes | None) -> Headers:
    """The headers of a CloudEvents record that the worker wrote, from its value; a tombstone has none."""
    if value is None:
        return ()
    envelope = json.loads(value)
    return cloud_event_headers(envelope["id"], envelope["type"], envelope["subject"])


def restore(topic: Topic, key: bytes | None, value: bytes | None, headers: bytes | None, timestamp_ms: int) -> Outgoing:
    """A record as it was written, from what the journal keeps: packed headers of dead letters only."""
    unpacked = standard_headers(value) if headers is None else unpack_headers(headers)
    return Outgoing(topic, key, value, unpacked, timestamp_ms)
