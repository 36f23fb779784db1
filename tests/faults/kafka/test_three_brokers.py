"""Three brokers, every topic in three copies: whichever node dies, the other two go on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.faults.kafka.asking import asking
from tests.faults.kafka.trial import not_ready, trial
from tests.system.cluster import Cluster, cluster
from tests.system.deployment import Deployment
from tests.system.provision import own_deployment
from tests.system.settling import until
from tests.system.stacks import Addresses

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

GROUP, TRANSACTION = 0, 1
"""What a coordinator coordinates, as Kafka numbers it."""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
async def deployment(nodes: Cluster, stack: Addresses, database_url: str) -> AsyncIterator[Deployment]:
    """Topics in three copies, group and database of the test's own."""
    addresses = Addresses(nodes.bootstrap_servers, stack.database_url)
    async with own_deployment(addresses, database_url, KAFKA__REPLICATION_FACTOR="3") as deployment:
        yield deployment
        await asyncio.to_thread(nodes.start)


async def leader_of_a_lane(nodes: Cluster, deployment: Deployment, admin: AIOKafkaAdminClient) -> int:
    (topic,) = await admin.describe_topics([deployment.settings.topics.commands])
    return int(next(log["leader"] for log in topic["partitions"] if log["partition"] == 0))


async def group_coordinator(nodes: Cluster, deployment: Deployment, admin: AIOKafkaAdminClient) -> int:
    return int(await admin.find_coordinator(deployment.settings.kafka.group_id, GROUP))


async def transaction_coordinator(nodes: Cluster, deployment: Deployment, admin: AIOKafkaAdminClient) -> int:
    ((installation,),) = await deployment.rows("SELECT id::text FROM installation")
    return int(await admin.find_coordinator(f"{installation}-0", TRANSACTION))


async def controller(nodes: Cluster, deployment: Deployment, admin: AIOKafkaAdminClient) -> int:
    return await asyncio.to_thread(nodes.controller)


@pytest.mark.parametrize("role", [leader_of_a_lane, group_coordinator, transaction_coordinator, controller])
async def test_whichever_node_dies_under_load_the_others_go_on_and_nothing_is_lost(
    nodes: Cluster, deployment: Deployment, role: Callable[..., Awaitable[int]]
) -> None:
    with deployment.worker() as first, deployment.worker() as second:
        async with trial(deployment, first, second, heals_in_seconds=60) as traffic:
            async with asyncio.timeout(30), asking(deployment) as admin:
                victim = await role(nodes, deployment, admin)
            nodes.nodes[victim].kill()
            count = traffic.sent.total()
            await traffic.at_least(count + 300)

            async def go_on() -> bool:
                return len(await deployment.messages("command_results")) > count + 200

            await until(go_on, f"without node {victim} commands are answered", 60)
            assert not nodes.nodes[victim].running
            await asyncio.to_thread(nodes.start)


async def test_below_the_least_number_of_copies_the_worker_waits_and_says_so_and_then_goes_on(
    nodes: Cluster, deployment: Deployment
) -> None:
    with deployment.worker() as worker:
        async with trial(deployment, worker, heals_in_seconds=60):
            for node in (1, 2):
                nodes.nodes[node].kill()
            causes = await not_ready(worker, 1)
            assert worker.process.poll() is None
            await asyncio.to_thread(nodes.start)

    assert all(cause.startswith(("waiting: ", "taking over: ")) for cause in causes.values()), causes
