"""Three workers are replaced in turn, as a release does it, and no lane stands still but to change hands."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deploy.gaps import Seen, Stop, listening, one_organization_of_each, steady
from tests.faults.test_rolling_restarts import end
from tests.system.deployment import Deployment, WorkerProcess
from tests.system.load import load
from tests.system.provision import own_deployment
from tests.system.stacks import Addresses

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LANES = 6
WORKERS = 3
RATE = 60
"""Commands a second, as many for each lane: ten a second, so that a lane which works tells so every 100 ms."""

READY_SECONDS = 90
HEAL_SECONDS = 90
CALM_SECONDS = 10
SETTLE_SECONDS = 3
CALM_SECONDS_MAX = 0.25
"""For how long a lane of a machine that does nothing else tells nothing, at the most, while nobody comes or goes."""

BEYOND_SECONDS_MAX = 1.0
HAND_OVER_SECONDS_MAX = 5.0
"""On such a machine. One that takes n times as long while it is calm may take n times as long for these, too."""

Note = Callable[[str, object], None]
Replace = Callable[[Deployment, ExitStack, list[WorkerProcess]], Awaitable[list[WorkerProcess]]]


async def new_first(deployment: Deployment, stack: ExitStack, workers: list[WorkerProcess]) -> list[WorkerProcess]:
    """As the chart does it: the new one works before the old one is asked to end."""
    made = []
    for old in workers:
        made.append(stack.enter_context(deployment.worker()))
        await asyncio.to_thread(made[-1].wait_ready, READY_SECONDS)
        await asyncio.sleep(SETTLE_SECONDS)
        await end(old)
        await asyncio.sleep(SETTLE_SECONDS)
    return made


async def old_first(deployment: Deployment, stack: ExitStack, workers: list[WorkerProcess]) -> list[WorkerProcess]:
    """As compose and systemd do it: in the old one's place."""
    made = []
    for old in workers:
        await end(old)
        made.append(stack.enter_context(deployment.worker()))
        await asyncio.to_thread(made[-1].wait_ready, READY_SECONDS)
        await asyncio.sleep(SETTLE_SECONDS)
    return made


@pytest.mark.parametrize("replace", [new_first, old_first])
async def test_no_lane_stands_still_for_a_second_beyond_its_hand_overs(
    stack: Addresses,
    database_url: str,
    replace: Replace,
    record_property: Note,
) -> None:
    async with (
        own_deployment(stack, database_url, TOPICS__PARTITIONS=str(LANES)) as deployment,
        listening(deployment) as seen,
    ):
        with ExitStack() as running:
            workers = [running.enter_context(deployment.worker()) for _ in range(WORKERS)]
            for worker in workers:
                await asyncio.to_thread(worker.wait_ready, READY_SECONDS)
            async with load(deployment, rate=RATE, commands=steady(one_organization_of_each(LANES))) as traffic:
                await traffic.at_least(RATE * 5)
                began = time.time()
                await asyncio.sleep(CALM_SECONDS)
                replacing = time.time()
                made = await replace(deployment, running, workers)
                await asyncio.sleep(SETTLE_SECONDS)
                ended = time.time()
            await deployment.answers(HEAL_SECONDS)
            calm = seen.stops(began, replacing - 1, workers)
            stops = seen.stops(replacing - 1, ended, [*workers, *made])

    note(record_property, replace.__name__, calm, stops, seen)
    moved = [stop for stop in stops if stop.taken_at is not None]
    assert {stop.lane for stop in stops} == {stop.lane for stop in moved} == set(range(LANES))
    slowness = max(1.0, max(stop.seconds for stop in calm) / CALM_SECONDS_MAX)
    beyond = [stop for stop in stops if stop.seconds_beyond > BEYOND_SECONDS_MAX * slowness]
    assert beyond == [], f"lanes stood still for longer than it took to change hands; {slowness:.1f} times as slow"
    assert max(stop.seconds for stop in moved) < HAND_OVER_SECONDS_MAX * slowness


def note(record_property: Note, order: str, calm: list[Stop], stops: list[Stop], seen: Seen) -> None:
    """Keep the figures, in the report and in a file for whoever wants to see them."""
    moved = [stop for stop in stops if stop.taken_at is not None]
    figures = {
        "order": order,
        "calm": round(max(stop.seconds for stop in calm), 2),
        "hand-overs of each lane": len(moved) // len(seen.at),
        "longest": round(max(stop.seconds for stop in moved), 2),
        "median": round(sorted(stop.seconds for stop in moved)[len(moved) // 2], 2),
        "longest beyond": round(max(stop.seconds_beyond for stop in stops), 2),
        "longest without": round(max(stop.seconds for stop in stops if stop.taken_at is None), 2),
    }
    for name, figure in figures.items():
        record_property(name, figure)
    if file := os.environ.get("ROLLING_FIGURES"):
        with Path(file).open("a", encoding="utf-8") as report:
            report.write(f"{figures}\n")
            for stop in sorted(moved, key=lambda each: each.since):
                taken = (stop.taken_at or 0) - stop.since
                report.write(
                    f"  lane {stop.lane}: {stop.seconds:.2f} s, taken after {taken:.2f} s, at {stop.since:.2f}\n"
                )
