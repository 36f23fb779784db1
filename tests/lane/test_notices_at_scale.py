"""An account that pays for 50,000 projects is suspended and reactivated while others share its partition."""

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from tests.system.deployment import Deployment, command, ready_account
from tests.system.settling import until
from worker.wire.partitions import partition_of

PROJECTS = 50_000
LARGE = "large"
TICKS = {"LANES__TICK_SECONDS": "0.5"}
ANSWERED_SECONDS_MAX = 5.0
"""How long a neighbour waits at most for an answer while notices go out: far less than all of them take."""


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_50_000_notices_go_out_once_each_and_hold_up_neither_the_suspension_nor_the_neighbours(
    deployment: Deployment,
) -> None:
    partitions = deployment.settings.topics.partitions
    lane = partition_of(LARGE, partitions)
    neighbour = next(name for name in (f"n-{i}" for i in range(100)) if partition_of(name, partitions) == lane)
    with deployment.worker(**TICKS) as worker:
        await asyncio.to_thread(worker.wait_ready)
        await deployment.publish(LARGE, ready_account(LARGE, "main"))
        await deployment.publish(neighbour, ready_account(neighbour, "own"))
        await deployment.publish_many(
            (LARGE, command(LARGE, "project.bind", f"b-{number}", project=f"p-{number:05}", account="main"))
            for number in range(PROJECTS)
        )
        await _answered(deployment, 300)

        suspended = command(LARGE, "account.suspend", "s-1", account="main", reason="NON_PAYMENT", message="Because.")
        await deployment.publish(LARGE, suspended)
        waits = await _ask_neighbour(deployment, neighbour, "project.payer-at-risk")
        reactivated = command(
            LARGE,
            "account.reactivate",
            "r-1",
            account="main",
            all=True,
            approval={"by": "lead@example.com", "reference": "T-1"},
        )
        await deployment.publish(LARGE, reactivated)
        waits += await _ask_neighbour(deployment, neighbour, "project.payer-restored")

    assert len(waits) > 4, "commands came in between"
    assert max(waits) < ANSWERED_SECONDS_MAX
    told = await _notices(deployment)
    for kind in ("project.payer-at-risk", "project.payer-restored"):
        assert told[kind] == Counter({f"p-{number:05}": 1 for number in range(PROJECTS)})


async def _ask_neighbour(deployment: Deployment, neighbour: str, kind: str) -> list[float]:
    """Send commands of a neighbour while notices of a kind go out: how long each waited for its answer, in seconds."""
    waits: list[float] = []
    while len((await _notices(deployment))[kind]) < PROJECTS:
        id_ = f"{kind[-4:]}-{len(waits)}"
        sent_at = time.monotonic()
        await deployment.publish(neighbour, command(neighbour, "project.bind", id_, project=id_, account="own"))
        await _answered(deployment, 60)
        waits.append(time.monotonic() - sent_at)
    return waits


async def _answered(deployment: Deployment, seconds: float) -> None:
    async def has_answered() -> bool:
        ((answered,),) = await deployment.rows("SELECT count(*) FROM inbox")
        return bool(answered == deployment.sent)

    await until(has_answered, "every command is answered", seconds)


async def _notices(deployment: Deployment) -> dict[str, Counter[str]]:
    """By kind, how often each project was told."""
    told: dict[str, Counter[str]] = {"project.payer-at-risk": Counter(), "project.payer-restored": Counter()}
    events: list[dict[str, Any]] = await deployment.messages("binding_events")
    for event in events:
        kind = event["type"].removeprefix("billing.").removesuffix(".v1")
        if kind in told:
            told[kind][event["subject"].rpartition("/")[2]] += 1
    return told
