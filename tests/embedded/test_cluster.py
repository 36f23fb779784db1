"""Three nodes of Kafka as one cluster, for whoever has to see what happens when one of them dies."""

from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.system.cluster import NODES, Cluster, cluster

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


async def test_what_was_acknowledged_outlives_any_one_node(nodes: Cluster) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=nodes.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic("letters", 1, len(NODES))])
    async with AIOKafkaProducer(bootstrap_servers=nodes.bootstrap_servers, acks="all") as producer:
        first = await producer.send_and_wait("letters", b"before", partition=0)
        (letters,) = await admin.describe_topics(["letters"])
        (log,) = letters["partitions"]
        nodes.nodes[log["leader"]].kill()
        second = await producer.send_and_wait("letters", b"after", partition=0)
    await admin.close()

    assert sorted(log["replicas"]) == sorted(log["isr"]) == list(NODES)
    assert (first.offset, second.offset) == (0, 1)
    nodes.start()


def test_another_node_leads_when_the_controller_dies(nodes: Cluster) -> None:
    before = nodes.controller()
    nodes.nodes[before].kill()
    after = nodes.controller()
    nodes.start()

    assert before != after
    assert {before, after} <= set(NODES)
    assert all(kafka.running for kafka in nodes.nodes.values())
