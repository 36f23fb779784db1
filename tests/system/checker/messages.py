"""A record that the worker wrote, opened: which command brought it about, and what it says."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from tests.system.checker.marks import Came
from worker.wire.partitions import partition_of

Json = dict[str, Any]

DEAD_LETTER_HEADERS = (
    "billing-reason",
    "billing-detail",
    "billing-topic",
    "billing-partition",
    "billing-offset",
    "billing-timestamp",
)
TRUNCATED = "billing-truncated"


class Place(NamedTuple):
    """The command's position, and the number of the record among all that it brought about (-1: not told)."""

    lane: int
    offset: int
    index: int = -1  # type: ignore[assignment]  # nobody looks for a value in a place

    def __str__(self) -> str:
        return f"{self.lane}/{self.offset}" + ("" if self.index < 0 else f"/{self.index}")


class Message(NamedTuple):
    """An opened record; `body` is its envelope, None for a tombstone or a dead letter."""

    record: Came
    place: Place
    body: Json | None

    def __str__(self) -> str:
        record = self.record
        name = self.body["subject"] if self.body else (record.key or b"").decode(errors="replace")
        return f"{name} (command {self.place}) at {record.topic}/{record.partition}/{record.offset}"


def opened(record: Came, partitions: int) -> Message:
    """The record with the place that it names. A tombstone names none: it is in its organization's lane."""
    headers: Mapping[str, bytes | None] = dict(record.headers)
    if "billing-offset" in headers:
        lane, offset = int(headers["billing-partition"] or b""), int(headers["billing-offset"] or b"")
        return Message(record, Place(lane, offset), None)
    if record.value is None:
        organization = (record.key or b"").decode().partition("/")[0]
        return Message(record, Place(partition_of(organization, partitions), -1), None)
    body = orjson.loads(record.value)
    if "commandposition" not in body:
        return Message(record, Place(-1, -1), body)
    _, lane_, offset_, index = body["commandposition"].rsplit("/", 3)
    return Message(record, Place(int(lane_), int(offset_), int(index)), body)


def kind_of(body: Json) -> str:
    """The type without what all types share."""
    return str(body["type"]).removeprefix("billing.").removesuffix(".v1")
