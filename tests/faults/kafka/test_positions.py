"""Positions that somebody moves, the group's or the log's beginning: nothing is published again, nothing skipped."""

from collections.abc import Awaitable, Callable

import pytest
from aiokafka import AIOKafkaConsumer, OffsetAndMetadata, TopicPartition
from aiokafka.admin import RecordsToDelete
from sqlalchemy import text

from tests.faults.kafka.asking import asking, delete_group, delete_group_offset, stamp
from tests.faults.kafka.lanes import ORGANIZATIONS, are_answered, binds, ids_of, publish_to_all
from tests.faults.kafka.trial import ready, says_why, told
from tests.system.checker import check
from tests.system.deployment import Deployment, ready_account
from tests.system.provision import PARTITIONS
from tests.system.settling import until

QUIET = {"LANES__TICK_SECONDS": "3600"}
LANE = 0


async def to_the_beginning(deployment: Deployment) -> int:
    return await commit(deployment, 0)


async def past_what_was_not_read(deployment: Deployment) -> int:
    await deployment.publish(ORGANIZATIONS[LANE], *binds(ORGANIZATIONS[LANE], 10, 20))
    return await commit(deployment, 21)


async def expired(deployment: Deployment) -> int:
    """What a broker does by itself to the offsets of a group that nobody has been in for long."""
    await delete_group_offset(deployment, LANE)
    return -1


async def with_the_group_deleted(deployment: Deployment) -> int:
    await delete_group(deployment)
    return -1


async def commit(deployment: Deployment, offset: int) -> int:
    """As the tools of an operator do it, while the group is empty."""
    log = TopicPartition(deployment.settings.topics.commands, LANE)
    kafka = deployment.settings.kafka
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, group_id=kafka.group_id, enable_auto_commit=False
    ) as consumer:
        consumer.assign([log])
        await consumer.commit({log: OffsetAndMetadata(offset, "")})
    return offset


@pytest.mark.parametrize(
    "reset",
    [
        to_the_beginning,
        *(
            pytest.param(how, marks=pytest.mark.slow)
            for how in (past_what_was_not_read, expired, with_the_group_deleted)
        ),
    ],
)
async def test_a_group_offset_that_was_reset_is_told_of_and_neither_repeats_nor_skips_anything(
    deployment: Deployment, reset: Callable[[Deployment], Awaitable[int]]
) -> None:
    organization = ORGANIZATIONS[LANE]
    await deployment.publish(organization, ready_account(organization, "main"), *binds(organization, 0, 10))
    with deployment.worker(**QUIET):
        await deployment.answers()

    group_offset = await reset(deployment)
    with deployment.worker(**QUIET) as worker:
        await deployment.publish(organization, *binds(organization, 20, 25))
        await deployment.answers()
        alarms = {alarm["lane"]: alarm for alarm in await told(worker, "group_offset_differs")}
        await ready(worker)

    assert (alarms[LANE]["group_offset"], alarms[LANE]["horizon_offset"]) == (group_offset, 11)
    numbers = range(25) if reset is past_what_was_not_read else (*range(10), *range(20, 25))
    await check(deployment, ids_of(numbers, 1))


@pytest.mark.slow
async def test_commands_that_are_deleted_before_a_worker_reads_them_stop_the_lane_until_an_operator_speaks(
    deployment: Deployment,
) -> None:
    await publish_to_all(deployment, 0, 10)
    with deployment.worker(**QUIET):
        await deployment.answers()
    await publish_to_all(deployment, 10, 20)
    await cut_log_before(deployment, 15)

    with deployment.worker(**QUIET) as worker:
        (stopped,) = await told(worker, "lane_stopped")
        await until(lambda: are_answered(deployment, ORGANIZATIONS[1:], 21), "the other lanes go on")
        is_ready, causes = worker.readiness()

    assert (stopped["lane"], is_ready, list(causes)) == (LANE, False, [f"lane {LANE}"])
    assert "the log starts at 15, past the position 11: commands are gone unread" in stopped["reason"]
    assert causes[f"lane {LANE}"] == f"stopped: {stopped['reason']}"
    assert await stopped_lanes(deployment) == {LANE: stopped["reason"]}
    assert not await are_answered(deployment, [ORGANIZATIONS[LANE]], 12)


async def test_commands_that_are_deleted_under_a_running_worker_stop_the_lane_instead_of_being_skipped(
    deployment: Deployment,
) -> None:
    organization = ORGANIZATIONS[LANE]
    with deployment.worker(**QUIET, LANES__QUEUE_RECORDS_MAX="20", LANES__BATCH_RECORDS_MAX="20") as worker:
        await publish_to_all(deployment, 0, 10)
        await deployment.answers()
        async with deployment.engine() as engine, engine.begin() as connection:
            # The lane stands still with a full buffer, far behind the end of its log.
            await connection.execute(text("SELECT 1 FROM lanes WHERE partition = 0 FOR UPDATE"))
            await deployment.publish(organization, *binds(organization, 10, 3_000))
            await cut_log_before(deployment, 2_900)
        (stopped,) = await told(worker, "lane_stopped")
        is_ready, causes = worker.readiness()

    assert (stopped["lane"], is_ready, list(causes)) == (LANE, False, [f"lane {LANE}"])
    assert "the log starts at 2900, past the position" in stopped["reason"]
    assert await stopped_lanes(deployment) == {LANE: stopped["reason"]}
    ((position,),) = await deployment.rows("SELECT next_offset FROM lanes WHERE partition = 0")
    assert position < 2_900
    answered = [
        answer["data"]["command"]
        for answer in await deployment.messages("command_results")
        if answer["organization"] == organization
    ]
    # what was decided and not published when it stopped goes out once the operator has spoken
    assert answered == ["create-main", *(f"bind-{number}" for number in range(position - 1))][: len(answered)]


async def cut_log_before(deployment: Deployment, offset: int) -> None:
    async with asking(deployment) as admin:
        await admin.delete_records({TopicPartition(deployment.settings.topics.commands, LANE): RecordsToDelete(offset)})


async def stopped_lanes(deployment: Deployment) -> dict[int, str]:
    return dict(await deployment.rows("SELECT partition, stopped FROM lanes WHERE stopped IS NOT NULL"))


async def test_commands_before_one_without_an_append_time_are_answered(deployment: Deployment) -> None:
    """They are read in one piece: nothing is lost when an operator lets the log begin behind those without."""
    await publish_to_all(deployment, 0, 5)
    await stamp(deployment, "CreateTime")
    await publish_to_all(deployment, 5, 6)
    assert {record.timestamp_type for record in await deployment.read("commands")} == {0, 1}

    with deployment.worker(**QUIET) as worker:
        await says_why(worker, "has no append time", lanes=PARTITIONS)

    assert await are_answered(deployment, ORGANIZATIONS, 6)
    assert not await are_answered(deployment, ORGANIZATIONS[:1], 7)
