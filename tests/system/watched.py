"""Who lives while faults happen: a subscriber of each isolation, and somebody who asks who paid."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas.instants import parse_instant
from tests.system.checker.answers import Answer, Question
from tests.system.checker.marks import Log, View, digest_of, identity_of
from tests.system.deployment import Deployment
from worker.broker import clients
from worker.store import queries
from worker.store.engine import create_engine
from worker.wire.partitions import partition_of

OUTPUT = ("account_events", "binding_events", "command_results", "accounts", "payers", "horizons", "dead_letters")

POLL_MS = 100
RECONNECT_SECONDS = 0.2
LISTEN_SECONDS_MAX = 15.0
"""After so long a subscriber connects anew: after a fault its client may be stuck, with one partition of many only."""

ASK_SECONDS = 0.05
ANSWERS_MAX = 2_000
PROJECTS_MAX = 10_000


@dataclass
class Seen:
    """What they have seen so far. Whole once `finish` has returned."""

    deployment: Deployment
    committed: View = field(default_factory=View)
    uncommitted: View = field(default_factory=View)
    answers: list[Answer] = field(default_factory=list)
    projects: list[tuple[str, str]] = field(default_factory=list)
    horizons: dict[bytes, datetime] = field(default_factory=dict)
    reconnects: int = 0
    asked: int = 0
    unanswered: int = 0
    _thread: threading.Thread | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _known: set[bytes] = field(default_factory=set)
    _trouble: BaseException | None = None

    def __post_init__(self) -> None:
        for view in (self.committed, self.uncommitted):
            view.logs.update({log: Log() for log in self._logs()})

    def begin(self) -> None:
        """Live in a thread with an event loop of its own: a test may block while it waits for a process."""
        self._thread = threading.Thread(target=self._run, name="watched", daemon=True)
        self._thread.start()

    async def finish(self, seconds: float = 60) -> None:
        """Read on to where the logs end now, and leave. Raises AssertionError if they cannot be read to their ends."""
        await self.leave()
        await asyncio.gather(
            self._catch_up(self.committed, "read_committed", seconds),
            self._catch_up(self.uncommitted, "read_uncommitted", seconds),
        )

    async def asked_again(self) -> list[tuple[Answer, Answer]]:
        """What was answered, and what is answered to the same questions now."""
        engine = self._engine()
        partitions = self.deployment.settings.topics.partitions
        try:
            return [(given, await ask(engine, given.question, partitions)) for given in self.answers]
        finally:
            await engine.dispose()

    async def leave(self) -> None:
        """Stop living. May be said twice."""
        if self._thread is not None:
            self._stop.set()
            await asyncio.to_thread(self._thread.join)
            self._thread = None
        if self._trouble is not None:
            raise self._trouble

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as trouble:  # noqa: BLE001 - told by `leave`, in the test's own thread
            self._trouble = trouble

    async def _live(self) -> None:
        async with asyncio.TaskGroup() as living:
            living.create_task(self._subscribe(self.committed, "read_committed"))
            living.create_task(self._subscribe(self.uncommitted, "read_uncommitted"))
            living.create_task(self._ask())

    def _logs(self) -> list[TopicPartition]:
        topics = self.deployment.settings.topics
        return [
            TopicPartition(getattr(topics, topic), partition)
            for topic in OUTPUT
            for partition in range(topics.partitions)
        ]

    async def _subscribe(self, view: View, isolation: clients.Isolation) -> None:
        while not self._stop.is_set():
            try:
                async with clients.consuming(self.deployment.settings.kafka, isolation=isolation) as consumer:
                    self._seek(consumer, view)
                    await self._listen(consumer, view)
            except (KafkaError, OSError, TimeoutError):
                self.reconnects += 1
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self, consumer: AIOKafkaConsumer, view: View) -> None:
        """Until asked to stop, or for a while."""
        clock = asyncio.get_running_loop().time
        until = clock() + LISTEN_SECONDS_MAX
        while not self._stop.is_set() and clock() < until:
            await self._receive(consumer, view)

    async def _receive(self, consumer: AIOKafkaConsumer, view: View) -> None:
        batches = await consumer.getmany(timeout_ms=POLL_MS)
        for log, records in batches.items():
            seen = view.logs[log]
            for record in records:
                seen.append(record.offset, identity_of(record), digest_of(record))
            if view is self.committed:
                self._learn(log.topic, records)

    def _learn(self, topic: str, records: list[ConsumerRecord]) -> None:
        """What one can ask about: projects, and through which instant answers are final."""
        names = self.deployment.settings.topics
        if topic == names.binding_events and len(self.projects) < PROJECTS_MAX:
            for key in {record.key for record in records} - self._known:
                self._known.add(key)
                organization, _, project = key.decode().partition("/")
                self.projects.append((organization, project))
        elif topic == names.horizons:
            for record in records:
                self.horizons[record.key] = parse_instant(orjson.loads(record.value)["data"]["through"])

    async def _catch_up(self, view: View, isolation: clients.Isolation, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    return await self._read_to_the_ends(view, isolation)
            except TimeoutError:
                raise AssertionError(f"E7: a {isolation} subscriber does not get to the ends of the logs") from None
            except (KafkaError, OSError):
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _read_to_the_ends(self, view: View, isolation: clients.Isolation) -> None:
        async with clients.consuming(self.deployment.settings.kafka, isolation=isolation) as consumer:
            self._seek(consumer, view)
            view.ends = await consumer.end_offsets(list(view.logs))
            while any([await consumer.position(log) < end for log, end in view.ends.items()]):
                await self._receive(consumer, view)

    @staticmethod
    def _seek(consumer: AIOKafkaConsumer, view: View) -> None:
        consumer.assign(list(view.logs))
        for log, seen in view.logs.items():
            consumer.seek(log, seen.next_offset)

    def _engine(self) -> AsyncEngine:
        return create_engine(
            self.deployment.settings.database.url,
            application_name="tests: who paid",
            connections_max=1,
            command_seconds_max=5,
        )

    async def _ask(self) -> None:
        """Ask about instants that are final, and keep what is answered. A database that is away is asked again."""
        choose = random.Random(len(self.deployment.settings.kafka.group_id))  # noqa: S311 - no secret
        engine = self._engine()
        try:
            while not self._stop.is_set():
                await asyncio.sleep(ASK_SECONDS)
                if self.projects:
                    await self._ask_once(engine, choose)
        finally:
            await engine.dispose()

    async def _ask_once(self, engine: AsyncEngine, choose: random.Random) -> None:
        organization, project = choose.choice(self.projects)
        partitions = self.deployment.settings.topics.partitions
        lane = partition_of(organization, partitions)
        through = self.horizons.get(f"{self.deployment.settings.topics.commands}/{lane}".encode())
        if through is None:
            return
        back = choose.choice((timedelta(0), timedelta(microseconds=choose.randrange(1, 20_000_000))))
        question = Question(organization, project, through - back)
        self.asked += 1
        try:
            answer = await ask(engine, question, partitions)
        except (SQLAlchemyError, OSError, TimeoutError):
            self.unanswered += 1
            return
        if len(self.answers) < ANSWERS_MAX:
            self.answers.append(answer)
        else:
            self.answers[choose.randrange(ANSWERS_MAX)] = answer


async def ask(engine: AsyncEngine, question: Question, partitions: int) -> Answer:
    """Who paid, as the program answers it."""
    lane = partition_of(question.organization, partitions)
    async with queries.reading(engine) as connection:
        found = await queries.payer(connection, question.organization, question.project, question.at, lane=lane)
    return Answer(question, found.account, found.binding, found.since, found.until, found.complete_through)


@asynccontextmanager
async def watched(deployment: Deployment) -> AsyncIterator[Seen]:
    """Subscribers and an asker, for as long as the block lasts: give what they saw to `check`."""
    seen = Seen(deployment)
    seen.begin()
    try:
        yield seen
    finally:
        await seen.leave()
