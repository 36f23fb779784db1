"""A run in which the worker writes at least one record of every kind, and what lay in the topics after it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord

from schemas.commands import TickLane
from tests.system.deployment import Deployment, Record, command, ready_account
from tests.system.provision import own_database, own_deployment
from tests.system.settling import until
from tests.system.stacks import Addresses
from tests.system.traffic import traffic

ORGANIZATION = "acme"
BYSTANDERS = ("north", "south")
SEED, COMMANDS = 8, 250
APPROVAL = {"by": "lead@example.com", "reference": "Ticket „Ä-1“ ✓"}
ALL_TOPICS = (
    "commands",
    "account_events",
    "binding_events",
    "command_results",
    "accounts",
    "payers",
    "horizons",
    "dead_letters",
)


@dataclass(frozen=True)
class Run:
    """All records of every topic, by the topic's name among the settings."""

    deployment: Deployment
    records: dict[str, list[ConsumerRecord]]


@asynccontextmanager
async def lively(stack: Addresses, template: str) -> AsyncIterator[Run]:
    """The run, over and read to its end."""
    async with own_database(stack, template) as url, own_deployment(stack, url) as deployment:
        with deployment.worker(LANES__TICK_SECONDS="0.5"):
            await deployment.publish(ORGANIZATION, *one_of_every_kind())
            await deployment.publish_many(traffic(SEED, BYSTANDERS, COMMANDS))
            await deployment.publish_records(UNREADABLE)
            await deployment.answers()
            await until(lambda: has_ticked(deployment), "a lane has ticked")
        read = await asyncio.gather(*(deployment.read(topic) for topic in ALL_TOPICS))
        yield Run(deployment, dict(zip(ALL_TOPICS, read, strict=True)))


async def has_ticked(deployment: Deployment) -> bool:
    return any(TickLane.TYPE.encode() in (record.value or b"") for record in await deployment.read("commands"))


def one_of_every_kind() -> list[bytes]:
    """Commands that bring about every event and every result."""
    told: list[tuple[str, dict[str, Any]]] = [
        ("account.create", {"account": "main", "currency": "EUR", "paymentProfile": profile("pm-1", "Pending")}),
        ("account.change-currency", {"account": "main", "currency": "USD"}),
        ("account.change-payment-terms", {"account": "main", "paymentTerms": {"netDays": 14}}),
        ("account.update", {"account": "main", "displayName": "Café Zürich, 東京 🙂", "labels": {"équipe": "ß"}}),
        ("account.report-payment-profile", {"account": "main", "externalId": "pm-1", "status": "Valid"}),
        ("account.attach-payment-profile", {"account": "main", "paymentProfile": profile("pm-2", "Valid")}),
        ("project.register", {"project": "web"}),
        ("project.bind", {"project": "web", "account": "main"}),
        ("project.bind", {"project": "web", "account": "backup"}),
        ("project.lock", {"project": "web", "note": "Prüfung läuft"}),
        ("project.unlock", {"project": "web", "note": "Prüfung fertig"}),
        ("account.suspend", {"account": "backup", "reason": "ADMINISTRATIVE", "message": "Жду ответа"}),
        ("account.reactivate", {"account": "backup", "all": True, "approval": APPROVAL}),
        (
            "account.schedule-suspension",
            {"account": "backup", "reason": "NON_PAYMENT", "message": "Mahnung", "dueAt": "2060-01-01T00:00:00Z"},
        ),
        ("account.cancel-suspension", {"account": "backup", "reason": "NON_PAYMENT"}),
        ("project.unbind", {"project": "web"}),
        ("project.delete", {"project": "web"}),
        ("project.bind", {"project": "shop", "account": "nobody"}),
        ("account.detach-payment-profile", {"account": "main"}),
        ("account.delete", {"account": "main"}),
    ]
    commands = [command(ORGANIZATION, kind, f"lively-{n}", **data) for n, (kind, data) in enumerate(told)]
    dry_run = command(ORGANIZATION, "project.bind", "dry-run", project="shop", account="backup")
    return [
        ready_account(ORGANIZATION, "backup"),
        *commands,
        dry_run.replace(b'"specversion"', b'"dryrun": true, "specversion"'),
    ]


def profile(external_id: str, status: str) -> dict[str, Any]:
    return {"type": "card", "externalId": external_id, "status": status}


UNREADABLE = [
    Record(b"{", key=ORGANIZATION.encode(), headers=[("content-type", b"application/json"), ("note", "Übel".encode())]),
    Record(b"not JSON \xff", key="schlüssel".encode()),
    Record(None, key=b"gone"),
    Record(b"", key=None),
    Record(b"{}", key=b"key \xff", headers=[("bytes", b"\xfe\xff"), ("null", None), ("ce_id", b"\xff")]),
]
"""Records that become dead letters; the last one's key and headers are no text, and stay as they came."""
FOREIGN_BYTES = UNREADABLE[-1].key
