"""A record as a person or a program gets to see it, and whether it is one of those asked for."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import ConsumerRecord

from schemas.instants import format_instant
from worker.cli.publishing.lines import whole_type


@dataclass(frozen=True, slots=True)
class Seen:
    """A record, read as far as it can be. `message` is None where it is no message of this program's."""

    record: ConsumerRecord
    message: Mapping[str, Any] | None

    @property
    def kind(self) -> str:
        """The message type, or what it is instead."""
        if self.message is not None:
            return str(self.message["type"])
        return "tombstone" if self.record.value is None else "unreadable"

    @property
    def at(self) -> str:
        """The instant of effect, or when the record was written."""
        if self.message is not None and isinstance(self.message.get("time"), str):
            return str(self.message["time"])
        return format_instant(datetime.fromtimestamp(self.record.timestamp / 1000, UTC))

    @property
    def subject(self) -> str:
        """What it is about; of a command its organization, of anything else the key."""
        message = self.message or {}
        return str(message.get("subject") or message.get("organization") or decoded(self.record.key))

    @property
    def data(self) -> Mapping[str, Any]:
        """The message's data, empty if it has none."""
        data = (self.message or {}).get("data")
        return data if isinstance(data, dict) else {}

    def as_json(self) -> str:
        """The message itself as one line of JSON; for anything else an object that describes the record."""
        if self.message is not None:
            return json.dumps(self.message, separators=(",", ":"))
        record = self.record
        described = {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "time": self.at,
            "key": decoded(record.key),
            "headers": {name: decoded(value) for name, value in record.headers},
        }
        return json.dumps(described | _as_text_or_base64(record.value), separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records to show: all that fit everything that is given."""

    organization: str | None
    account: str | None
    project: str | None
    types: frozenset[str]

    @classmethod
    def of(cls, organization: str | None, account: str | None, project: str | None, types: Iterable[str]) -> "Wanted":
        """With types as people write them."""
        return cls(organization, account, project, frozenset(map(whole_type, types)))

    def fits(self, seen: Seen) -> bool:
        """Whether this is one of them."""
        return (
            (self.organization is None or _organization_of(seen) == self.organization)
            and (not self.types or seen.kind in self.types)
            and (self.account is None or _mentions(seen, "account", "accounts", self.account))
            and (self.project is None or _mentions(seen, "project", "projects", self.project))
        )


def see(record: ConsumerRecord) -> Seen:
    """Read a record. Never raises: what is no JSON object with a type is shown as what it is."""
    try:
        message = json.loads(record.value)
    except (TypeError, ValueError, RecursionError):
        return Seen(record, None)
    is_message = isinstance(message, dict) and isinstance(message.get("type"), str)
    return Seen(record, message if is_message else None)


def decoded(value: bytes | None) -> str | None:
    """Bytes as text, whatever they are."""
    return None if value is None else value.decode(errors="replace")


def _organization_of(seen: Seen) -> str | None:
    if seen.message is not None and "organization" in seen.message:
        return str(seen.message["organization"])
    key = decoded(seen.record.key)
    return None if key is None else key.partition("/")[0]


def _mentions(seen: Seen, field: str, plural: str, wanted: str) -> bool:
    """Whether it is about that account or project: by its subject, its data, or the events of a result."""
    events = seen.data.get("events")
    listed = events if isinstance(events, list) else []
    referred = [str(event.get("subject")) for event in listed if isinstance(event, dict)]
    subject = f"{plural}/{_organization_of(seen)}/{wanted}"
    if seen.data.get(field) == wanted or subject in {seen.subject, *referred}:
        return True
    payer = seen.data.get("payer")
    return isinstance(payer, dict) and payer.get(field) == wanted


def _as_text_or_base64(value: bytes | None) -> dict[str, str | None]:
    try:
        return {"value": None if value is None else value.decode()}
    except UnicodeDecodeError:
        return {"valueBase64": base64.b64encode(value or b"").decode()}
