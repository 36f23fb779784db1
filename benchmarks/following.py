"""How far a deployment has come, as somebody sees it who reads committed records only."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.stage import Site
from worker.broker import clients
from worker.wire.horizons import read_horizon

POLL_MS: Final = 50


@dataclass
class Horizons:
    """The offset through which each lane is published, and when each horizon was seen (monotonic seconds)."""

    consumer: AIOKafkaConsumer
    offsets: dict[int, int] = field(default_factory=dict)
    seen_at: dict[int, list[float]] = field(default_factory=dict)

    async def look(self) -> bool:
        """Wait shortly for news. Returns whether there were any."""
        batches = await self.consumer.getmany(timeout_ms=POLL_MS)
        now = time.monotonic()
        for records in batches.values():
            for record in records:
                horizon = read_horizon(record.value)
                if horizon is None or record.key is None:
                    continue
                lane = int(record.key.rpartition(b"/")[2])
                self.offsets[lane] = max(horizon.offset, self.offsets.get(lane, 0))
                self.seen_at.setdefault(lane, []).append(now)
        return bool(batches)

    def done(self, ends: Mapping[int, int]) -> int:
        """How many of the commands before these ends are published."""
        return sum(min(end, self.offsets.get(lane, 0)) for lane, end in ends.items())

    async def reach(self, ends: Mapping[int, int], *, seconds: float, check: Callable[[], None]) -> None:
        """Wait until everything before these ends is published. Raises TimeoutError, and what `check` raises."""
        deadline = time.monotonic() + seconds
        while self.done(ends) < sum(ends.values()):
            check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.done(ends)} of {sum(ends.values())} after {seconds:g} s")
            await self.look()


@asynccontextmanager
async def horizons(site: Site) -> AsyncIterator[Horizons]:
    """Follow the horizons from the beginning of their topic."""
    async with following(site, "horizons") as consumer:
        yield Horizons(consumer)


@asynccontextmanager
async def following(site: Site, *names: str, from_end: bool = False) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of committed records of topics (by their names in the settings), placed."""
    topics = site.settings.topics
    logs = [
        TopicPartition(getattr(topics, name), partition) for name in names for partition in range(topics.partitions)
    ]
    async with clients.consuming(site.settings.kafka) as consumer:
        consumer.assign(logs)
        place = consumer.seek_to_end if from_end else consumer.seek_to_beginning
        await place(*logs)
        await asyncio.gather(*(consumer.position(log) for log in logs))
        yield consumer
