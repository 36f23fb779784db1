"""`topics cut-over` on real servers: more partitions, and nobody's order lost."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import text

from tests.faults.kafka.asking import asking
from tests.faults.kafka.trial import end, ready, says_why
from tests.recovery.lanes import on_database
from tests.recovery.programs import program
from tests.system.checker import check
from tests.system.deployment import Deployment, WorkerProcess, command, ready_account
from tests.system.provision import PARTITIONS, own_database
from tests.system.settling import until
from tests.system.stacks import Addresses
from worker.broker.topics import present_partitions
from worker.recovery.cutover.sight import members_of
from worker.recovery.ground import owner_of
from worker.recovery.rebuild.plan import make_plan
from worker.wire.partitions import partition_of

pytestmark = pytest.mark.timeout(600)

MORE = 2 * PARTITIONS
ORGANIZATIONS = [f"org-{number}" for number in range(12)]
MOVING = [name for name in ORGANIZATIONS if partition_of(name, MORE) >= PARTITIONS]
ROUNDS = 5
CUT_OVER = ("topics", "cut-over", "--partitions", str(MORE), "--watch-seconds", "1")
AHEAD = "UPDATE lanes SET latest_at = now() + interval '20 seconds' WHERE partition = 0"


def binds(first: int, last: int) -> list[tuple[str, bytes]]:
    """Rounds of one bind for every organization, of a few projects in turn."""
    return [
        (name, command(name, "project.bind", f"bind-{n}", project=f"p-{n % 3}", account=("main", "other")[n % 2]))
        for n in range(first, last)
        for name in ORGANIZATIONS
    ]


def accounts() -> list[tuple[str, bytes]]:
    return [(name, ready_account(name, account)) for account in ("main", "other") for name in ORGANIZATIONS]


async def decided(deployment: Deployment, *commands: list[tuple[str, bytes]]) -> None:
    """Everything that was published is decided by a worker, which is gone then."""
    with deployment.worker() as worker:
        await ready(worker)
        for many in commands:
            await deployment.publish_many(many)
        await deployment.answers()
        await ready(worker)
        await end(worker)


async def declared(deployment: Deployment) -> tuple[int, int]:
    """The number that the database has, and how many lanes it has rows of."""
    ((partitions, lanes),) = await deployment.rows("SELECT partitions, (SELECT count(*) FROM lanes) FROM installation")
    return partitions, lanes


async def execute(deployment: Deployment, statement: str) -> None:
    async with deployment.engine() as engine, engine.begin() as connection:
        await connection.execute(text(statement))


async def nobody_is_there(deployment: Deployment) -> None:
    """The group has noticed that a worker is gone that said nothing."""
    async with asking(deployment) as admin:

        async def is_empty() -> bool:
            return not await members_of(admin, deployment.settings.kafka.group_id)

        await until(is_empty, "the group is empty")


async def killed_waiting(deployment: Deployment, locked: str) -> None:
    """The program dies where it waits for a table: for `lanes` before it tells the topics, for `audit` after that."""
    topic = deployment.settings.topics.commands
    async with deployment.engine() as engine, engine.begin() as held, asking(deployment) as admin:
        await held.execute(text(f"LOCK TABLE {locked} MODE"))
        process = subprocess.Popen(  # noqa: ASYNC220 - nobody else waits for this test
            [sys.executable, "-m", "worker", *CUT_OVER, "--yes"], env=os.environ | deployment.environment
        )
        try:

            async def waits() -> bool:
                waiting = await held.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))
                present = (await present_partitions(admin))[topic]
                return present == MORE and bool(waiting.scalar_one())

            await until(waits, f"partitions are added, and waits for {locked}", 120)
        finally:
            process.kill()
            process.wait()


def instants(messages: list[dict[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for message in messages:
        found.setdefault(message["organization"], []).append(message["time"])
    return found


@pytest.mark.slow
async def test_organizations_that_move_go_on_in_their_order_above_every_instant_before(deployment: Deployment) -> None:
    assert MOVING
    await decided(deployment, accounts(), binds(0, ROUNDS))
    before = instants(await deployment.messages("command_results"))
    await execute(deployment, AHEAD)  # as after a broker whose clock is ahead

    await killed_waiting(deployment, "lanes IN ROW EXCLUSIVE")
    assert await declared(deployment) == (PARTITIONS, PARTITIONS)
    would = json.loads((await program(deployment, *CUT_OVER, "--json")).stdout)
    assert await declared(deployment) == (PARTITIONS, PARTITIONS)
    done = json.loads((await program(deployment, *CUT_OVER, "--yes", "--as", "ada", "--json")).stdout)

    assert await declared(deployment) == (MORE, MORE)
    for told in (would, done):
        assert (told["organizations"], told["moving"], told["obstacles"]) == (len(ORGANIZATIONS), len(MOVING), [])
    assert (would["done"], done["done"]) == (False, True)
    assert done["accountsAndProjectsMoved"] == len(MOVING) * 5
    once_more = await program(deployment, *CUT_OVER, exits=1)
    assert f"{MORE} partitions are declared already" in once_more.stderr
    ((who, arguments),) = await deployment.rows("SELECT who, arguments FROM audit WHERE command = 'topics cut-over'")
    assert (who, arguments["partitions"]) == ("ada", MORE)

    await decided(deployment, binds(ROUNDS, 2 * ROUNDS), [accounts()[0]])
    answers = await deployment.messages("command_results")
    after = [answer for answer in answers if answer["time"] > max(max(each) for each in before.values())]
    assert {answer["type"] for answer in after} == {"billing.command.accepted.v1"}
    assert len(after) == ROUNDS * len(ORGANIZATIONS) + 1
    assert min(answer["time"] for answer in after) > done["above"]
    for answer in after:
        assert int(answer["commandposition"].split("/")[1]) == partition_of(answer["organization"], MORE)
    sent = Counter({f"create-{account}": len(ORGANIZATIONS) for account in ("main", "other")})
    await check(deployment, sent + Counter({f"bind-{n}": len(ORGANIZATIONS) for n in range(2 * ROUNDS)}))
    await program(deployment, "verify", "--topics")
    await program(deployment, "verify", "--organization", MOVING[0])
    set_ = {"BILLING_TOPICS__COMMANDS_PARTITIONS": str(MORE)}
    planned = json.loads((await program(deployment, "topics", "plan", "--json", environment=set_)).stdout)
    assert (planned["changes"], planned["problems"]) == (False, False)


@pytest.mark.slow
async def test_it_is_refused_until_lanes_are_drained_and_workers_are_gone(deployment: Deployment) -> None:
    with deployment.worker() as worker:
        await ready(worker)
        await deployment.publish_many(accounts())
        await deployment.answers()
        refused = await program(deployment, *CUT_OVER, "--yes", exits=1)
        assert "1 workers are in the group" in refused.stderr
        await end(worker)

    await deployment.publish_many(binds(0, 1))
    refused = await program(deployment, *CUT_OVER, "--yes", exits=1)
    assert "commands are not decided" in refused.stderr
    fewer = await program(deployment, "topics", "cut-over", "--partitions", str(PARTITIONS), "--yes", exits=1)
    assert "only more can be added" in fewer.stderr

    with deployment.worker(TESTING__FAILPOINTS='{"after-commit": "kill"}') as worker:
        assert await asyncio.to_thread(worker.died) == -signal.SIGKILL
    await nobody_is_there(deployment)
    refused = await program(deployment, *CUT_OVER, "--yes", exits=1)
    assert "and published through" in refused.stderr

    async with asking(deployment) as admin:
        assert (await present_partitions(admin))[deployment.settings.topics.commands] == PARTITIONS
    assert await declared(deployment) == (PARTITIONS, PARTITIONS)


@pytest.mark.slow
async def test_one_that_was_broken_off_once_the_topics_knew_is_done_again_before_a_worker_takes_a_lane(
    deployment: Deployment, stack: Addresses, migrated: str
) -> None:
    await decided(deployment, accounts())
    positions = "SELECT partition, epoch, next_offset FROM lanes ORDER BY partition"
    before = await deployment.rows(positions)
    await killed_waiting(deployment, "audit IN EXCLUSIVE")
    assert await declared(deployment) == (PARTITIONS, PARTITIONS)
    async with own_database(stack, migrated) as url, owner_of(on_database(deployment, url), "rebuild") as engine:
        counts = (await make_plan(on_database(deployment, url), engine)).counts
    assert list(counts.ever) == [PARTITIONS, MORE]  # a rebuild is as good: all lanes were told, and nobody was at work

    await deployment.publish_many(binds(0, 1))
    with deployment.worker() as worker:
        await says_why(worker, f"if the cut-over was broken off, `topics cut-over --partitions {MORE}`", lanes=MORE)
        await end(worker)
    assert await deployment.rows(positions) == before
    await program(deployment, *CUT_OVER, "--yes")

    assert await declared(deployment) == (MORE, MORE)
    assert await deployment.rows("SELECT 1 FROM lanes WHERE stopped IS NOT NULL") == []
    await decided(deployment, binds(1, 2))
    sent = ("create-main", "create-other", "bind-0", "bind-1")
    await check(deployment, Counter(dict.fromkeys(sent, len(ORGANIZATIONS))))
    await program(deployment, "verify", "--topics")


@pytest.mark.slow
async def test_a_worker_that_slept_through_it_ends_and_takes_no_lane(deployment: Deployment) -> None:
    with deployment.worker() as worker:
        await ready(worker)
        await deployment.publish_many(accounts())
        await deployment.answers()
        worker.send(signal.SIGSTOP)
        await nobody_is_there(deployment)
        await program(deployment, *CUT_OVER, "--yes")
        await deployment.publish_many(binds(0, 1))
        worker.send(signal.SIGCONT)
        assert await asyncio.to_thread(worker.died, 120) == 1
        assert said(worker, f"{MORE} partitions are declared by now, and this process began with {PARTITIONS}")

    await decided(deployment, binds(1, 2))
    sent = Counter(dict.fromkeys(("create-main", "create-other", "bind-0", "bind-1"), len(ORGANIZATIONS)))
    await check(deployment, sent)
    refused = [answer for answer in await deployment.messages("command_results") if answer["data"].get("reasons")]
    assert refused == []


def said(worker: WorkerProcess, what: str) -> bool:
    with suppress(FileNotFoundError):
        return what in worker.log.read_text()
    return False
