"""Starting: what is missing is named with its address and what to do, waited for, and then the work goes on."""

import asyncio
import socket
from typing import Any
from uuid import uuid4

from aiokafka.admin import NewTopic
from sqlalchemy.engine import make_url

from tests.system.deployment import Deployment, WorkerProcess, ready_account
from tests.system.provision import PARTITIONS, own_database
from tests.system.relay import relay
from tests.system.settling import until
from tests.system.stacks import Addresses
from worker.broker import clients, topics
from worker.store import schema
from worker.wire.partitions import partition_of

ORGANIZATIONS = ["org-0", "org-1", "org-2"]


async def told(worker: WorkerProcess, name: str, times: int = 1) -> list[dict[str, Any]]:
    """What the worker says under a name, once it has said it so often."""

    async def is_said() -> bool:
        assert worker.process.poll() is None, worker.log.read_text()
        return len([event for event in worker.events() if event["event"] == name]) >= times

    await until(is_said, f"{name}, {times} times", seconds=30)
    return [event for event in worker.events() if event["event"] == name]


async def works(deployment: Deployment, worker: WorkerProcess) -> bool:
    """Whether the worker becomes ready by itself, and answers."""
    await asyncio.to_thread(worker.wait_ready, 30)
    for organization in ORGANIZATIONS:
        await deployment.publish(organization, ready_account(organization, "main"))
    answers = await deployment.answers(20)
    return {answer["type"] for answer in answers} == {"billing.command.accepted.v1"}


def is_longer_each_time(waits: list[dict[str, Any]]) -> bool:
    seconds = [wait["retry_seconds"] for wait in waits]
    return seconds == sorted(set(seconds))


async def test_a_database_that_is_away_is_named_and_waited_for(deployment: Deployment) -> None:
    url = make_url(deployment.settings.database.url)
    with relay(f"{url.host}:{url.port}") as database:
        away = url.set(host="127.0.0.1", port=database.port).render_as_string(hide_password=False)
        with deployment.worker(DATABASE__URL=away) as worker:
            waits = await told(worker, "waiting", 3)
            is_ready, waiting_for = worker.readiness()
            database.let()
            assert await works(deployment, worker)
            log = worker.log.read_text()

    assert all(f"PostgreSQL at {database.address}/" in wait["cause"] for wait in waits)
    assert is_longer_each_time(waits)
    assert not is_ready
    assert database.address in waiting_for["database"]
    assert f":{url.password}@" not in log


async def test_a_broker_that_is_away_is_named_and_waited_for(deployment: Deployment) -> None:
    with (
        relay(deployment.settings.kafka.bootstrap_servers) as kafka,
        deployment.worker(KAFKA__BOOTSTRAP_SERVERS=kafka.address) as worker,
    ):
        waits = await told(worker, "waiting", 3)
        is_ready, waiting_for = worker.readiness()
        kafka.let()
        assert await works(deployment, worker)

    assert all(f"Kafka at {kafka.address}" in wait["cause"] for wait in waits)
    assert is_longer_each_time(waits)
    assert not is_ready
    assert kafka.address in waiting_for["topics"]


async def test_a_database_without_a_schema_is_told_to_be_migrated(stack: Addresses, deployment: Deployment) -> None:
    async with own_database(stack, None) as empty:
        with deployment.worker(DATABASE__URL=empty) as worker:
            wait, *_ = await told(worker, "waiting")
            assert "schema is empty" in wait["cause"]
            assert "`billing-worker migrate`" in worker.readiness()[1]["database"]
            await schema.upgrade(empty)
            assert await works(deployment, worker)


async def test_a_missing_topic_is_told_with_what_makes_it(deployment: Deployment) -> None:
    admin = clients.admin(deployment.settings.kafka)
    await admin.start()
    commands, *_ = topics.plan(deployment.settings)
    await admin.delete_topics([commands.name])

    with deployment.worker() as worker:
        wait, *_ = await told(worker, "waiting")
        assert f"topic {commands.name} is missing: `billing-worker topics apply`" in wait["cause"]
        assert "`billing-worker topics apply`" in worker.readiness()[1]["topics"]
        await topics.apply(admin, await topics.compare(admin, [commands]))
        assert await works(deployment, worker)
    await admin.close()


async def test_a_wrong_setting_refuses_to_start_and_is_named(deployment: Deployment) -> None:
    wrong = {"LANES__BATCH_RECORDS_MAX": "none", "PUBLISHING__MODE": "sometimes", "KAFKA__GROUP": "x"}

    with deployment.worker(**wrong) as worker:
        assert worker.died(10) == 2
        said = worker.log.read_text()

    assert all(f"BILLING_{name}" in said for name in wrong)
    assert "Traceback" not in said


async def test_a_port_that_is_taken_ends_the_worker_with_the_setting_that_chooses_another(
    deployment: Deployment,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with deployment.worker(HTTP__PORT=str(port)) as worker:
            assert worker.died(10) == 1
            said = worker.log.read_text()

    assert f"127.0.0.1:{port} cannot be listened on" in said
    assert "BILLING_HTTP__PORT" in said
    assert "Traceback" not in said


async def test_commands_that_carry_their_publishers_times_are_refused_and_the_lane_says_so(
    deployment: Deployment,
) -> None:
    name = f"test-{uuid4().hex}"
    admin = clients.admin(deployment.settings.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(name, PARTITIONS, 1)])
    with deployment.worker(TOPICS__COMMANDS=name) as worker:
        async with clients.producer(deployment.settings.kafka) as producer:
            await producer.send_and_wait(name, ready_account("org-0", "main"), b"org-0")
        stopped, *_ = await told(worker, "lane_stopped")
        is_ready, waiting_for = worker.readiness()
    await admin.delete_topics([name])
    await admin.close()

    assert stopped["lane"] == partition_of("org-0", PARTITIONS)
    assert "message.timestamp.type=LogAppendTime" in stopped["reason"]
    assert not is_ready
    assert stopped["reason"] in waiting_for[f"lane {stopped['lane']}"]
    assert await deployment.messages("command_results") == []


async def test_a_second_installation_on_the_same_topics_is_refused_and_harms_nobody(
    stack: Addresses, migrated: str, deployment: Deployment
) -> None:
    with deployment.worker() as first:
        assert await works(deployment, first)
        ((installation,),) = await deployment.rows("SELECT id::text FROM installation")
        async with own_database(stack, migrated) as other:
            with deployment.worker(DATABASE__URL=other, KAFKA__GROUP_ID="another") as second:
                stopped = await told(second, "lane_stopped", PARTITIONS)
                is_ready, _ = second.readiness()
        for organization in ORGANIZATIONS:
            await deployment.publish(organization, ready_account(organization, "other"))
        answers = await deployment.answers()
        assert first.readiness() == (True, {})

    assert all(f"the topics belong to installation {installation}" in lane["reason"] for lane in stopped)
    assert not is_ready
    assert len(answers) == deployment.sent


async def test_a_database_of_another_command_topic_is_refused(deployment: Deployment) -> None:
    with deployment.worker() as worker:
        assert await works(deployment, worker)

    with deployment.worker(TOPICS__COMMANDS=deployment.settings.topics.accounts) as worker:
        wait, *_ = await told(worker, "waiting")

    assert f"this database belongs to the topic {deployment.settings.topics.commands}" in wait["cause"]
