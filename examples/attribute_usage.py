"""Attribute usage to whoever paid: read usage records, write them out with their payer, quarantine what has none.

Usage is JSON {"usage": id, "organization", "project", "at": RFC 3339, "quantity"}. Each record goes to one of two
topics: with {account, binding, currency, since, final} added, or as it came with the header `quarantine-reason`. It
waits in its partition's order until the answer is final, so long at most. Who paid never changes once it is final: what
is attributed again after a crash comes out in the same bytes, and readers drop it by its key, the usage id.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError, IllegalStateError

from examples.reaching import servers
from schemas.instants import format_instant, parse_instant
from schemas.subscriber import Answer, Gap, Nobody, NotYet, Payer, Payers, Unknown, Why

POLL_MS = 200
HELD_RECORDS_MAX = 10_000
"""How much usage is taken in and not settled; then its topic is paused."""

log = logging.getLogger("attribute-usage")


def topic(name: str) -> str:
    """The real name of a topic of the worker's, from the same settings as the worker's own."""
    return os.environ.get(f"BILLING_TOPICS__{name.replace('-', '_').upper()}", f"billing.{name}")


@dataclass
class Facts:
    """Reads what the worker publishes about payers, for ever, into `payers`."""

    payers: Payers
    consumer: AIOKafkaConsumer
    ends: AIOKafkaConsumer  # asks where logs end, open transactions included: it reads uncommitted
    logs: list[TopicPartition]

    async def begin(self, is_over: Callable[[], bool]) -> None:
        """Go on where the folded state ends (in logs that it does not know, at their beginning) and catch up."""
        self.consumer.assign(self.logs)
        for each in self.logs:
            if (position := self.payers.positions.get(name_of(each))) is not None:
                self.consumer.seek(each, position)
            else:
                await self.consumer.seek_to_beginning(each)
        ends = await self.ends.end_offsets(self.logs)
        while not is_over() and any([await self.consumer.position(each) < end for each, end in ends.items()]):
            await self.fold()

    async def fold(self) -> int:
        """Fold what has come. Returns how much."""
        batches = await self.consumer.getmany(timeout_ms=POLL_MS)
        for each, records in batches.items():
            for record in records:
                self._fold(each.topic, record)
        self.payers.reached({name_of(each): await self.consumer.position(each) for each in self.logs})
        if self.payers.asks_for_ends():
            awaited = [each for each in self.logs if each.topic != topic("horizons")]
            ends = await self.ends.end_offsets(awaited)
            self.payers.ends({name_of(each): end for each, end in ends.items()})
        return sum(map(len, batches.values()))

    def _fold(self, name: str, record: ConsumerRecord) -> None:
        if name == topic("horizons"):
            self.payers.horizon(record.key, record.value)
        elif name == topic("payers"):
            self.payers.state(record.key, record.value)
        elif isinstance(outcome := self.payers.event(record.value), Gap):
            log.warning("%s: waiting for the compacted record", outcome)


@dataclass
class Attributed:
    """A usage record with the topic, and headers, that it goes out with."""

    topic: str
    key: bytes | None
    value: bytes | None
    reason: str | None = None


@dataclass(frozen=True)
class Attribution:
    """Decides where a usage record goes."""

    payers: Payers
    attributed: str
    quarantine: str
    provisional: bool

    def of(self, record: ConsumerRecord, *, is_late: bool) -> Attributed | None:
        """Where it goes; None: it has to wait. `is_late`: it has waited for long enough."""
        try:
            usage = json.loads(record.value)
            id_, at = usage["usage"].encode(), parse_instant(usage["at"])
            answer = self.payers.paid(usage["organization"], usage["project"], at)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return self._refused(record, "UNREADABLE")
        match answer:
            case Payer():
                return self._placed(id_, usage, answer, is_final=True)
            case NotYet() | Unknown(Why.GAP) if not is_late:
                return None
            case NotYet(so_far=Payer() as payer) if self.provisional:
                return self._placed(id_, usage, payer, is_final=False)
        return self._refused(record, reason_of(answer))

    def _placed(self, id_: bytes, usage: dict[str, Any], payer: Payer, *, is_final: bool) -> Attributed:
        whose = {"account": payer.account, "binding": payer.binding, "currency": payer.currency}
        more = {"since": format_instant(payer.since), "final": is_final}  # not `until`: that may not be known yet
        return Attributed(self.attributed, id_, json.dumps({**usage, **whose, **more}).encode())

    def _refused(self, record: ConsumerRecord, reason: str) -> Attributed:
        return Attributed(self.quarantine, record.key, record.value, reason)


def reason_of(answer: Answer) -> str:
    """Why a record cannot be placed, in a word."""
    match answer:
        case Nobody():
            return "NOBODY_PAID"
        case Unknown(reason):
            return reason.value
        case _:
            return "NOT_YET"


@dataclass
class Usage(ConsumerRebalanceListener):  # type: ignore[misc]  # its base has no types
    """The usage topic, shared with others of the same group; commits what was settled and acknowledged."""

    consumer: AIOKafkaConsumer
    producer: AIOKafkaProducer
    attribution: Attribution
    wait_seconds: float
    held: dict[TopicPartition, deque[tuple[ConsumerRecord, float]]] = field(default_factory=dict)
    """What is not settled, in order, each record with the time when it has waited for long enough."""

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Whoever reads them next settles what is held here."""
        for each in revoked:
            self.held.pop(each, None)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Nothing to do before the first record comes."""

    async def settle(self) -> int:
        """Take in what there is, and send out what can be told by now. Returns how much was sent."""
        self._pause_or_resume()
        for each, records in (await self.consumer.getmany(timeout_ms=0, max_records=HELD_RECORDS_MAX)).items():
            deadline = time.monotonic() + self.wait_seconds
            self.held.setdefault(each, deque()).extend((record, deadline) for record in records)
        sent, commits = [], {}
        for each, held in list(self.held.items()):  # partitions may be revoked meanwhile
            while held:
                record, deadline = held[0]
                placed = self.attribution.of(record, is_late=time.monotonic() >= deadline)
                if placed is None:
                    break
                headers = [] if placed.reason is None else [("quarantine-reason", placed.reason.encode())]
                sent.append(await self.producer.send(placed.topic, placed.value, placed.key, headers=headers))
                commits[each] = record.offset + 1
                held.popleft()
        await asyncio.gather(*sent)
        if commits:
            try:
                await self.consumer.commit(commits)
            except (CommitFailedError, IllegalStateError):  # others have these partitions now, and settle them again
                log.info("partitions went to another consumer before the commit")
        return len(sent)

    def _pause_or_resume(self) -> None:
        if sum(map(len, self.held.values())) >= HELD_RECORDS_MAX:
            self.consumer.pause(*self.consumer.assignment())
        else:
            self.consumer.resume(*self.consumer.paused())


def name_of(log_: TopicPartition) -> str:
    """A log as positions name it."""
    return f"{log_.topic}/{log_.partition}"


def load(path: Path | None, partitions: int) -> Payers:
    """The state of the last run, or an empty one that reads everything from the first event on."""
    if path is not None and path.exists():
        with path.open(encoding="utf-8") as lines:
            return Payers.load(lines, partitions=partitions)
    return Payers(whole=True, partitions=partitions, commands=topic("commands"))


def save(payers: Payers, path: Path | None) -> None:
    """Keep the state, whole or not at all."""
    if path is not None:
        new = path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in payers.dump())
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)


async def logs_of(names: list[str]) -> list[TopicPartition]:
    """All partitions of topics. They keep their own number when commands get more."""
    admin = AIOKafkaAdminClient(**servers())
    await admin.start()
    try:
        counts = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics()}
    finally:
        await admin.close()
    if missing := [name for name in names if not counts.get(name)]:
        raise SystemExit(f"there is no topic {', '.join(missing)}")
    return [TopicPartition(name, n) for name in names for n in range(counts[name])]


@asynccontextmanager
async def facts_into(payers: Payers) -> AsyncIterator[Facts]:
    """The reader of what the worker publishes."""
    logs = await logs_of([topic(name) for name in ("payers", "binding-events", "horizons")])
    never_jump = {"auto_offset_reset": "none", "enable_auto_commit": False}  # a lost position is an error
    async with (
        AIOKafkaConsumer(**servers(), **never_jump, isolation_level="read_committed") as consumer,
        AIOKafkaConsumer(**servers(), **never_jump, isolation_level="read_uncommitted") as ends,
    ):
        yield Facts(payers, consumer, ends, logs)


@asynccontextmanager
async def usage_for(options: argparse.Namespace, payers: Payers) -> AsyncIterator[Usage]:
    """The reader and writer of usage."""
    attribution = Attribution(payers, options.attributed, options.quarantine, options.provisional)
    group = {"group_id": options.group, "auto_offset_reset": "earliest", "enable_auto_commit": False}
    async with (
        AIOKafkaConsumer(**servers(), **group, isolation_level="read_committed") as consumer,
        AIOKafkaProducer(**servers(), acks="all", enable_idempotence=True) as producer,
    ):
        usage = Usage(consumer, producer, attribution, options.wait_seconds)
        consumer.subscribe([options.usage], listener=usage)
        yield usage


async def run(options: argparse.Namespace, is_over: Callable[[], bool]) -> None:
    """Fold and settle in turns, until told to stop."""
    payers = load(options.state, options.partitions)
    saved_at = time.monotonic()
    async with facts_into(payers) as facts, usage_for(options, payers) as usage:
        await facts.begin(is_over)
        while not is_over():
            folded, settled = await facts.fold(), await usage.settle()
            if folded or settled:
                log.info("folded %d, settled %d, final through %s", folded, settled, payers.through())
            if time.monotonic() - saved_at > options.save_seconds:
                save(payers, options.state)
                saved_at = time.monotonic()
    save(payers, options.state)


def arguments() -> argparse.Namespace:
    """What to read and write."""
    parser = argparse.ArgumentParser(description="Attribute usage records to whoever paid for their project.")
    parser.add_argument("usage", help="the topic that usage comes from")
    parser.add_argument("attributed", help="the topic for usage with its payer")
    parser.add_argument("quarantine", help="the topic for usage that cannot be placed")
    parser.add_argument("--group", default="attribute-usage", help="the group that shares the usage topic")
    parser.add_argument("--state", type=Path, help="a file to keep folded state in, so that a restart goes on there")
    parser.add_argument("--save-seconds", type=float, default=60, help="how often the file is written (%(default)s)")
    parser.add_argument(
        "--wait-seconds", type=float, default=120, help="how long a record waits for a final answer (%(default)s)"
    )
    parser.add_argument(
        "--provisional", action="store_true", help='after that write what is known, with "final": false'
    )
    declared = os.environ.get("BILLING_TOPICS__COMMANDS_PARTITIONS") or os.environ.get("BILLING_TOPICS__PARTITIONS")
    parser.add_argument("--partitions", type=int, default=declared or 12, help="of the commands topic (%(default)s)")
    return parser.parse_args()


async def main() -> None:
    """Run until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await run(arguments(), stopping.is_set)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    asyncio.run(main())
