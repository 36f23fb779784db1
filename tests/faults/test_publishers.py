"""Publishers that repeat themselves, miss the partition or the topic, come out of order, or all at once."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.faults.backlog import ORGANIZATIONS
from tests.faults.course import course
from tests.faults.lanes import decided, published
from tests.system.deployment import Deployment, command, ready_account
from tests.system.provision import PARTITIONS, own_database, own_deployment
from tests.system.settling import until
from tests.system.stacks import Addresses
from worker.wire.partitions import partition_of

pytestmark = pytest.mark.timeout(300)

ORGANIZATION = "acme"
PUBLISHERS = 10
HEAL_SECONDS = 90

BURST = 100_000
BURST_SECONDS = 400
"""More than 250 commands a second on a busy machine; a quiet one takes a fraction of it."""

MEMORY_MIB_MAX = 400
"""Queues are bounded: a backlog of any length takes no more than a short one."""


def bind(id_: str, account: str, project: str = "web") -> bytes:
    return command(ORGANIZATION, "project.bind", id_, project=project, account=account)


async def results_of(deployment: Deployment, id_: str) -> list[dict[str, Any]]:
    """Every answer to a command's id, in their order."""
    return [event["data"] for event in await deployment.messages("command_results") if event["data"]["command"] == id_]


def codes(result: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in result.get("reasons", [])]


async def test_a_command_that_many_publish_at_once_on_its_partition_takes_effect_once(each_mode: Deployment) -> None:
    async with course(each_mode) as ran:
        await each_mode.publish(ORGANIZATION, ready_account(ORGANIZATION, "main"), ready_account(ORGANIZATION, "other"))
        with each_mode.worker():
            async with asyncio.TaskGroup() as publishers:
                for _ in range(PUBLISHERS):
                    publishers.create_task(each_mode.publish(ORGANIZATION, bind("b", "main")))
            await each_mode.publish(ORGANIZATION, bind("rebind", "other"), bind("b", "main"))
            await each_mode.answers(HEAL_SECONDS)
        ran.sent += Counter({"create-main": 1, "create-other": 1, "rebind": 1, "b": PUBLISHERS + 1})

    first, *others = await results_of(each_mode, "b")
    assert not first["duplicate"]
    assert others == [first | {"duplicate": True}] * PUBLISHERS
    assert await each_mode.rows("SELECT account FROM bindings WHERE ended = 'open'") == [("other",)]


async def test_a_command_on_every_partition_takes_effect_on_its_own_and_is_refused_on_the_others(
    each_mode: Deployment,
) -> None:
    right = partition_of(ORGANIZATION, PARTITIONS)
    async with course(each_mode) as ran:
        await each_mode.publish(ORGANIZATION, ready_account(ORGANIZATION, "main"))
        with each_mode.worker():
            async with asyncio.TaskGroup() as publishers:
                for partition in range(PARTITIONS):
                    publishers.create_task(
                        each_mode.publish(ORGANIZATION, bind("b", "main"), bind("b", "main"), partition=partition)
                    )
            await each_mode.answers(HEAL_SECONDS)
        ran.sent += Counter({"create-main": 1, "b": 2 * PARTITIONS})

    refused = [result for result in await results_of(each_mode, "b") if "reasons" in result]
    accepted = [result for result in await results_of(each_mode, "b") if "reasons" not in result]
    assert [codes(result) for result in refused] == [["WRONG_PARTITION"]] * 2 * (PARTITIONS - 1)
    assert {result["reasons"][0]["details"]["expected"] for result in refused} == {right}
    assert [result["duplicate"] for result in accepted] == [False, True]


@pytest.mark.slow
async def test_a_command_in_the_topics_of_two_installations_takes_effect_in_each_for_itself(
    deployment: Deployment, stack: Addresses, migrated: str
) -> None:
    sent = Counter(["create-main", "b"])
    async with own_database(stack, migrated) as url, own_deployment(stack, url) as other:
        async with course(deployment) as here, course(other) as there:
            with deployment.worker(), other.worker():
                for each in (deployment, other):
                    await each.publish(ORGANIZATION, ready_account(ORGANIZATION, "main"), bind("b", "main"))
                for each in (deployment, other):
                    await each.answers(HEAL_SECONDS)
            here.sent += sent
            there.sent += sent
        ids = [{event["id"] for event in await each.messages("binding_events")} for each in (deployment, other)]

    assert len(ids[0]) == len(ids[1]) > 0
    assert not ids[0] & ids[1]


async def test_a_command_before_what_it_needs_is_refused_and_its_id_is_used_up(each_mode: Deployment) -> None:
    async with course(each_mode) as ran:
        with each_mode.worker():
            await each_mode.publish(ORGANIZATION, bind("early", "main"), ready_account(ORGANIZATION, "main"))
            await each_mode.publish(ORGANIZATION, bind("early", "main"), bind("again", "main"))
            await each_mode.answers(HEAL_SECONDS)
        ran.sent += Counter({"create-main": 1, "early": 2, "again": 1})

    early, late = await results_of(each_mode, "early")
    assert codes(early) == codes(late) == ["ACCOUNT_NOT_FOUND"]
    assert (early["duplicate"], late["duplicate"]) == (False, True)
    assert [codes(result) for result in await results_of(each_mode, "again")] == [[]]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_commands_in_any_order_are_decided_in_the_order_in_which_they_lie_in_the_log(
    deployment: Deployment, seed: int
) -> None:
    accounts, projects = ("main", "other"), [f"p-{number}" for number in range(20)]
    commands = [ready_account(ORGANIZATION, account) for account in accounts]
    for project in projects:
        commands += [bind(f"{project}-{account}", account, project) for account in accounts]
        for kind in ("project.unbind", "project.delete"):
            commands.append(command(ORGANIZATION, kind, f"{kind}-{project}", project=project))
    Random(seed).shuffle(commands)  # noqa: S311 - repeatable, not secret
    async with course(deployment) as ran:
        with deployment.worker():
            for value in commands:
                await deployment.publish(ORGANIZATION, value)
            await deployment.answers(HEAL_SECONDS)
        ran.sent += Counter(json.loads(value)["id"] for value in commands)

    answered = [event["data"]["command"] for event in await deployment.messages("command_results")]
    assert answered == [json.loads(value)["id"] for value in commands]


@pytest.mark.slow
@pytest.mark.timeout(1_200)
async def test_a_burst_of_a_hundred_thousand_commands_is_worked_off_in_bounded_memory(deployment: Deployment) -> None:
    async with course(deployment) as ran:
        with deployment.worker() as worker:
            await asyncio.to_thread(worker.wait_ready, HEAL_SECONDS)
            for organization in ORGANIZATIONS:
                await deployment.publish(
                    organization, *(ready_account(organization, account) for account in ("main", "other"))
                )
            for first in range(0, BURST, 10_000):
                burst = [burst_command(number) for number in range(first, first + 10_000)]
                await deployment.publish_many((organization, value) for organization, _, value in burst)
                ran.sent.update(id_ for _, id_, _ in burst)
            await until(lambda: _is_published(deployment), "all is decided and published", BURST_SECONDS)
            memory_mib = peak_memory_mib(worker.pid)
        ran.sent += Counter({"create-main": len(ORGANIZATIONS), "create-other": len(ORGANIZATIONS)})

    assert ran.figures.outcomes["accepted"] == deployment.sent
    assert memory_mib < MEMORY_MIB_MAX


def burst_command(number: int) -> tuple[str, str, bytes]:
    organization, id_ = ORGANIZATIONS[number % len(ORGANIZATIONS)], f"burst-{number}"
    account = "main" if number // 1_000 % 2 else "other"
    value = command(organization, "project.bind", id_, project=f"p-{number % 1_000}", account=account)
    return organization, id_, value


async def _is_published(deployment: Deployment) -> bool:
    """Every record that was sent lies before its lane's position, and the horizons have come as far."""
    await asyncio.sleep(1)  # looking costs what is looked at
    positions = await decided(deployment)
    return sum(positions.values()) >= deployment.sent and positions == await published(deployment)


def peak_memory_mib(pid: int) -> float:
    """The largest that the process has been."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    (kibibytes,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kibibytes) / 1024
