from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import InvalidReplicationFactorError

from tests.system.stacks import Addresses
from worker.broker import clients, topics
from worker.broker.topics import BYTES_MAX, TIMESTAMP_TYPE, Change, TopicPlan
from worker.settings import Kafka, Settings


@pytest.fixture
async def admin(stack: Addresses) -> AsyncIterator[AIOKafkaAdminClient]:
    client = clients.admin(Kafka(bootstrap_servers=stack.bootstrap_servers))
    await client.start()
    yield client
    await client.close()


@pytest.fixture
def wanted() -> TopicPlan:
    """The command topic under a name of the test's own."""
    (plan, *_) = topics.plan(Settings())
    return TopicPlan(f"test-{uuid4().hex}", 3, 1, plan.config, plan.record_bytes, plan.carries)


async def make(admin: AIOKafkaAdminClient, name: str, config: dict[str, str], partitions: int = 3) -> None:
    await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])
    while name not in await topics.present_partitions(admin):
        pass


async def test_a_missing_topic_is_made_and_ready_when_apply_returns(
    admin: AIOKafkaAdminClient, wanted: TopicPlan
) -> None:
    differences = await topics.compare(admin, [wanted])
    left = await topics.apply(admin, differences)

    assert [difference.is_missing for difference in differences] == [True]
    assert not any(difference.is_mendable or difference.problems for difference in left)
    assert (await topics.present_partitions(admin))[wanted.name] == 3


async def test_looking_makes_no_topic(admin: AIOKafkaAdminClient, wanted: TopicPlan) -> None:
    await topics.compare(admin, [wanted])

    assert wanted.name not in await topics.present_partitions(admin)


async def test_what_differs_is_set_and_what_somebody_else_has_set_stays(
    admin: AIOKafkaAdminClient, wanted: TopicPlan
) -> None:
    await make(admin, wanted.name, {"segment.ms": "100000", "retention.ms": "1000000"})
    differences = await topics.compare(admin, [wanted])
    left = await topics.apply(admin, differences)

    assert set(differences[0].changes) == {
        Change("retention.ms", "1000000", "2592000000"),
        Change(TIMESTAMP_TYPE, "CreateTime", "LogAppendTime"),
    }
    assert "workers refuse it" in differences[0].warnings[0]
    assert left[0].changes == ()
    assert left[0].overrides["segment.ms"] == "100000"


async def test_a_topic_may_take_larger_records_and_never_smaller_ones(
    admin: AIOKafkaAdminClient, wanted: TopicPlan
) -> None:
    await make(admin, wanted.name, wanted.config | {BYTES_MAX: "2000000"})
    (larger,) = await topics.compare(admin, [wanted])
    smaller = TopicPlan(wanted.name, 3, 1, wanted.config, 3_000_000, "")
    (left,) = await topics.apply(admin, await topics.compare(admin, [smaller]))

    assert not larger.is_mendable
    assert left.overrides[BYTES_MAX] == "3000000"


async def test_partitions_are_never_added(admin: AIOKafkaAdminClient, wanted: TopicPlan) -> None:
    await make(admin, wanted.name, wanted.config, partitions=2)
    (left,) = await topics.apply(admin, await topics.compare(admin, [wanted]))

    assert "has 2 partitions where the settings say 3" in left.problems[0]
    assert (await topics.present_partitions(admin))[wanted.name] == 2


async def test_a_refusal_of_the_cluster_is_raised(admin: AIOKafkaAdminClient, wanted: TopicPlan) -> None:
    too_many_copies = TopicPlan(wanted.name, 3, 5, wanted.config, wanted.record_bytes, "")

    with pytest.raises(InvalidReplicationFactorError, match=wanted.name):
        await topics.apply(admin, await topics.compare(admin, [too_many_copies]))


async def test_whoever_is_second_to_make_a_topic_is_content(admin: AIOKafkaAdminClient, wanted: TopicPlan) -> None:
    differences = await topics.compare(admin, [wanted])
    await topics.apply(admin, differences)

    assert not (await topics.apply(admin, differences))[0].is_mendable
