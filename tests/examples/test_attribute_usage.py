"""The example on a real Kafka beside a real worker: every usage record comes out once, with whoever paid."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import NewTopic

from schemas.instants import format_instant, parse_instant
from tests.system.deployment import Deployment, command, ready_account
from tests.system.settling import until
from worker.broker import clients

EXAMPLE = Path(__file__).parents[2] / "examples" / "attribute_usage.py"
PARTITIONS = 2
MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Billing:
    """A biller's own topics beside a deployment's."""

    deployment: Deployment
    usage: str
    attributed: str
    quarantine: str

    async def report(self, id_: str, project: str, at: datetime) -> None:
        """Publish usage of one project."""
        usage = {"usage": id_, "organization": "acme", "project": project, "at": format_instant(at), "quantity": "1.5"}
        await self.send(id_.encode(), json.dumps(usage).encode())

    async def send(self, key: bytes, value: bytes | None) -> None:
        async with clients.producer(self.deployment.settings.kafka) as producer:
            await producer.send_and_wait(self.usage, value, key)

    async def read(self, topic: str) -> list[ConsumerRecord]:
        """Everything in a topic."""
        async with clients.consumer(self.deployment.settings.kafka) as consumer:
            logs = [TopicPartition(topic, n) for n in range(PARTITIONS)]
            consumer.assign(logs)
            await consumer.seek_to_beginning(*logs)
            ends = await consumer.end_offsets(logs)
            records: list[ConsumerRecord] = []
            while any([await consumer.position(log) < ends[log] for log in logs]):
                for batch in (await consumer.getmany(timeout_ms=100)).values():
                    records += batch
        return records

    async def placed(self, count: int) -> dict[str, dict[str, Any]]:
        """Usage with its payer by its id, once all that was reported came out on one of both topics."""

        async def is_out() -> bool:
            return len(await self.read(self.attributed)) + len(await self.read(self.quarantine)) >= count

        await until(is_out, f"{count} usage records came out", seconds=100)
        records = await self.read(self.attributed)
        values = {record.key.decode(): json.loads(record.value) for record in records}
        assert len(values) == len(records), "none comes out twice"
        return values

    async def reasons(self) -> dict[bytes, str]:
        """Why usage is quarantined."""
        return {
            record.key: dict(record.headers)["quarantine-reason"].decode()
            for record in await self.read(self.quarantine)
        }

    @contextmanager
    def example(self, *options: str) -> Iterator[None]:
        """The program while the block lasts; it ends well when it is told to."""
        arguments = [self.usage, self.attributed, self.quarantine, "--group", f"{self.usage}-group", *options]
        process = subprocess.Popen(
            [sys.executable, EXAMPLE, *arguments], env=os.environ | self.deployment.environment, stderr=subprocess.PIPE
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=60)
            sys.stderr.write(said.decode())
        assert process.returncode == 0


@pytest.fixture
async def billing(deployment: Deployment) -> AsyncIterator[Billing]:
    prefix = deployment.settings.kafka.group_id
    names = [f"{prefix}.{name}" for name in ("usage", "attributed", "quarantine")]
    admin = clients.admin(deployment.settings.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
    yield Billing(deployment, *names)
    await admin.delete_topics(names)
    await admin.close()


def bind(id_: str, project: str, account: str) -> bytes:
    return command("acme", "project.bind", id_, project=project, account=account)


async def intervals(deployment: Deployment, project: str) -> list[datetime]:
    """When the bindings of a project began and ended."""
    events = [event["data"] for event in await deployment.messages("binding_events")]
    mine = [data for data in events if data.get("project") == project and "binding" in data]
    return sorted({parse_instant(data[name]) for data in mine for name in ("since", "until") if name in data})


def whose(usage: dict[str, Any]) -> tuple[str, str, bool]:
    return usage["account"], usage["currency"], usage["final"]


@pytest.mark.slow
async def test_usage_goes_to_whoever_paid_at_its_instant_or_to_quarantine(billing: Billing, tmp_path: Path) -> None:
    deployment, kept = billing.deployment, ("--state", str(tmp_path / "state.jsonl"))
    with deployment.worker(LANES__TICK_SECONDS="1"):
        await deployment.publish("acme", ready_account("acme", "amber"), ready_account("acme", "birch"))
        await deployment.publish("acme", bind("b-1", "site", "amber"), bind("b-2", "site", "birch"))
        await deployment.publish("acme", command("acme", "project.unbind", "u-1", project="site"))
        await deployment.publish("acme", bind("b-3", "shop", "birch"))
        await deployment.answers()
        amber, birch, nobody = await intervals(deployment, "site")

        with billing.example(*kept):
            for n, at in enumerate((amber - MOMENT, amber, birch - MOMENT, birch, nobody - MOMENT, nobody)):
                await billing.report(f"u-{n}", "site", at)
            await billing.report("u-6", "nowhere", amber)
            await billing.send(b"u-7", b"{}")
            await billing.report("u-8", "shop", datetime.now(UTC) + timedelta(seconds=3))
            placed = await billing.placed(9)
        reasons = await billing.reasons()

        assert {id_: whose(usage) for id_, usage in placed.items()} == {
            "u-1": ("amber", "EUR", True),
            "u-2": ("amber", "EUR", True),
            "u-3": ("birch", "EUR", True),
            "u-4": ("birch", "EUR", True),
            "u-8": ("birch", "EUR", True),
        }
        assert placed["u-1"]["since"] == format_instant(amber)
        assert reasons == {
            b"u-0": "NOBODY_PAID", b"u-5": "NOBODY_PAID", b"u-6": "NOBODY_PAID", b"u-7": "UNREADABLE",
        }  # fmt: skip

        await deployment.publish("acme", bind("b-4", "site", "amber"))
        await deployment.answers()
        *_, again = await intervals(deployment, "site")
        later = datetime.now(UTC) + timedelta(hours=1)
        with billing.example(*kept, "--wait-seconds", "30"):
            await billing.report("u-9", "site", again)
            await asyncio.wait_for(billing.placed(10), 100)
        with billing.example(*kept, "--wait-seconds", "0", "--provisional"):
            await billing.report("u-10", "shop", later)
            await billing.report("u-11", "nowhere", later)
            placed = await billing.placed(12)

    assert whose(placed["u-9"]) == ("amber", "EUR", True)
    assert whose(placed["u-10"]) == ("birch", "EUR", False)
    assert (await billing.reasons())[b"u-11"] == "NOT_YET"
