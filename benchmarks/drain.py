"""How fast a backlog of binds is drained end to end: everything on this machine, one worker, real durability.

    .venv/bin/python -m benchmarks.drain --commands 100000 --partitions 6 [--rebind] [--json]

From the start of the worker's first batch to the horizon that covers the last command, as a read_committed subscriber
sees it. The servers are embedded ones in a temporary directory; nothing is left behind.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from aiokafka import TopicPartition

from worker.broker import clients, topics
from worker.embedded import Stack
from worker.settings import Settings, load
from worker.store import schema

ORGANIZATIONS = 60
HEADERS = [("content-type", b"application/cloudevents+json")]


def command(organization: str, kind: str, id_: str, **data: object) -> bytes:
    """A command as a publisher writes it."""
    envelope = {
        "specversion": "1.0",
        "id": id_,
        "source": "benchmarks",
        "type": f"billing.{kind}.v1",
        "organization": organization,
        "actor": "bench@example.com",
        "data": data,
    }
    return json.dumps(envelope).encode()


def backlog(commands: int, *, rebind: bool) -> Iterator[tuple[str, bytes]]:
    """Two Ready accounts an organization, then binds; with `rebind` every second one moves a bound project."""
    organizations = [f"org-{number:03}" for number in range(ORGANIZATIONS)]
    for organization in organizations:
        for account in ("main", "other"):
            profile = {"type": "card", "externalId": f"pm-{account}", "status": "Valid"}
            values = {"account": account, "currency": "EUR", "paymentProfile": profile}
            yield organization, command(organization, "account.create", f"create-{account}", **values)
    for number in range(commands):
        organization = organizations[number % ORGANIZATIONS]
        turn = number // ORGANIZATIONS
        project, account = (turn // 2, ("main", "other")[turn % 2]) if rebind else (turn, "main")
        values = {"project": f"project-{project}", "account": account}
        yield organization, command(organization, "project.bind", f"bind-{number}", **values)


async def publish(settings: Settings, commands: int, *, rebind: bool) -> int:
    """Put the backlog there. Returns how many records it has."""
    total = 0
    async with clients.producer(settings.kafka) as producer:
        for organization, value in backlog(commands, rebind=rebind):
            await producer.send(settings.topics.commands, value, key=organization.encode(), headers=HEADERS)
            total += 1
        await producer.flush()
    return total


async def prepare(settings: Settings, commands: int, *, rebind: bool) -> int:
    """Schema, topics, backlog."""
    await schema.upgrade(settings.database.url)
    admin = clients.admin(settings.kafka)
    await admin.start()
    await topics.apply(admin, await topics.compare(admin, topics.plan(settings)))
    await admin.close()
    await asyncio.sleep(2)  # leaders are elected, logs are made: not what is measured
    return await publish(settings, commands, rebind=rebind)


async def watch(settings: Settings, total: int, worker: psutil.Process) -> dict[str, float]:
    """Follow the horizons until they cover everything."""
    name = settings.topics.horizons
    logs = [TopicPartition(name, partition) for partition in range(settings.topics.partitions)]
    offsets: dict[bytes, int] = {}
    peak = began = 0.0
    async with clients.consuming(settings.kafka) as consumer:
        consumer.assign(logs)
        await consumer.seek_to_beginning(*logs)
        while sum(offsets.values()) < total:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                for record in records:
                    began = began or time.monotonic()
                    offsets[record.key] = json.loads(record.value)["data"]["offset"]
            peak = max(peak, worker.memory_info().rss)
    return {"ended": time.monotonic(), "first_horizon": began, "peak_mebibytes": peak / 2**20}


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of a process and its children."""
    family = [process, *process.children(recursive=True)]
    return sum(sum(one.cpu_times()[:2]) for one in family)


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", type=int, default=100_000)
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--rebind", action="store_true", help="half of the commands move a bound project")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, Stack(Path(directory), on_progress=tell) as stack:
        os.environ |= {
            "BILLING_KAFKA__BOOTSTRAP_SERVERS": stack.addresses.bootstrap_servers,
            "BILLING_DATABASE__URL": stack.addresses.database_url,
            "BILLING_TOPICS__PARTITIONS": str(options.partitions),
            "BILLING_HTTP__PORT": "0",
            "BILLING_LOG__LEVEL": "warning",
        }
        settings = load()
        total = asyncio.run(prepare(settings, options.commands, rebind=options.rebind))
        tell(f"{total} commands wait")
        servers = [psutil.Process(stack.kafka.pid), psutil.Process(stack.postgres.pid)]
        before = [cpu_seconds(server) for server in servers]
        started = time.monotonic()
        process = subprocess.Popen([sys.executable, "-m", "worker", "run"])
        worker = psutil.Process(process.pid)
        seen = asyncio.run(watch(settings, total, worker))
        spent = [cpu_seconds(worker), *(cpu_seconds(server) - at for server, at in zip(servers, before, strict=True))]
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    per_command = [1e6 * seconds / total for seconds in spent]
    figures = {
        "commands": total,
        "seconds_from_start": round(seen["ended"] - started, 2),
        "commands_per_second": round(total / (seen["ended"] - started)),
        "commands_per_second_after_first_horizon": round(total / (seen["ended"] - seen["first_horizon"])),
        "worker_peak_mebibytes": round(seen["peak_mebibytes"]),
        "cpu_microseconds_per_command": {
            name: round(value, 1) for name, value in zip(("worker", "kafka", "postgres"), per_command, strict=True)
        },
    }
    print(json.dumps(figures) if options.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


def tell(message: str) -> None:
    """Progress, beside the results."""
    print(message, file=sys.stderr)


if __name__ == "__main__":
    main()
