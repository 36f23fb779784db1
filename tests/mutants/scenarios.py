"""Scenarios in which a worker that forgets something breaks a promise, and the true one breaks none.

Each runs on a single lane and ends with the checker. What a broken worker never answers is not waited for at length:
that it is missing is the checker's to say.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tests.faults.signals import stopped
from tests.system.checker import check
from tests.system.deployment import Around, Deployment, WorkerProcess, command, ready_account
from tests.system.settling import until
from worker.wire.ticks import tick

Scenario = Callable[[Deployment, Around], Awaitable[None]]

ORGANIZATION = "acme"
BINDS = 100
ANSWER_SECONDS_MAX = 20
HEAL_SECONDS_MAX = 15

SEEN_TO_THE_END = {"LANES__TICK_SECONDS": "3600"}
"""No ticks but the scenario's own."""
LONG_TRANSACTIONS = SEEN_TO_THE_END | {"DATABASE__IDLE_IN_TRANSACTION_SECONDS_MAX": "60"}
"""Who is stopped in the midst of a transaction keeps it until he is continued."""


class Noticed(AssertionError):  # noqa: N818 - what became of the forgetting
    """The worker kept its promises, but only because its next line of defence was needed."""


def fails(**places: str) -> dict[str, str]:
    """The setting that arms failpoints."""
    armed = ", ".join(f'"{place.replace("_", "-")}": "{action}"' for place, action in places.items())
    return {"TESTING__FAILPOINTS": f"{{{armed}}}"}


async def begun(deployment: Deployment, around: Around) -> Counter[str]:
    """Two accounts that are there and published, by a worker that has left."""
    accounts = [ready_account(ORGANIZATION, account) for account in ("main", "other")]
    await deployment.publish(ORGANIZATION, *accounts)
    with deployment.worker(around, **SEEN_TO_THE_END):
        await deployment.answers()
    return Counter(["create-main", "create-other"])


async def bind(deployment: Deployment, first: int = 0, count: int = BINDS) -> Counter[str]:
    """Binds and rebinds of ten projects."""
    ids = [f"bind-{number}" for number in range(first, first + count)]
    await deployment.publish(
        ORGANIZATION,
        *(
            command(
                ORGANIZATION,
                "project.bind",
                id_,
                project=f"p-{number % 10}",
                account="main" if number // 10 % 2 else "other",
            )
            for number, id_ in enumerate(ids, first)
        ),
    )
    return Counter(ids)


async def answered(deployment: Deployment) -> None:
    """Wait for the answers; not for ever for those that do not come."""
    with suppress(AssertionError):
        await deployment.answers(ANSWER_SECONDS_MAX)


async def judged(deployment: Deployment, sent: Counter[str]) -> None:
    await check(deployment, sent, healed_within_seconds=HEAL_SECONDS_MAX)


async def a_publisher_that_repeats_itself(deployment: Deployment, around: Around) -> None:
    """Every command comes twice, in batches apart."""
    sent = await begun(deployment, around)
    sent += await bind(deployment)
    with deployment.worker(around, **SEEN_TO_THE_END):
        await deployment.answers()
        sent += await bind(deployment)
        await answered(deployment)
    await judged(deployment, sent)


async def many_commands_in_a_millisecond(deployment: Deployment, around: Around) -> None:
    """A burst."""
    sent = await begun(deployment, around)
    sent += await bind(deployment, count=10 * BINDS)
    with deployment.worker(around, **SEEN_TO_THE_END):
        await answered(deployment)
    await judged(deployment, sent)


async def a_worker_killed_before_commit(deployment: Deployment, around: Around) -> None:
    """With everything of its batch done but COMMIT."""
    sent = await begun(deployment, around)
    sent += await bind(deployment)
    with deployment.worker(around, **SEEN_TO_THE_END, **fails(before_commit="kill@1")) as victim:
        assert await asyncio.to_thread(victim.died) == -signal.SIGKILL
    with deployment.worker(around, **SEEN_TO_THE_END) as heir:
        await asyncio.to_thread(heir.wait_ready)
        sent += await bind(deployment, first=BINDS, count=10)
        await answered(deployment)
        caught_up = heir.said("database_older")
    await judged(deployment, sent)
    if caught_up:
        raise Noticed(f"the topics knew of what no transaction had brought about: {caught_up}")


async def a_zombie_between_commit_and_publishing(deployment: Deployment, around: Around) -> None:
    """Stopped there past its session, until another one has published its batch; then it goes on."""
    sent = await begun(deployment, around)
    sent += await bind(deployment)
    with deployment.worker(around, **SEEN_TO_THE_END, **fails(after_commit="stop@1")) as zombie:
        await stopped(zombie.pid)
        with deployment.worker(around, **SEEN_TO_THE_END):
            await deployment.answers()
            zombie.send(signal.SIGCONT)
            await _has_tried(zombie)
            sent += await bind(deployment, first=BINDS)
            await answered(deployment)
    await judged(deployment, sent)


async def a_zombie_with_a_tick_in_hand(deployment: Deployment, around: Around) -> None:
    """Stopped before its transaction begins, past its session; goes on when another one has come and gone.

    A tick brings nothing about, so that no key of any table stands in its way.
    """
    sent = await begun(deployment, around)
    await deployment.publish("billing-worker", tick("tick-0", "tests").value)
    deployment.sent -= 1
    sent += await bind(deployment)
    one_by_one = SEEN_TO_THE_END | {"LANES__BATCH_RECORDS_MAX": "1"}
    with deployment.worker(around, **one_by_one, **fails(batch_begun="stop@1")) as zombie:
        await stopped(zombie.pid)
        with deployment.worker(around, **SEEN_TO_THE_END):
            await deployment.answers()
        zombie.send(signal.SIGCONT)
        await _has_tried(zombie)
        sent += await bind(deployment, first=BINDS, count=10)
        await answered(deployment)
    await judged(deployment, sent)


async def a_zombie_about_to_commit(deployment: Deployment, around: Around) -> None:
    """Stopped there past its session; goes on while another one waits for its transaction to take the lane over."""
    sent = await begun(deployment, around)
    sent += await bind(deployment)
    with deployment.worker(around, **LONG_TRANSACTIONS, **fails(before_commit="stop@1")) as zombie:
        await stopped(zombie.pid)
        with deployment.worker(around, **LONG_TRANSACTIONS) as heir:
            await until(lambda: _waits_for_a_lock(deployment), "the heir waits for the lane's row")
            zombie.send(signal.SIGCONT)
            await _has_tried(zombie)
            sent += await bind(deployment, first=BINDS)
            await answered(deployment)
            looked_again = heir.said("position_moved")
    await judged(deployment, sent)
    if looked_again:
        raise Noticed(f"the heir took the lane over at a position that was not its own: {looked_again}")


async def a_zombie_that_publishes_while_the_watermark_is_read(deployment: Deployment, around: Around) -> None:
    """Stopped between COMMIT and publishing, past its session; goes on when its heir has read the watermark.

    It is gone as soon as it has published: if it joined again, the heir would lose the lane and read anew.
    """
    sent = await begun(deployment, around)
    sent += await bind(deployment)
    points = fails(after_commit="stop@1", after_transaction="kill@1")
    with deployment.worker(around, **SEEN_TO_THE_END, **points) as zombie:
        await stopped(zombie.pid)
        with deployment.worker(around, **SEEN_TO_THE_END, **fails(take_over_watermark_read="stop@1")) as heir:
            await stopped(heir.pid)
            before = await deployment.read("horizons")
            zombie.send(signal.SIGCONT)
            await _has_tried(zombie, lambda: _are_more_than(deployment, len(before)))
            heir.send(signal.SIGCONT)
            sent += await bind(deployment, first=BINDS)
            await answered(deployment)
    await judged(deployment, sent)


async def a_worker_that_is_not_told_that_its_lanes_are_gone(deployment: Deployment, around: Around) -> None:
    """Its callback hangs in the rebalance, so the group gives its lanes away, and it goes on with them meanwhile.

    The second callback, that is: the client calls it before it joins, too. What it read before, a record a batch, it
    still has in hand when it comes back from a long wait.
    """
    sent = await begun(deployment, around)
    slowly = SEEN_TO_THE_END | {"LANES__BATCH_RECORDS_MAX": "1"}
    with deployment.worker(around, **slowly, **fails(revoked="hang@2", after_commit="wait@1")) as deaf:
        await asyncio.to_thread(deaf.wait_ready)
        with deployment.worker(around, **SEEN_TO_THE_END) as heir:
            sent += await bind(deployment)
            await until(lambda: _runs_lanes(heir), "the group gives the lanes to the heir")
            await until(lambda: _has_noticed(deaf), "the deaf one finds its lane taken")
            await answered(deployment)
        leaves = bool(deaf.said("fenced"))
    await judged(deployment, sent)
    if not leaves:
        raise Noticed("a worker took a lane back that the group had given to another")


async def _has_tried(zombie: WorkerProcess, *others: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a worker that was continued has done with what it had in hand, well or badly."""

    async def has_tried() -> bool:
        said = zombie.said("lane_waits") or zombie.said("fenced") or zombie.said("position_moved")
        return bool(said) or any([await other() for other in others])

    with suppress(AssertionError):  # nothing is said of what went well
        await until(has_tried, "the zombie has tried", seconds=5)


async def _are_more_than(deployment: Deployment, count: int) -> bool:
    return len(await deployment.read("horizons")) > count


async def _waits_for_a_lock(deployment: Deployment) -> bool:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(await deployment.rows(waiting))


async def _runs_lanes(worker: WorkerProcess) -> bool:
    return bool(worker.said("lane_runs"))


async def _has_noticed(worker: WorkerProcess) -> bool:
    """That a lane was lost: it joins the group anew, or takes the lane back, which it must not."""
    return bool(worker.said("fenced")) or len(worker.said("lane_runs")) > 1
