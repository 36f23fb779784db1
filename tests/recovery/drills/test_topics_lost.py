"""The page's "Topics are lost", to the letter: all of them are deleted, and come again from the journal."""

import asyncio
import signal
from collections import Counter
from dataclasses import dataclass

import pytest

from tests.faults.kafka.asking import asking
from tests.recovery.drills import page
from tests.recovery.drills.operator import Operator, operator
from tests.recovery.drills.subscriber import Subscriber
from tests.recovery.drills.traffic import RATE, SECONDS_MAX, goes_on, nothing_is_lost_or_doubled
from tests.system.deployment import Deployment, command, ready_account
from tests.system.load import load
from tests.system.settling import until
from tests.system.watched import watched
from worker.broker import topics
from worker.broker.topics import present_partitions

SECTION = "Topics are lost"
EVENTS = ("account_events", "binding_events", "command_results")
UNPUBLISHED = [ready_account("acme", "main"), command("acme", "project.bind", "bind", project="web", account="main")]
UNDECIDED = [command("acme", "project.bind", "again", project="app", account="main")]


async def delete(deployment: Deployment, *own_names: str) -> None:
    """Topics that the worker has to do with; none named: all of them."""
    names = {getattr(deployment.settings.topics, name) for name in own_names}
    names = names or {plan.name for plan in topics.plan(deployment.settings)}
    async with asking(deployment) as admin:
        await admin.delete_topics(list(names))

        async def are_gone() -> bool:
            return not names & (await present_partitions(admin)).keys()

        await until(are_gone, "the topics are gone")


async def by_subject(deployment: Deployment) -> dict[tuple[str, bytes | None], list[bytes | None]]:
    """Every record of the topics that keep all, in the order in which subscribers get them."""
    found: dict[tuple[str, bytes | None], list[bytes | None]] = {}
    for topic in EVENTS:
        for record in await deployment.read(topic):
            found.setdefault((topic, record.key), []).append(record.value)
    return found


@dataclass(frozen=True)
class Before:
    """What was published and known when the topics were still there, as of an instant."""

    sent: Counter[str]
    records: dict[tuple[str, bytes | None], list[bytes | None]]
    at: str
    digest: str


async def lived(deployment: Deployment, somebody: Operator) -> Before:
    """A worker, which lives on, has answered some hundred commands."""
    somebody.run()
    async with load(deployment, rate=RATE) as traffic:
        await goes_on(deployment)
    await traffic.resolve()
    await deployment.answers(SECONDS_MAX)
    at = await somebody.complete_through()
    return Before(traffic.sent, await by_subject(deployment), at, await somebody.digest(at))


async def are_as_before(deployment: Deployment, somebody: Operator, before: Before) -> None:
    """The topics begin with what they held, and the system knows what it knew."""
    assert await somebody.digest(before.at) == before.digest
    after = await by_subject(deployment)
    assert {subject: after[subject][: len(values)] for subject, values in before.records.items()} == before.records


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_topics_that_were_deleted_hold_the_same_again_and_old_and_new_subscribers_know_the_same(
    deployment: Deployment,
) -> None:
    async with operator(deployment) as somebody:
        before, old = await lived(deployment, somebody), Subscriber(deployment)
        await old.read_on()
        await somebody.stop_the_workers()
        await deployment.publish("acme", *UNPUBLISHED)
        dying = somebody.run(TESTING__FAILPOINTS='{"after-commit": "kill"}')
        assert await asyncio.to_thread(dying.died) == -signal.SIGKILL
        await deployment.publish("acme", *UNDECIDED)
        await delete(deployment)

        steps = page.commands(SECTION)
        made = steps.index(["republish"])
        await somebody.type(steps[:made])
        async with watched(deployment) as seen:
            await somebody.type(steps[made:])

            await are_as_before(deployment, somebody, before)
            old = Subscriber(deployment, old.in_topics_made_anew())
            await old.read_on()
            async with load(deployment, rate=RATE, seed=2) as later:
                await deployment.publish("acme", *UNDECIDED)
                deployment.sent -= len(UNDECIDED)
                await goes_on(deployment)
            later.sent += before.sent + Counter(["create-main", "bind", "again"])
            await nothing_is_lost_or_doubled(deployment, later, seen, latest_states_alone=True)
        await somebody.stop_the_workers()
        new = Subscriber(deployment)
        for one in (old, new):
            await one.read_on()
        assert new.knows() == old.knows()
        assert len(new.knows()) > len(before.records) / 10
        assert new.payers.through() == old.payers.through() is not None


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_some_of_the_topics_that_were_deleted_are_filled_and_the_others_left_alone(
    deployment: Deployment,
) -> None:
    async with operator(deployment) as somebody:
        before = await lived(deployment, somebody)
        await somebody.stop_the_workers()
        part = page.quoted(SECTION, "republish --topics")
        await delete(deployment, *(name.replace("-", "_") for name in part[part.index("--topics") + 1].split(",")))

        apply, *_, run, verify = page.commands(SECTION)
        await somebody.type([apply, part, run, verify])

        await are_as_before(deployment, somebody, before)
        async with load(deployment, rate=RATE, seed=2) as later:
            await goes_on(deployment)
        later.sent += before.sent
        await nothing_is_lost_or_doubled(deployment, later, None, latest_states_alone=True)
