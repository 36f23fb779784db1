"""Taking over a lane: what is left behind is found, what does not fit together is refused, never guessed."""

import asyncio
import signal
from collections import Counter
from typing import Any

from aiokafka import AIOKafkaConsumer, OffsetAndMetadata, TopicPartition
from aiokafka.admin import NewTopic
from sqlalchemy import text

from tests.system.checker import check
from tests.system.deployment import Deployment, WorkerProcess, command, ready_account
from tests.system.settling import until
from worker.broker import clients

ORGANIZATION = "acme"


def binds(first: int, last: int) -> list[bytes]:
    return [
        command(ORGANIZATION, "project.bind", f"bind-{number}", project=f"p-{number}", account="main")
        for number in range(first, last)
    ]


def ids(first: int, last: int) -> Counter[str]:
    return Counter(["create-main", *(f"bind-{number}" for number in range(first, last))])


async def events_of(worker: WorkerProcess, name: str) -> list[dict[str, Any]]:
    return [event for event in worker.events() if event.get("event") == name]


async def lane_of(deployment: Deployment) -> int:
    """The lane of the one organization: the one that has moved."""
    ((partition,),) = await deployment.rows("SELECT partition FROM lanes WHERE next_offset > 1")
    return int(partition)


async def test_a_group_offset_that_somebody_reset_is_told_of_and_nothing_is_published_again(
    deployment: Deployment,
) -> None:
    await deployment.publish(ORGANIZATION, ready_account(ORGANIZATION, "main"), *binds(0, 20))
    with deployment.worker():
        await deployment.answers()
    lane = await lane_of(deployment)
    await _reset_group_offset(deployment, lane)

    with deployment.worker() as worker:
        await deployment.publish(ORGANIZATION, *binds(20, 25))
        await deployment.answers()
        (told,) = await events_of(worker, "group_offset_differs")

    assert (told["lane"], told["group_offset"], told["horizon_offset"]) == (lane, 0, 21)
    await check(deployment, ids(0, 25))


async def _reset_group_offset(deployment: Deployment, lane: int) -> None:
    log = TopicPartition(deployment.settings.topics.commands, lane)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=deployment.settings.kafka.bootstrap_servers,
        group_id=deployment.settings.kafka.group_id,
        enable_auto_commit=False,
    )
    await consumer.start()
    consumer.assign([log])
    await consumer.commit({log: OffsetAndMetadata(0, "")})
    await consumer.stop()


async def test_a_command_topic_made_anew_stops_the_lane_and_says_why(deployment: Deployment) -> None:
    await deployment.publish(ORGANIZATION, ready_account(ORGANIZATION, "main"), *binds(0, 20))
    with deployment.worker():
        await deployment.answers()
    await _make_commands_anew(deployment)
    await deployment.publish(ORGANIZATION, *binds(100, 105))

    with deployment.worker() as worker:
        await until(lambda: _has_stopped(worker), "the lane stops")
        stopped = (await events_of(worker, "lane_stopped"))[0]

        async def is_noted() -> bool:
            rows = await deployment.rows("SELECT stopped FROM lanes WHERE stopped IS NOT NULL")
            return [row.stopped for row in rows] == [stopped["reason"]]

        await until(is_noted, "the row says why")

    assert "before the position 21" in stopped["reason"]
    assert len(await deployment.messages("command_results")) == 21


async def test_a_command_topic_made_anew_and_grown_past_the_position_is_recognized_by_its_records(
    deployment: Deployment,
) -> None:
    await deployment.publish(ORGANIZATION, ready_account(ORGANIZATION, "main"), *binds(0, 20))
    with deployment.worker():
        await deployment.answers()
    await _make_commands_anew(deployment)
    await deployment.publish(ORGANIZATION, *binds(100, 140))

    with deployment.worker() as worker:
        await until(lambda: _has_stopped(worker), "the lane stops")
        stopped = (await events_of(worker, "lane_stopped"))[0]

    assert "offset 20 holds another record" in stopped["reason"]
    assert len(await deployment.messages("command_results")) == 21


async def _has_stopped(worker: WorkerProcess) -> bool:
    return bool(await events_of(worker, "lane_stopped"))


async def _make_commands_anew(deployment: Deployment) -> None:
    topic = deployment.settings.topics.commands
    admin = clients.admin(deployment.settings.kafka)
    await admin.start()
    await admin.delete_topics([topic])
    fresh = NewTopic(topic, 3, 1, topic_configs={"message.timestamp.type": "LogAppendTime"})

    async def created() -> bool:
        (answer,) = (await admin.create_topics([fresh])).topic_errors
        return bool(answer[1] == 0)

    await until(created, "the topic is made anew")
    await admin.close()


async def test_a_worker_whose_lane_another_one_took_joins_the_group_anew_and_goes_on(deployment: Deployment) -> None:
    await deployment.publish(ORGANIZATION, ready_account(ORGANIZATION, "main"), *binds(0, 5))
    with deployment.worker() as worker:
        await deployment.answers()
        async with deployment.engine() as engine, engine.begin() as connection:
            await connection.execute(text("UPDATE lanes SET epoch = epoch + 1"))
        await deployment.publish(ORGANIZATION, *binds(5, 10))
        await deployment.answers()
        assert await events_of(worker, "fenced")

    await check(deployment, ids(0, 10))


async def test_a_take_over_slower_than_the_session_causes_no_rebalance(deployment: Deployment) -> None:
    await deployment.publish(ORGANIZATION, ready_account(ORGANIZATION, "main"), *binds(0, 5))
    with deployment.worker(TESTING__FAILPOINTS='{"take-over-taken": "wait"}') as worker:
        await deployment.answers()
        runs = await events_of(worker, "lane_runs")

    assert {event["epoch"] for event in runs} == {1}
    await check(deployment, ids(0, 5))


async def test_a_worker_that_is_asked_to_end_finishes_what_is_under_way(deployment: Deployment) -> None:
    sent = [ready_account(ORGANIZATION, "main"), *binds(0, 2_000)]
    await deployment.publish(ORGANIZATION, *sent)
    with deployment.worker() as worker:
        await until(lambda: _has_decided(deployment), "the first batches are through")
        worker.send(signal.SIGTERM)
        assert await asyncio.to_thread(worker.died) == 0

    ((decided, published),) = await deployment.rows("SELECT next_offset, published FROM lanes WHERE next_offset > 1")
    horizons = [message["data"]["offset"] for message in await deployment.messages("horizons")]
    assert decided in horizons
    assert published <= decided
    with deployment.worker():
        await deployment.answers()
    await check(deployment, ids(0, 2_000))


async def _has_decided(deployment: Deployment) -> bool:
    return bool(await deployment.rows("SELECT 1 FROM lanes WHERE next_offset > 500"))
