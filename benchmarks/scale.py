"""Several workers on twelve partitions: throughput, and how long a lane stands still when a worker goes.

Throughput is that of workers started at once on a backlog, with the rebalances of their coming. For the standstill two
workers share a steady load in which every lane has something to do all the time; one of them is killed (SIGKILL) or
told to go (SIGTERM). It is the longest time, of any lane, between two horizons that a reader of committed records sees;
so also of the lanes of the worker that stays, which the group takes from it and gives back.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from itertools import cycle, pairwise
from random import Random
from statistics import median
from typing import Any, Final

from benchmarks.following import Horizons, horizons
from benchmarks.goals import Figures
from benchmarks.measuring import drain
from benchmarks.mixes import MIXES, Book, begin, bind_new, command, organizations_of_each
from benchmarks.processes import Watched, is_ready, running
from benchmarks.sizes import Sizes
from benchmarks.stage import HEADERS, Command, Site, Stage, ends_of, publish
from worker.broker import clients

PARTITIONS: Final = 12
ORGANIZATIONS_EACH: Final = 5
STEADY_SECONDS: Final = 3.0
READY_SECONDS_MAX: Final = 120.0
GONE_SECONDS_MAX: Final = 120.0
SIGNALS: Final = {"sigkill": signal.SIGKILL, "sigterm": signal.SIGTERM}


async def run(stage: Stage, sizes: Sizes, raw: dict[str, Any]) -> Figures:
    """Commands a second by the number of workers, and seconds without progress."""
    figures: Figures = {}
    async with stage.backlog(MIXES["binds"](sizes.scale_commands), partitions=PARTITIONS) as backlog:
        for workers in sizes.workers:
            async with stage.site(backlog, partitions=PARTITIONS) as site:
                what = f"{workers} worker{'s' * (workers > 1)}"
                drained = await drain(stage, site, backlog.ends, processes=workers, what=what)
            raw[what] = asdict(drained)
            figures[f"workers_{workers}.commands_per_second"] = drained.per_second
    for name, number in SIGNALS.items():
        standstills = [await _taken_over(stage, sizes, number) for _ in range(sizes.take_overs)]
        raw[name] = standstills
        figures[f"{name}_standstill_seconds"] = median(max(lanes.values()) for lanes in standstills)
        figures[f"{name}_standstill_seconds_median_lane"] = median(median(lanes.values()) for lanes in standstills)
        stage.show.tell(f"{name}: {figures[f'{name}_standstill_seconds']:.2f} s without progress")
    return figures


async def _taken_over(stage: Stage, sizes: Sizes, number: signal.Signals) -> dict[int, float]:
    """The longest standstill of each lane around the end of one of two workers."""
    names = organizations_of_each(PARTITIONS, ORGANIZATIONS_EACH)
    async with stage.site(partitions=PARTITIONS) as site:
        await publish(site.settings, begin(names))
        async with horizons(site) as seen, running(site) as leaving, running(site) as staying:
            ends = await ends_of(site.settings, site.settings.topics.commands)
            await seen.reach(ends, seconds=READY_SECONDS_MAX, check=leaving.check)
            await _both_ready(leaving, staying)
            async with _load(site, names, sizes.take_over_rate):
                await _look(seen, STEADY_SECONDS)
                at = time.monotonic()
                leaving.send(number)
                await _all_progress(seen, staying, at)
                await _look(seen, STEADY_SECONDS)
    return {lane: _longest(times, at) for lane, times in seen.seen_at.items()}


async def _both_ready(*workers: Watched) -> None:
    """Until each of them has lanes, and all of them run."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    addresses = [await worker.address() for worker in workers]
    while not all([await is_ready(address) for address in addresses]):
        if time.monotonic() > deadline:
            raise TimeoutError("the workers do not get ready")
        await asyncio.sleep(0.1)


async def _look(seen: Horizons, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await seen.look()


async def _all_progress(seen: Horizons, staying: Watched, since: float) -> None:
    """Until the worker that stays has published in each lane, well after the other was told to go."""
    has_gone = since + STEADY_SECONDS / 2
    deadline = since + GONE_SECONDS_MAX
    while not all(times[-1] > has_gone for times in seen.seen_at.values()):
        staying.check()
        if time.monotonic() > deadline:
            raise TimeoutError("not every lane was taken over")
        await seen.look()


def _longest(times: Sequence[float], since: float) -> float:
    """The longest time between two of them, of those that end after an instant."""
    return max((later - earlier for earlier, later in pairwise(times) if later > since), default=0.0)


@asynccontextmanager
async def _load(site: Site, names: Sequence[str], rate: int) -> AsyncIterator[None]:
    """So many commands a second for as long as the block lasts, of each organization in turn."""
    task = asyncio.create_task(_send(site, _in_turn(names), rate))
    try:
        yield
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _send(site: Site, made: Iterator[Command], rate: int) -> None:
    topic, began = site.settings.topics.commands, time.monotonic()
    async with clients.producer(site.settings.kafka) as producer:
        for number, (organization, value) in enumerate(made):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            await producer.send(topic, value, key=organization.encode(), headers=HEADERS)


def _in_turn(names: Sequence[str]) -> Iterator[Command]:
    random = Random(1)  # noqa: S311  repeatable, not secret
    books = {name: Book() for name in names}
    for number, name in enumerate(cycle(names)):
        kind, data = bind_new(random, books[name])
        yield name, command(name, kind, f"steady-{number}", **data)
