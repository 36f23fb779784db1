"""Records, accounts and projects to start from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from worker.domain.accounts import Account
from worker.domain.book import Recorded
from worker.domain.decision import Reason, Refusal
from worker.domain.events import BindingEstablished, ProjectRegistered
from worker.domain.projects import Project
from worker.domain.values import (
    Binding,
    Contact,
    Hold,
    HoldReason,
    Instant,
    Origin,
    PaymentProfile,
    PaymentTerms,
    Phase,
    Position,
    ProfileStatus,
    ScheduledSuspension,
)
from worker.wire.cause import Cause
from worker.wire.incoming import read
from worker.wire.outgoing import Outgoing
from worker.wire.partitions import partition_of
from worker.wire.records import Headers
from worker.wire.request import Request, Tick, Unreadable
from worker.wire.results import WrittenEvent
from worker.wire.writer import Writer

PARTITIONS = 12
AT = datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)
INSTALLATION = UUID("7283361d-1526-5482-998f-04241de0bfbc")
WRITER = Writer(INSTALLATION, "/billing")
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

AT_WRITTEN = "2026-11-22T10:00:00.123456Z"
OLD, NEW = str(UUID(int=1)), str(UUID(int=2))
REGISTERED = Recorded("acme", ProjectRegistered("website"), 1, AT)
ESTABLISHED = Recorded("acme", BindingEstablished(NEW, "website", "main", AT, "EUR", 3), 2, AT)
HOLD = Hold("h-1", HoldReason.FRAUD_SUSPECTED, "Näheres folgt", True, None, AT)
ACCOUNT = Account(
    organization="acme",
    id="main",
    sequence=9,
    phase=Phase.SUSPENDED,
    phase_since=AT,
    currency="EUR",
    terms=PaymentTerms(),
    display_name="Main",
    contact=Contact("anna@acme.example", "Anna"),
    labels={"b": "2", "a": ""},
    activated_at=AT,
    serving=PaymentProfile("card", "pm_1", ProfileStatus.VALID, AT),
    holds=(HOLD,),
    scheduled=(ScheduledSuspension(HoldReason.NON_PAYMENT, AT, "Bald", "user:anna", AT),),
    deleted_at=AT,
)
PROJECT = Project("acme", "website", 2, AT, AT, Binding(NEW, "main", AT, "EUR"), locked=True)


BIND: Mapping[str, Any] = {
    "specversion": "1.0",
    "id": "command-1",
    "source": "/tests",
    "type": "billing.project.bind.v1",
    "organization": "acme",
    "actor": "user:anna",
    "data": {"project": "website", "account": "main"},
}
CREATE: Mapping[str, Any] = {
    **BIND,
    "type": "billing.account.create.v1",
    "data": {"account": "main", "currency": "EUR", "displayName": "Main"},
}


@dataclass(frozen=True)
class Record:
    """A consumed record."""

    value: bytes | None
    key: bytes | None = b"acme"
    headers: Headers = ()
    partition: int = partition_of("acme", PARTITIONS)
    topic: str = "billing.commands"
    offset: int = 42
    timestamp: int = 1_795_341_600_123


def structured(envelope: Mapping[str, Any], headers: Headers = ()) -> Record:
    return Record(json.dumps(envelope).encode(), headers=headers)


def binary(envelope: Mapping[str, Any], content_type: str | None = "application/json") -> Record:
    """The same in binary mode."""

    def text(value: object) -> bytes:
        return json.dumps(value).encode() if isinstance(value, bool | int) else str(value).encode()

    attributes = {name: value for name, value in envelope.items() if name not in {"data", "datacontenttype"}}
    headers: list[tuple[str, bytes | None]] = [(f"ce_{name}", text(value)) for name, value in attributes.items()]
    if content_type is not None:
        headers.append(("content-type", content_type.encode()))
    return Record(json.dumps(envelope["data"]).encode(), headers=headers)


def reading(record: Record, partitions: int = PARTITIONS) -> Unreadable | Tick | Request:
    return read(record, partitions=partitions)


def request(record: Record) -> Request:
    """What was read, known to be a command."""
    read_as = reading(record)
    assert isinstance(read_as, Request), read_as
    return read_as


def refused(record: Record) -> list[tuple[Reason, object]]:
    """Codes and paths of what is wrong with the data."""
    return [(refusal.reason, refusal.details["path"]) for refusal in request(record).data_refusals]


def reasons(refusals: tuple[Refusal, ...]) -> list[Reason]:
    return [refusal.reason for refusal in refusals]


def cause(
    kind: str = "billing.project.bind.v1", actor: str | None = "user:anna", at: Instant = AT, organization: str = "acme"
) -> Cause:
    origin = Origin(INSTALLATION, organization, "command-1", Position("billing.commands", 3, 42))
    return Cause(origin, kind, at, actor, "correlation-1", TRACEPARENT, "/billing")


def written(record: Outgoing) -> dict[str, Any]:
    assert record.value is not None
    envelope: dict[str, Any] = json.loads(record.value)
    return envelope


def event(recorded: Recorded, index: int = 0) -> WrittenEvent:
    return WRITER.event(cause(), recorded, index)
