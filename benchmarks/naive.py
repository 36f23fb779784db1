"""The naive baseline: what one would write from the tutorials, and nothing done to make it slow.

One process: a FastStream subscriber whose handler takes one message at a time, in one SQLAlchemy transaction each. It
notes the message's id in an inbox, looks up account and open binding with FOR UPDATE, closes the one and adds the
other, and adds what is to be published to an outbox. A relay in the same process polls the outbox, publishes what it
finds at once, in order, acks=all, and marks it. Statements are SQLAlchemy Core, which is quicker than its ORM; offsets
are committed as FastStream does by itself, which is quicker than after each message, and loses some in a crash.

It knows `account.create` and `project.bind` alone, keeps no history of phases, and does not order, fence or verify.
Records are as many per command as the worker's, and smaller. fsync is on.
"""

import asyncio
import json
import logging
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import uvloop
from faststream import FastStream
from faststream.kafka import KafkaBroker, KafkaMessage
from pydantic import BaseModel
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from benchmarks.following import following
from benchmarks.processes import running
from benchmarks.stage import Backlog, Stage
from worker.broker import clients
from worker.settings import Settings, load

MODULE: Final = "benchmarks.naive"
RELAY_RECORDS_MAX: Final = 500
RELAY_SECONDS: Final = 0.05
SECONDS_MAX: Final = 300.0

metadata = MetaData()
inbox = Table(
    "naive_inbox", metadata, Column("organization", Text, primary_key=True), Column("id", Text, primary_key=True)
)
accounts = Table(
    "naive_accounts",
    metadata,
    Column("organization", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("currency", Text, nullable=False),
    Column("phase", Text, nullable=False),
)
bindings = Table(
    "naive_bindings",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("until", DateTime(timezone=True)),
    Index(
        "naive_one_open_binding",
        "organization",
        "project",
        unique=True,
        postgresql_where=text("until IS NULL"),
    ),
)
outbox = Table(
    "naive_outbox",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("published_at", DateTime(timezone=True)),
    Index("naive_unpublished", "id", postgresql_where=text("published_at IS NULL")),
)


class Command(BaseModel):
    """A command's envelope."""

    id: str
    type: str
    organization: str
    data: dict[str, Any]


async def handle(connection: AsyncConnection, settings: Settings, command: Command) -> None:
    """Everything that a command brings about."""
    noted = await connection.execute(
        insert_or(inbox).values(organization=command.organization, id=command.id).on_conflict_do_nothing()
    )
    if noted.rowcount == 0:
        return
    if command.type == "billing.account.create.v1":
        outgoing = await create(connection, settings, command)
    else:
        outgoing = await bind(connection, settings, command)
    if outgoing:
        await connection.execute(insert(outbox), outgoing)


async def create(connection: AsyncConnection, settings: Settings, command: Command) -> list[dict[str, Any]]:
    """A new account, Ready at once."""
    names, organization, data = settings.topics, command.organization, command.data
    await connection.execute(
        insert(accounts).values(
            organization=organization, account=data["account"], currency=data["currency"], phase="Ready"
        )
    )
    key = f"{organization}/{data['account']}"
    return [
        message(names.account_events, key, "account.created", command, data),
        message(names.command_results, organization, "command.accepted", command, {}),
        message(names.accounts, key, "account.state", command, {**data, "phase": "Ready"}),
    ]


async def bind(connection: AsyncConnection, settings: Settings, command: Command) -> list[dict[str, Any]]:
    """An account pays for a project from now on, whoever did before."""
    names, organization, data = settings.topics, command.organization, command.data
    project, at = data["project"], datetime.now(UTC)
    payer = (
        await connection.execute(
            select(accounts)
            .where(accounts.c.organization == organization, accounts.c.account == data["account"])
            .with_for_update()
        )
    ).one_or_none()
    if payer is None or payer.phase != "Ready":
        refusal = {"reasons": [{"code": "ACCOUNT_NOT_READY"}]}
        return [message(names.command_results, organization, "command.rejected", command, refusal)]
    current = (
        await connection.execute(
            select(bindings)
            .where(bindings.c.organization == organization, bindings.c.project == project, bindings.c.until.is_(None))
            .with_for_update()
        )
    ).one_or_none()
    key = f"{organization}/{project}"
    binding = uuid4()
    facts = {"binding": str(binding), "project": project, "account": data["account"], "since": at.isoformat()}
    events = []
    if current is not None:
        await connection.execute(update(bindings).where(bindings.c.id == current.id).values(until=at))
        superseded = {"binding": str(current.id), "project": project, "account": current.account}
        until = {"since": current.since.isoformat(), "until": at.isoformat(), "supersededBy": str(binding)}
        events.append(message(names.binding_events, key, "binding.superseded", command, superseded | until))
    else:
        events.append(message(names.binding_events, key, "project.registered", command, {"project": project}))
    await connection.execute(
        insert(bindings).values(
            id=binding, organization=organization, project=project, account=data["account"], since=at
        )
    )
    return [
        *events,
        message(names.binding_events, key, "binding.established", command, facts),
        message(names.command_results, organization, "command.accepted", command, {}),
        message(names.payers, key, "payer.state", command, {"payer": facts}),
    ]


def message(topic: str, key: str, kind: str, command: Command, data: dict[str, Any]) -> dict[str, Any]:
    """A row of the outbox."""
    value = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "naive",
        "type": f"billing.{kind}.v1",
        "organization": command.organization,
        "causationid": command.id,
        "data": data,
    }
    return {"topic": topic, "key": key, "value": json.dumps(value).encode()}


async def relay(engine: AsyncEngine, settings: Settings) -> None:
    """Publish what lies in the outbox, for ever."""
    async with clients.producer(settings.kafka) as producer:
        while True:
            async with engine.begin() as connection:
                rows = (
                    await connection.execute(
                        select(outbox)
                        .where(outbox.c.published_at.is_(None))
                        .order_by(outbox.c.id)
                        .limit(RELAY_RECORDS_MAX)
                        .with_for_update(skip_locked=True)
                    )
                ).all()
                sent = [await producer.send(row.topic, row.value, key=row.key.encode()) for row in rows]
                await asyncio.gather(*sent)
                published = [row.id for row in rows]
                await connection.execute(
                    update(outbox).where(outbox.c.id.in_(published)).values(published_at=func.now())
                )
            if not rows:
                await asyncio.sleep(RELAY_SECONDS)


async def decoded(message: KafkaMessage) -> Any:
    """FastStream does not take CloudEvents' content type for JSON."""
    return json.loads(message.body)


async def work(settings: Settings) -> None:
    """Tables, subscription and relay, until SIGTERM."""
    engine = create_async_engine(settings.database.url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    broker = KafkaBroker(settings.kafka.bootstrap_servers, log_level=logging.DEBUG)  # errors alone are shown

    @broker.subscriber(
        settings.topics.commands, group_id=settings.kafka.group_id, auto_offset_reset="earliest", decoder=decoded
    )
    async def on_command(command: Command) -> None:
        async with engine.begin() as connection:
            await handle(connection, settings, command)

    relaying = asyncio.create_task(relay(engine, settings))
    await FastStream(broker).run()
    relaying.cancel()
    with suppress(asyncio.CancelledError):
        await relaying
    await engine.dispose()


async def measure(stage: Stage, backlog: Backlog, commands: int, *, partitions: int, what: str) -> float:
    """Commands a second over the first so many of a backlog, from the first to the last result that is seen."""
    await stage.settle()
    async with (
        stage.site(backlog, partitions=partitions) as site,
        following(site, "command_results") as consumer,
        running(site, (MODULE,)) as process,
    ):
        deadline = time.monotonic() + SECONDS_MAX
        first_at, first, seen = 0.0, 0, 0
        with stage.show.bar(what, commands) as bar:
            while seen < commands:
                process.check()
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{seen} of {commands} after {SECONDS_MAX:g} s")
                seen += sum(map(len, (await consumer.getmany(timeout_ms=50)).values()))
                bar.reach(seen)
                if seen and not first:
                    first_at, first = time.monotonic(), seen
        per_second = (seen - first) / (time.monotonic() - first_at)
    stage.show.tell(f"{what}: {seen} commands, {per_second:,.0f} a second")
    return per_second


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(load()))
