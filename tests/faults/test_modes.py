"""What the modes of publishing promise of a worker that died between publishing and saying so."""

import asyncio
import signal
from collections import Counter

import pytest

from tests.faults.backlog import publish
from tests.faults.course import course
from tests.system.checker.marks import digest_of
from tests.system.deployment import Deployment
from tests.system.provision import own_deployment
from tests.system.stacks import Addresses
from worker.broker.clients import Isolation
from worker.failpoints import Failpoint

pytestmark = pytest.mark.timeout(300)

HEAL_SECONDS = 90
EVENTS = ("account_events", "binding_events", "command_results")
DIES = {"TESTING__FAILPOINTS": f'{{"{Failpoint.INSIDE_TRANSACTION}": "kill@2"}}', "LANES__BATCH_RECORDS_MAX": "50"}


async def die_and_heal(deployment: Deployment) -> None:
    """A worker dies when its records are out and its horizon is not; another one publishes them again."""
    async with course(deployment) as ran:
        ran.sent += await publish(deployment, rounds=60)
        with deployment.worker(**DIES) as victim:
            assert await asyncio.to_thread(victim.died) == -signal.SIGKILL
        with deployment.worker():
            await deployment.answers(HEAL_SECONDS)


async def copies(deployment: Deployment, isolation: Isolation) -> Counter[bytes]:
    """How often each record comes to a subscriber, told apart by every byte."""
    seen: Counter[bytes] = Counter()
    for topic in EVENTS:
        seen.update(digest_of(record) for record in await deployment.read(topic, isolation=isolation))
    return seen


async def test_exactly_once_nothing_comes_twice_to_who_reads_committed_records_alone(deployment: Deployment) -> None:
    await die_and_heal(deployment)

    committed = await copies(deployment, "read_committed")
    uncommitted = await copies(deployment, "read_uncommitted")
    assert max(committed.values()) == 1
    assert max(uncommitted.values()) > 1, "the dead worker's records are there for who reads everything"
    assert set(committed) == set(uncommitted), "and they are the same"


async def test_at_least_once_the_same_bytes_come_again_and_first_occurrences_come_in_order(
    stack: Addresses, database_url: str
) -> None:
    """That the order holds, the checker says: it looks at first occurrences."""
    async with own_deployment(stack, database_url, PUBLISHING__MODE="at-least-once") as deployment:
        await die_and_heal(deployment)

        committed = await copies(deployment, "read_committed")
        ids = {record["id"] for topic in EVENTS for record in await deployment.messages(topic)}
    assert max(committed.values()) > 1
    assert len(committed) == len(ids), "equal ids, equal bytes"
