"""The course of every scenario: load, faults under way, healed in a limit, and then the checker."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.request import urlopen

from tests.system.checker import check
from tests.system.deployment import Deployment, WorkerProcess
from tests.system.load import Load, load
from tests.system.settling import until
from tests.system.watched import watched

WARM_UP_COMMANDS = 100


@asynccontextmanager
async def trial(
    deployment: Deployment, *workers: WorkerProcess, heals_in_seconds: float, rate: float = 100
) -> AsyncIterator[Load]:
    """Load for as long as the block breaks things. Whatever it broke is in order again when it ends.

    From then on everything has to be answered, and every worker ready, within the limit. Then the workers are asked to
    end, and all claims must hold.
    """
    await ready(*workers)
    async with watched(deployment) as seen:
        async with load(deployment, rate=rate) as traffic:
            await traffic.at_least(WARM_UP_COMMANDS)
            yield traffic
            mended_at = time.monotonic()
        await traffic.resolve()
        await deployment.answers(heals_in_seconds - (time.monotonic() - mended_at))
        await ready(*workers, seconds=max(1.0, heals_in_seconds - (time.monotonic() - mended_at)))
        await end(*workers)
        await check(deployment, traffic.sent, seen)


async def end(*workers: WorkerProcess) -> None:
    """Ask all to end, in an orderly way: whoever still ticks is not at rest."""
    for worker in workers:
        worker.send(signal.SIGTERM)
    for worker in workers:
        assert await asyncio.to_thread(worker.died, 60) == 0


async def ready(*workers: WorkerProcess, seconds: float = 60) -> None:
    """Wait until all are."""
    async with asyncio.timeout(seconds + 5):
        await asyncio.gather(*(asyncio.to_thread(worker.wait_ready, seconds) for worker in workers))


async def told(worker: WorkerProcess, name: str, times: int = 1, seconds: float = 60) -> list[dict[str, Any]]:
    """What the worker said under a name, once it has said it so often."""

    async def is_said() -> bool:
        return len(worker.said(name)) >= times

    await until(is_said, f"{name}, {times} times", seconds)
    return worker.said(name)


async def not_ready(worker: WorkerProcess, lanes: int, seconds: float = 60) -> dict[str, str]:
    """What `/readyz` names, once it names so many lanes."""

    async def names_them() -> bool:
        return sum(name.startswith("lane ") for name in worker.readiness()[1]) >= lanes

    await until(names_them, f"readiness names {lanes} lanes", seconds)
    return worker.readiness()[1]


async def says_why(worker: WorkerProcess, why: str, *, lanes: int = 1, seconds: float = 60) -> dict[str, str]:
    """What `/readyz` names, once it names a cause that says this for so many lanes."""
    causes: dict[str, str] = {}

    async def is_named() -> bool:
        causes.clear()
        causes.update(worker.readiness()[1])
        return sum(why in cause for cause in causes.values()) >= lanes

    try:
        await until(is_named, f"readiness says: {why}", seconds)
    except AssertionError as error:
        raise AssertionError(f"{error}, but {causes}") from None
    return causes


def is_live(worker: WorkerProcess) -> bool:
    """Whether the process runs, and `/livez` says so."""
    if worker.process.poll() is not None:
        return False
    with urlopen(f"{worker.address()}/livez", timeout=5) as response:  # noqa: S310 - our own worker
        return bool(response.status == 200)
