"""Records made by hand: a tiny sound history, to be spoilt by each test in its own way."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.system.checker.marks import Headers
from tests.system.checker.messages import Json, Message, Place, opened

PARTITIONS = 3


@dataclass(frozen=True)
class Record:
    """A record of a topic."""

    topic: str = "events"
    partition: int = 0
    offset: int = 0
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = ()


def moment(second: int) -> str:
    return f"2026-11-23T12:00:{second:02}.000000Z"


def command(id_: str, offset: int, kind: str = "project.bind", **changed: Any) -> Record:
    """A record of the log of commands."""
    value = json.dumps({"id": id_, "type": f"billing.{kind}.v1"}).encode()
    return replace(Record("commands", 0, offset, key=b"acme", value=value), **changed)


def written(kind: str, subject: str, place: Place, data: Json, **changed: Any) -> Message:
    """A record that the worker wrote; whatever it carries may be changed."""
    body: Json = {
        "id": f"{place}",
        "type": f"billing.{kind}.v1",
        "subject": subject,
        "time": moment(place.offset),
        "organization": "acme",
        "causationid": f"c-{place.offset}",
        "commandposition": f"commands/{place}",
        "data": data,
    } | changed
    key = body["organization"] if subject.startswith("commands/") else subject.partition("/")[2]
    headers = [(f"ce_{name}", body[name].encode()) for name in ("id", "type", "subject")]
    record = Record(key=key.encode(), value=json.dumps(body).encode(), headers=headers, offset=place.offset)
    return opened(record, PARTITIONS)


def event(kind: str, of: str, sequence: int, offset: int, index: int = 0, **data: Any) -> Message:
    """An event of an account or a project of acme at an offset of lane 0, which is also its second."""
    subject = f"{'accounts' if kind.startswith('account.') else 'projects'}/acme/{of}"
    return written(kind, subject, Place(0, offset, index), data, sequence=sequence)


def result(kind: str, id_: str, offset: int, time: str | None = None, **data: Any) -> Message:
    """What became of a command."""
    told = {"command": id_, "type": "billing.project.bind.v1", "duplicate": False, "events": [], "eventCount": 0} | data
    return written(f"command.{kind}", f"commands/acme/{id_}", Place(0, offset, 9), told, time=time or moment(offset))


def established(sequence: int, offset: int, account: str, **data: Any) -> Message:
    """An account begins to pay for web; it is at its sequence 3."""
    told: Json = {"binding": f"b-{account}-{offset}", "project": "web", "account": account, "since": moment(offset)}
    told |= {"currency": "EUR", "accountSequence": 3}
    return event("binding.established", "web", sequence, offset, 1, **told | data)


def superseded(sequence: int, offset: int, account: str, since: int, heir: str, **data: Any) -> Message:
    """Its binding ends because another account pays from then on."""
    told: Json = {"binding": f"b-{account}-{since}", "project": "web", "account": account, "since": moment(since)}
    told |= {"until": moment(offset), "currency": "EUR"} | data
    told["supersededBy"] = {"binding": f"b-{heir}-{offset}", "account": heir}
    return event("binding.superseded", "web", sequence, offset, 0, **told)


def released(sequence: int, offset: int, account: str, since: int, **data: Any) -> Message:
    """Its binding ends and nobody pays."""
    told = {"binding": f"b-{account}-{since}", "project": "web", "account": account, "since": moment(since)}
    told |= {"until": moment(offset), "currency": "EUR", "reason": "UNBOUND"}
    return event("binding.released", "web", sequence, offset, 0, **told | data)


def rebind(offset: int = 5, since: int | None = None) -> list[Message]:
    """web is registered, main pays from second 2 on, spare from second 5 on."""
    heir = {"supersedes": "b-main-2", "previousAccount": "main", "previousCurrency": "EUR"}
    return [
        event("project.registered", "web", 1, 2, project="web"),
        established(2, 2, "main"),
        superseded(3, offset, "main", 2, "spare"),
        established(4, offset, "spare", **heir | ({"since": moment(since)} if since else {})),
    ]


def account(name: str, offset: int) -> list[Message]:
    """An account that is Ready: created, Provisioning, Ready. Its sequence is 3."""
    profile = {"type": "card", "externalId": "pm", "status": "Valid", "cause": None, "validUntil": None}
    values = {
        "account": name,
        "currency": "EUR",
        "displayName": None,
        "contact": None,
        "paymentTerms": {"netDays": 30, "invoiceDayOfMonth": 1, "invoiceFrequency": "Monthly"},
        "paymentProfiles": {"serving": profile, "pending": None},
        "labels": {},
    }
    entered = {"account": name, "holds": [], "activeBindings": 0, "currency": "EUR", "at": moment(offset)}
    first = {"from": None, "to": "Provisioning", "since": None, "reason": "CREATED", "activatedAt": None}
    second = {"from": "Provisioning", "to": "Ready", "since": moment(offset), "reason": "ACTIVATED"}
    return [
        event("account.created", name, 1, offset, 0, **values),
        event("account.phase-changed", name, 2, offset, 1, **entered | first),
        event("account.phase-changed", name, 3, offset, 2, **entered | second, activatedAt=moment(offset)),
    ]


def hold(id_: str, offset: int, reason: str = "ADMINISTRATIVE") -> Json:
    """A hold as events and states carry it."""
    told = {"hold": id_, "reason": reason, "message": "Because.", "blocksRebind": False}
    return told | {"placedBy": "ops@example.com", "placedAt": moment(offset)}


def body_of(message: Message) -> Json:
    """The envelope of a record that has one."""
    assert message.body is not None
    return message.body


def shown(see: Callable[[Message], Iterable[str]], messages: Iterable[Message]) -> list[str]:
    """What a claim says of records shown to it one after the other."""
    return [wrong for message in messages for wrong in see(message)]


def the_only(found: Iterable[str] | Iterator[str]) -> str:
    """The one thing that was found."""
    (message,) = found
    return message
