"""How long the output of each lane stands still, as a subscriber sees it, and what of that is its hand-over."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from aiokafka import TopicPartition

from tests.system.deployment import Deployment, WorkerProcess, command, ready_account
from tests.system.load import Command
from worker.broker import clients
from worker.wire.partitions import partition_of

POLL_MS = 10
PROJECTS = 40


@dataclass(frozen=True)
class Stop:
    """A lane told nothing for some time. `taken_at` is when its new owner ran it, if it changed hands in that time."""

    lane: int
    since: float
    until: float
    taken_at: float | None

    @property
    def seconds(self) -> float:
        """How long."""
        return self.until - self.since

    @property
    def seconds_beyond(self) -> float:
        """How long without its hand-over: from when the new owner had the lane, else all of it."""
        return self.until - (self.taken_at or self.since)


@dataclass
class Seen:
    """When a horizon of each lane was seen, in seconds since 1970."""

    at: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    def stops(self, since: float, until: float, workers: Iterable[WorkerProcess]) -> list[Stop]:
        """Every time between two horizons of a lane that begins within a stretch."""
        taken: dict[int, list[float]] = defaultdict(list)
        for worker in workers:
            for event in worker.said("lane_runs"):
                taken[event["lane"]].append(datetime.fromisoformat(event["timestamp"]).timestamp())
        return [
            Stop(lane, one, other, max((at for at in taken[lane] if one < at < other), default=None))
            for lane, instants in self.at.items()
            for one, other in pairwise(instants)
            if since <= one < until
        ]


@asynccontextmanager
async def listening(deployment: Deployment) -> AsyncIterator[Seen]:
    """A subscriber to the horizons, for as long as the block lasts."""
    seen = Seen()
    topics = deployment.settings.topics
    async with clients.consuming(deployment.settings.kafka) as consumer:
        logs = [TopicPartition(topics.horizons, partition) for partition in range(topics.partitions)]
        consumer.assign(logs)
        await consumer.seek_to_end(*logs)

        async def listen() -> None:
            while True:
                for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                    at = time.time()
                    for record in records:
                        seen.at[int((record.key or b"").decode().rpartition("/")[2])].append(at)

        task = asyncio.create_task(listen())
        try:
            yield seen
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def one_organization_of_each(lanes: int) -> list[str]:
    """Names that fall one into each lane, in the lanes' order."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < lanes:
        found.setdefault(partition_of(f"org-{number}", lanes), f"org-{number}")
        number += 1
    return [found[lane] for lane in range(lanes)]


def steady(organizations: list[str]) -> Iterator[Command]:
    """Each organization in its turn has a project paid for by the other of two accounts, without end."""
    for account in ("a", "b"):
        for organization in organizations:
            made = json.loads(ready_account(organization, account))
            yield organization, json.dumps(made | {"id": f"{organization}-{account}"}).encode()
    number = 0
    while True:
        turn, project = divmod(number, PROJECTS)
        for organization in organizations:
            id_ = f"{organization}-{number}"
            yield (
                organization,
                command(organization, "project.bind", id_, project=f"p-{project}", account="ab"[turn % 2]),
            )
        number += 1
