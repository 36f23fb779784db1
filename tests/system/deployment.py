"""One deployment of the worker as a test sees it: publish commands, run workers, read topics and tables."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.structs import RecordMetadata
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.broker import clients
from worker.settings import Settings
from worker.store.engine import create_engine

HEADERS = [("content-type", b"application/cloudevents+json")]


def command(organization: str, kind: str, id_: str, *, actor: str | None = "ops@example.com", **data: Any) -> bytes:
    """A command as a publisher writes it; `kind` without prefix and version."""
    envelope = {
        "specversion": "1.0",
        "id": id_,
        "source": "tests",
        "type": f"billing.{kind}.v1",
        "organization": organization,
        "data": data,
    }
    return json.dumps(envelope | ({"actor": actor} if actor else {})).encode()


def ready_account(organization: str, account: str) -> bytes:
    """The command that makes an account which is Ready at once."""
    profile = {"type": "card", "externalId": f"pm-{account}", "status": "Valid"}
    return command(
        organization,
        "account.create",
        f"create-{account}",
        account=account,
        currency="EUR",
        paymentProfile=profile,
    )


@dataclass(frozen=True)
class Record:
    """A record as somebody publishes it, good or bad; without a partition it goes where its key belongs."""

    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()
    partition: int | None = None


@dataclass(frozen=True)
class Around:
    """What a worker finds around it: the directory of another release than the one at hand, and what else is set."""

    release: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class WorkerProcess:
    """A worker as the process that it is."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def died(self, seconds: float = 60) -> int:
        """Wait for its end. Returns the exit status, negative for a signal."""
        return self.process.wait(seconds)

    def events(self) -> list[dict[str, Any]]:
        """What it logged, in whole lines: it may be writing one."""
        lines = self.log.read_text().rpartition("\n")[0].splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def said(self, name: str) -> list[dict[str, Any]]:
        """What it logged under a name."""
        return [event for event in self.events() if event.get("event") == name]

    def address(self, seconds: float = 60) -> str:
        """Where its health endpoints are."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for event in self.said("listening"):
                return str(event["address"])
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"the worker does not listen: {self.log.read_text()[-4000:]}")

    def wait_ready(self, seconds: float = 60) -> None:
        """Wait until `/readyz` says yes."""
        address = self.address()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(OSError), urlopen(f"{address}/readyz", timeout=2) as response:  # noqa: S310
                if response.status == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"the worker is not ready: {self.log.read_text()[-4000:]}")

    def readiness(self) -> tuple[bool, dict[str, str]]:
        """Whether `/readyz` says yes, and what it waits for."""
        try:
            response = urlopen(f"{self.address()}/readyz", timeout=5)  # noqa: S310
        except HTTPError as refused:
            response = refused
        with response:
            body = json.load(response)
            assert response.status == (HTTPStatus.OK if body["ready"] else HTTPStatus.SERVICE_UNAVAILABLE)
        return body["ready"], body["waitingFor"]


@dataclass
class Deployment:
    """Topics, group, database; and whatever was started on them."""

    settings: Settings
    environment: dict[str, str]
    sent: int = 0
    _logs: list[Path] = field(default_factory=list)

    async def publish(
        self,
        organization: str | bytes | None,
        *values: bytes | None,
        headers: Sequence[tuple[str, bytes | None]] = HEADERS,
        partition: int | None = None,
    ) -> list[RecordMetadata]:
        """Publish records under one key, acknowledged by the broker."""
        key = organization.encode() if isinstance(organization, str) else organization
        async with clients.producer(self.settings.kafka) as producer:
            futures = [
                await producer.send(
                    self.settings.topics.commands, value, key=key, headers=list(headers), partition=partition
                )
                for value in values
            ]
            written = await asyncio.gather(*futures)
        self.sent += len(values)
        return list(written)

    async def publish_many(self, commands: Iterable[tuple[str, bytes]]) -> int:
        """Publish commands of many organizations in the order given, acknowledged. Returns how many."""
        async with clients.producer(self.settings.kafka) as producer:
            futures = [
                await producer.send(self.settings.topics.commands, value, key=organization.encode(), headers=HEADERS)
                for organization, value in commands
            ]
            await asyncio.gather(*futures)
        self.sent += len(futures)
        return len(futures)

    async def publish_records(self, records: Iterable[Record]) -> list[RecordMetadata]:
        """Publish records of any kind in the order given, acknowledged: where each of them lies."""
        async with clients.producer(self.settings.kafka) as producer:
            futures = [
                await producer.send(
                    self.settings.topics.commands, each.value, each.key, each.partition, headers=list(each.headers)
                )
                for each in records
            ]
            written = await asyncio.gather(*futures)
        self.sent += len(futures)
        return list(written)

    @contextmanager
    def worker(self, around: Around | None = None, /, **settings: str) -> Iterator[WorkerProcess]:
        """A worker process, ended when the block ends. Settings by their names, `BILLING_` left out."""
        around = around or Around()
        set_ = {f"BILLING_{name}": value for name, value in settings.items()}
        log = Path(os.environ.get("TMPDIR", "/tmp")) / f"worker-{os.getpid()}-{len(self._logs)}-{time.time_ns()}.log"  # noqa: S108
        self._logs.append(log)
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "worker", "run"],
                env=os.environ | self.environment | set_ | around.environment,
                cwd=around.release,
                stderr=errors,
                stdout=subprocess.DEVNULL,
            )
        worker = WorkerProcess(process, log)
        try:
            yield worker
        except BaseException:
            sys.stderr.write(f"--- the log of worker {process.pid}\n{log.read_text()[-20_000:]}\n")
            raise
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            log.unlink(missing_ok=True)

    async def read(self, topic: str, *, isolation: clients.Isolation = "read_committed") -> list[ConsumerRecord]:
        """Everything that a subscriber finds in a topic (a name in the settings), partition after partition."""
        name = getattr(self.settings.topics, topic)
        async with clients.consuming(self.settings.kafka, isolation=isolation) as consumer:
            logs = [TopicPartition(name, partition) for partition in range(self.settings.topics.partitions)]
            consumer.assign(logs)
            await consumer.seek_to_beginning(*logs)
            ends = await consumer.end_offsets(logs)
            records: list[ConsumerRecord] = []
            while any([await consumer.position(log) < ends[log] for log in logs]):
                for batch in (await consumer.getmany(timeout_ms=100)).values():
                    records += batch
        return sorted(records, key=lambda record: (record.partition, record.offset))

    async def messages(self, topic: str) -> list[dict[str, Any]]:
        """The CloudEvents in a topic."""
        return [json.loads(record.value) for record in await self.read(topic) if record.value is not None]

    async def answers(self, seconds: float = 60) -> list[dict[str, Any]]:
        """Results, once there is one or a dead letter for everything that was sent. Repeated ones count once."""
        deadline = time.monotonic() + seconds
        while True:
            results = await self.messages("command_results")
            dead = await self.read("dead_letters")
            answered = len({result["id"] for result in results}), len({_origin_of(record) for record in dead})
            if sum(answered) >= self.sent:
                return results
            if time.monotonic() > deadline:
                raise AssertionError(f"{answered[0]} results and {answered[1]} dead letters for {self.sent} records")
            await asyncio.sleep(0.1)

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[AsyncEngine]:
        """The deployment's database."""
        engine = create_engine(self.settings.database.url, by_key=False)
        try:
            yield engine
        finally:
            await engine.dispose()

    async def rows(self, statement: str) -> list[Any]:
        """What a query answers."""
        async with self.engine() as engine, engine.connect() as connection:
            return list(await connection.execute(text(statement)))


def _origin_of(dead_letter: ConsumerRecord) -> tuple[bytes | None, bytes | None]:
    """Where in the command topic it lay. The worker's own headers are the last ones."""
    headers = dict(dead_letter.headers)
    return headers["billing-partition"], headers["billing-offset"]
