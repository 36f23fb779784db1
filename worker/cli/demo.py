"""The demo: a story of commands, what becomes of each, and who pays for what in the end."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from rich.markup import escape
from rich.table import Table
from sqlalchemy import text

from worker.broker import clients
from worker.cli.console import err, out
from worker.settings import Settings, Topics
from worker.store.engine import create_engine

SECONDS_MAX = 120.0
"""How long a story may take before it is said to hang."""

PAUSE_SECONDS = 0.01
"""Between two commands, so that an eye can follow."""

SETTLE_SECONDS = 0.5
"""After the last answer: its events may lie in a partition that is read later."""

LAG_EVERY = 50
"""How often lag is told where there is no terminal to show it all the time."""

_SOURCE = "billing-worker-demo"

_TIMES_TOLD = text("SELECT count(*) FROM accounts WHERE organization ~ '^acme(-[0-9]+)?$' AND account = 'main'")


@dataclass(slots=True)
class Told:
    """What was sent, and what came back so far."""

    expected: dict[str, str] = field(default_factory=dict)
    commands: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    duplicates_expected: int = 0
    dead_letters_expected: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    payers: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    surprises: list[str] = field(default_factory=list)
    answers: int = 0
    to_send: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def sent(self) -> int:
        """How many records await an answer, or had one."""
        return len(self.expected) + self.duplicates_expected + self.dead_letters_expected

    def answered(self) -> None:
        """One more of what was sent has its outcome."""
        self.answers += 1
        self.changed.set()
        if not out.is_terminal and self.answers % LAG_EVERY == 0:
            out.print(self.progress)

    async def caught_up(self) -> None:
        """Wait until everything that was sent has its outcome."""
        while self.answers < self.sent:
            self.changed.clear()
            await self.changed.wait()

    @property
    def progress(self) -> str:
        """How far the story is, and how far the worker is behind."""
        return f"{self.sent} of {self.to_send} sent, {self.answers} answered, lag {self.sent - self.answers}"


async def tell(settings: Settings, *, stays: bool) -> bool:
    """Publish the story, show commands, outcomes and events as they happen. False if it went otherwise than written."""
    suffix = await _suffix(settings)
    lines = [json.loads(line) for line in files("worker.cli").joinpath("story.jsonl").read_text("utf-8").splitlines()]
    told = Told(to_send=len(lines))
    async with _clients(settings) as (producer, consumer):
        showing = asyncio.create_task(_show(consumer, settings.topics, told))
        try:
            async with asyncio.timeout(SECONDS_MAX):
                with out.status(told.progress) as status:
                    for line in lines:
                        if "say" in line:
                            await told.caught_up()
                        await _send(producer, settings.topics, line, suffix, told)
                        status.update(told.progress)
                        await asyncio.sleep(PAUSE_SECONDS)
                await told.caught_up()
                await asyncio.sleep(SETTLE_SECONDS)
        except TimeoutError:
            told.surprises.append(f"{told.sent - told.answers} of {told.sent} outcomes are missing")
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
    _sum_up(told, stays=stays)
    return not told.surprises


async def _suffix(settings: Settings) -> str:
    """Told once more, the story is about other organizations: accounts and command ids are used once."""
    engine = create_engine(settings.database.url)
    try:
        async with engine.connect() as connection:
            times = await connection.scalar(_TIMES_TOLD)
    finally:
        await engine.dispose()
    return f"-{times + 1}" if times else ""


@asynccontextmanager
async def _clients(settings: Settings) -> AsyncIterator[tuple[AIOKafkaProducer, AIOKafkaConsumer]]:
    topics = settings.topics
    watched = [
        topics.account_events,
        topics.binding_events,
        topics.command_results,
        topics.payers,
        topics.dead_letters,
    ]
    async with clients.producer(settings.kafka) as producer, clients.consuming(settings.kafka) as consumer:
        logs = [
            TopicPartition(topic, partition) for topic in watched for partition in await producer.partitions_for(topic)
        ]
        consumer.assign(logs)
        await consumer.seek_to_end(*logs)
        for log in logs:
            await consumer.position(log)
        yield producer, consumer


async def _send(producer: AIOKafkaProducer, topics: Topics, line: Mapping[str, Any], suffix: str, told: Told) -> None:
    if say := line.get("say"):
        out.print(f"\n[bold]{escape(say)}[/]")
    if "raw" in line:
        told.dead_letters_expected += 1
        out.print(f"  [dim]{escape(line['key'])}[/]  {escape(line['raw'])}")
        await producer.send(topics.commands, line["raw"].encode(), key=(line["key"] + suffix).encode())
        return
    organization = line["organization"] + suffix
    command = {
        "specversion": "1.0",
        "id": line["id"],
        "source": _SOURCE,
        "type": f"billing.{line['type']}.v1",
        "organization": organization,
        "actor": line["actor"],
        "data": line["data"],
    }
    command |= {name: line[name] for name in ("expectedversion", "dryrun") if name in line}
    if line["expect"] == "duplicate":
        told.duplicates_expected += 1
    elif line["id"] in told.expected:
        told.expected[f"{line['id']} again"] = line["expect"]
    else:
        told.expected[line["id"]] = line["expect"]
    told.commands[line["id"]] = line
    headers = [("content-type", b"application/cloudevents+json")]
    await producer.send(topics.commands, orjson.dumps(command), key=organization.encode(), headers=headers)


async def _show(consumer: AIOKafkaConsumer, topics: Topics, told: Told) -> None:
    async for record in consumer:
        if record.topic == topics.dead_letters:
            told.answered()
            told.outcomes["dead letter"] += 1
            reason = dict(record.headers).get("billing-reason", b"").decode()
            out.print(f"  [magenta]dead letter[/]  {escape(reason)}")
            continue
        message = json.loads(record.value)
        if record.topic == topics.payers:
            told.payers[message["data"]["organization"], message["data"]["project"]] = message["data"]
        elif record.topic == topics.command_results:
            _answer(message, told)
        else:
            told.events[message["type"].removeprefix("billing.").removesuffix(".v1")] += 1
            _event(message)


def _answer(message: Mapping[str, Any], told: Told) -> None:
    """Show one outcome and hold it against what the story says."""
    told.answered()
    data = message["data"]
    codes = [reason["code"] for reason in data.get("reasons", ())]
    kind = message["type"].removeprefix("billing.command.").removesuffix(".v1")
    outcome = "duplicate" if data.get("duplicate") else codes[0] if codes else kind
    told.outcomes["duplicate" if outcome == "duplicate" else kind] += 1
    expected = {told.expected.get(data["command"]), told.expected.get(f"{data['command']} again")}
    if outcome != "duplicate" and outcome not in expected:
        told.surprises.append(f"{data['command']} became {outcome}, not {' or '.join(filter(None, expected))}")
    line = told.commands.get(data["command"], {})
    what = " ".join([line.get("type", ""), *_subjects(line.get("data", {}))])
    colour = {"accepted": "green", "duplicate": "cyan"}.get(outcome, "yellow")
    out.print(f"  [{colour}]{outcome:<24}[/] [dim]{escape(message['organization'])}[/] {escape(what)}")


def _subjects(data: Mapping[str, Any]) -> list[str]:
    return [str(data[name]) for name in ("project", "account", "from", "to", "reason") if name in data]


def _event(message: Mapping[str, Any]) -> None:
    kind = message["type"].removeprefix("billing.").removesuffix(".v1")
    data = message["data"]
    change = (
        f" {data['from'] or 'nothing'} → {data['to']} ({data['reason']})" if kind == "account.phase-changed" else ""
    )
    out.print(f"    [blue]{kind}[/] [dim]{escape(message['subject'])} #{message['sequence']}[/]{escape(change)}")


def _sum_up(told: Told, *, stays: bool) -> None:
    table = Table(title="Who pays for what", title_justify="left")
    for column in ("organization", "account", "projects", "since"):
        table.add_column(column, justify="right" if column == "projects" else "left")
    paid = Counter(
        (organization, state["payer"]["account"]) for (organization, _), state in told.payers.items() if state["payer"]
    )
    unpaid = Counter(organization for (organization, _), state in told.payers.items() if not state["payer"])
    for (organization, account), projects in sorted(paid.items()):
        first = min(
            state["payer"]["since"]
            for (owner, _), state in told.payers.items()
            if owner == organization and state["payer"] and state["payer"]["account"] == account
        )
        table.add_row(organization, account, str(projects), first)
    for organization, projects in sorted(unpaid.items()):
        table.add_row(organization, "nobody", str(projects), "")
    out.print()
    out.print(table)
    out.print("outcomes: " + ", ".join(f"{count} {name}" for name, count in sorted(told.outcomes.items())))
    out.print(f"events:   {sum(told.events.values())} of {len(told.events)} types")
    for surprise in told.surprises:
        err.print(f"[red]not as written:[/] {escape(surprise)}")
    if stays:
        out.print(_NEXT, markup=False)


_NEXT = """
Now a command of your own, in another terminal (here: Ctrl-C ends everything, the data stays in .billing/):

  set -a; . .billing/billing.env; set +a; PATH="$PWD/.venv/bin:$PATH"
  billing-worker publish --organization mine --type account.create --wait --data '{
    "account": "main", "currency": "EUR",
    "paymentProfile": {"type": "card", "externalId": "pm_1", "status": "Valid"}}'
  billing-worker publish --organization mine --type project.bind --wait --data '{"project": "web", "account": "main"}'
  billing-worker payer mine web
"""
