"""A worker that dies or stalls anywhere loses nothing and doubles nothing for whoever reads committed records."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.checker import check
from tests.system.deployment import Deployment, command, ready_account

ORGANIZATIONS = [f"org-{number}" for number in range(9)]


def traffic(rounds: int) -> Iterator[tuple[str, str, bytes]]:
    """Accounts, then binds and rebinds all over the organizations: organization, command id, bytes."""
    for organization in ORGANIZATIONS:
        for account in ("main", "other"):
            yield organization, f"create-{account}", ready_account(organization, account)
    for number in range(rounds):
        for organization in ORGANIZATIONS:
            account = "main" if number % 3 else "other"
            id_ = f"bind-{number}"
            yield (
                organization,
                id_,
                command(organization, "project.bind", id_, project=f"p-{number % 20}", account=account),
            )


async def publish(deployment: Deployment, rounds: int) -> Counter[str]:
    sent = list(traffic(rounds))
    await deployment.publish_many((organization, value) for organization, _, value in sent)
    return Counter(id_ for _, id_, _ in sent)


@pytest.mark.parametrize(
    "failpoint", ["before-commit@2", "after-commit@2", "inside-transaction@2", "after-transaction@2"]
)
async def test_a_worker_killed_on_the_way_of_a_batch_loses_and_doubles_nothing(
    deployment: Deployment, failpoint: str
) -> None:
    place, _, times = failpoint.partition("@")
    sent = await publish(deployment, rounds=60)
    with deployment.worker(
        TESTING__FAILPOINTS=f'{{"{place}": "kill@{times}"}}', LANES__BATCH_RECORDS_MAX="50"
    ) as victim:
        assert victim.died() == -signal.SIGKILL

    with deployment.worker():
        await deployment.answers()

    await check(deployment, sent)


async def test_a_worker_stopped_between_commit_and_publishing_comes_back_as_a_zombie_and_does_no_harm(
    deployment: Deployment,
) -> None:
    await _check_zombie(deployment, "after-commit")


async def test_a_worker_stopped_inside_its_kafka_transaction_comes_back_as_a_zombie_and_does_no_harm(
    deployment: Deployment,
) -> None:
    await _check_zombie(deployment, "inside-transaction")


async def _check_zombie(deployment: Deployment, place: str) -> None:
    sent = await publish(deployment, rounds=60)
    stalls = f'{{"{place}": "stop@3"}}'
    with deployment.worker(TESTING__FAILPOINTS=stalls, LANES__BATCH_RECORDS_MAX="50") as zombie:
        await asyncio.to_thread(_wait_until_stopped, zombie.pid)
        with deployment.worker() as heir:
            await deployment.answers(seconds=90)
            zombie.send(signal.SIGCONT)
            await asyncio.to_thread(heir.wait_ready)
            more = [
                (organization, command(organization, "project.bind", "late", project="late", account="main"))
                for organization in ORGANIZATIONS
            ]
            await deployment.publish_many(more)
            await deployment.answers(seconds=90)

    await check(deployment, sent + Counter({"late": len(ORGANIZATIONS)}))


async def test_two_workers_share_the_lanes_and_one_that_is_killed_is_replaced_by_the_other(
    deployment: Deployment,
) -> None:
    with deployment.worker() as first, deployment.worker() as second:
        await asyncio.to_thread(first.wait_ready)
        await asyncio.to_thread(second.wait_ready)
        sent = await publish(deployment, rounds=100)
        first.send(signal.SIGKILL)
        assert first.died() == -signal.SIGKILL
        sent += await _publish_again(deployment)
        await deployment.answers(seconds=90)

    await check(deployment, sent)


async def _publish_again(deployment: Deployment) -> Counter[str]:
    values = [
        (
            organization,
            f"again-{number}",
            command(organization, "project.bind", f"again-{number}", project=f"p-{number}", account="main"),
        )
        for number in range(20)
        for organization in ORGANIZATIONS
    ]
    await deployment.publish_many((organization, value) for organization, _, value in values)
    return Counter(id_ for _, id_, _ in values)


def _wait_until_stopped(pid: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
            return
        time.sleep(0.05)
    raise AssertionError("the worker was not stopped")
