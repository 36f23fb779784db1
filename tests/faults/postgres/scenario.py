"""The course of every scenario: load and subscribers, faults, healed within a limit, and then the checker."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.request import urlopen

from tests.system.checker import check
from tests.system.deployment import Deployment, WorkerProcess
from tests.system.load import Load, load
from tests.system.settling import until
from tests.system.watched import watched

WARM_UP_COMMANDS = 100
LOOK_SECONDS = 0.05


@asynccontextmanager
async def faults(
    deployment: Deployment, *workers: WorkerProcess, heals_in_seconds: float, rate: float = 50, seed: int = 1
) -> AsyncIterator[Load]:
    """Load for as long as the block breaks things. Whatever it broke is in order again when the block ends.

    From then on every command that was acknowledged has to be answered, and every worker has to be ready, within the
    limit; and then all claims must hold.
    """
    await ready(*workers)
    async with watched(deployment) as seen:
        async with load(deployment, rate=rate, seed=seed) as traffic:
            await decided(deployment, WARM_UP_COMMANDS)
            yield traffic
            deadline = time.monotonic() + heals_in_seconds
        await traffic.resolve()
        await deployment.answers(deadline - time.monotonic())
        await ready(*workers, seconds=max(1.0, deadline - time.monotonic()))
        await check(deployment, traffic.sent, seen)
        await no_fault_was_taken_for_a_defect(deployment, *workers)


async def no_fault_was_taken_for_a_defect(deployment: Deployment, *workers: WorkerProcess) -> None:
    """A broken machine is waited for: it is no publisher's business, and no programmer's."""
    for answer in await deployment.messages("command_results"):
        codes = {reason["code"] for reason in answer["data"].get("reasons", ())}
        assert "INTERNAL_ERROR" not in codes, answer
    for worker in workers:
        assert worker.said("batch_defect") + worker.said("command_defect") == []


async def ready(*workers: WorkerProcess, seconds: float = 60) -> None:
    """Wait until all are."""
    await asyncio.gather(*(asyncio.to_thread(worker.wait_ready, seconds) for worker in workers))


async def says_why(
    worker: WorkerProcess, why: str, *, part: str = "lane ", count: int = 1, seconds: float = 30
) -> dict[str, str]:
    """Wait until readiness says no and names so many parts that begin so, each with such a cause.

    The process lives all the time. `why` is a regular expression. Returns what readiness names.
    """
    named: dict[str, str] = {}

    async def names_it() -> bool:
        nonlocal named
        assert is_live(worker)
        is_ready, named = worker.readiness()
        matching = [cause for name, cause in named.items() if name.startswith(part) and re.search(why, cause)]
        return not is_ready and len(matching) >= count

    try:
        await until(names_it, "", seconds)
    except AssertionError as failed:
        raise AssertionError(f"readiness names {named}, and not {count} times {part}with {why!r}") from failed
    return named


async def says_no_until_then(worker: WorkerProcess, seconds: float = 3) -> None:
    """Readiness goes on saying no: it does not say yes between two tries."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert is_live(worker)
        assert worker.readiness()[0] is False
        await asyncio.sleep(LOOK_SECONDS)


async def decided(deployment: Deployment, count: int, seconds: float = 60) -> None:
    """Wait until so many commands have their results, whatever is broken meanwhile."""

    async def are_decided() -> bool:
        return len(await deployment.read("command_results")) >= count

    await until(are_decided, f"{count} commands are decided", seconds)


async def told(worker: WorkerProcess, name: str, times: int = 1, seconds: float = 60) -> None:
    """Wait until the worker has said something under a name so often."""

    async def is_said() -> bool:
        return len(worker.said(name)) >= times

    await until(is_said, f"{name}, {times} times", seconds)


def is_live(worker: WorkerProcess) -> bool:
    """Whether the process runs, and `/livez` says so."""
    if worker.process.poll() is not None:
        return False
    with urlopen(f"{worker.address()}/livez", timeout=5) as response:  # noqa: S310 - our own worker
        return bool(response.status == 200)
