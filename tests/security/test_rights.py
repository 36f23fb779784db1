"""The rights that `topics plan` prints are all that worker, publisher and subscriber need, and none is too many."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)
from sqlalchemy.engine import make_url

from tests.cli.conftest import Program
from tests.docs.blocks import block_of
from tests.docs.test_commands import typed
from tests.security.acls import Acl, Rights, acls_of, changing_rights
from tests.security.conftest import Place
from tests.security.servers import ADMIN, PASSWORDS, PUBLISHER, SUBSCRIBER, WORKER
from tests.system.deployment import Deployment, WorkerProcess, command, ready_account
from tests.system.settling import until
from worker.broker import clients, topics
from worker.embedded import Postgres
from worker.lane.intake import HEARTBEAT_MS_MAX, JOIN_AGAIN_SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SOON = {
    "LANES__BACKOFF_SECONDS_MAX": "1",
    "LANES__TICK_SECONDS": "1",
    # what a worker leaves open that lost a right in the midst of it holds up its lane for no longer than this
    "KAFKA__TRANSACTION_TIMEOUT_MS": "5000",
    "PUBLISHING__TRANSACTION_SECONDS_MAX": "4",
}
NO_TICKS = SOON | {"LANES__TICK_SECONDS": "3600"}
READ_BY_SUBSCRIBERS = ("account_events", "binding_events", "accounts", "payers", "horizons")
READ_AGAIN = ("account_events", "binding_events", "command_results", "accounts", "payers", "dead_letters")
"""What a worker reads of its own output when the database is older than that."""

OUTPUTS = (*READ_AGAIN, "horizons")


@dataclass(frozen=True)
class Allowed:
    """A place where the cluster allows what the plan says, as somebody changes it."""

    place: Place
    acls: list[Acl]
    rights: Rights

    def acls_of(self, user: str, operation: str | None = None, kind: str | None = None) -> list[Acl]:
        found = [
            acl
            for acl in self.acls
            if acl.principal == f"User:{user}" and operation in {None, acl.operation} and kind in {None, acl.kind}
        ]
        assert found
        return found

    def acl(self, user: str, operation: str, topic: str) -> Acl:
        (found,) = [acl for acl in self.acls_of(user, operation, "topic") if acl.name == self.topic(topic)]
        return found

    def by(self, user: str) -> Deployment:
        """As this user sees it."""
        return self.place.deployment(self.place.kafka.environment(user))

    def topic(self, name: str) -> str:
        return str(getattr(self.by(ADMIN).settings.topics, name))


@pytest.fixture
async def allowed(place: Place) -> AsyncIterator[Allowed]:
    """What is printed is what is given, to the letter."""
    deployment = place.deployment(place.kafka.environment(ADMIN))
    planned = await Program(deployment.environment)("topics", "plan", "--json")
    acls = acls_of(json.loads(planned.stdout)["acls"])
    async with changing_rights(deployment.settings.kafka) as rights:
        await rights.give(*acls)
        yield Allowed(place, acls, rights)
        await rights.take(*acls)


async def publish(allowed: Allowed, account: str) -> tuple[int, str]:
    """As the publisher does it with the program, waiting for the answer: the exit code, and what is said."""
    data = {"account": account, "currency": "EUR", "paymentProfile": {"type": "card", "externalId": account}}
    words = ("--organization", "acme", "--type", "account.create", "--data", json.dumps(data))
    result = await Program(allowed.by(PUBLISHER).environment)("publish", *words, "--wait", "--wait-seconds", "60")
    return result.exit_code, result.output


@asynccontextmanager
async def subscribed(allowed: Allowed) -> AsyncIterator[AIOKafkaConsumer]:
    """A subscriber to everything that is for subscribers, in its group."""
    consumer = AIOKafkaConsumer(
        *(allowed.topic(name) for name in READ_BY_SUBSCRIBERS),
        **clients.connection(allowed.by(SUBSCRIBER).settings.kafka),
        group_id=SUBSCRIBER,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def read_everything(allowed: Allowed) -> None:
    """Read until there was something from each topic, and commit. Raises what the brokers refuse."""
    missing = {allowed.topic(name) for name in READ_BY_SUBSCRIBERS}
    async with asyncio.timeout(120), subscribed(allowed) as consumer:
        while missing:
            batches = await consumer.getmany(timeout_ms=500)
            missing -= {log.topic for log, records in batches.items() if records}
        await consumer.commit()


async def complains(worker: WorkerProcess, of: str = "AuthorizationFailed") -> None:
    """Wait until the worker is not ready for want of a right."""

    async def is_so() -> bool:
        is_ready, causes = await asyncio.to_thread(worker.readiness)
        return not is_ready and any(of in cause for cause in causes.values())

    await until(is_so, f"the worker says {of}", 120)


async def ready(worker: WorkerProcess) -> None:
    async def is_so() -> bool:
        return (await asyncio.to_thread(worker.readiness))[0]

    await until(is_so, "the worker is ready", 120)


async def keep_busy(allowed: Allowed, n: int) -> None:
    """Give a lane something of which every output gets a record."""
    await allowed.by(ADMIN).publish(
        "acme",
        ready_account("acme", f"busy-{n}"),
        command("acme", "project.bind", f"bind-{n}", project=f"project-{n}", account=f"busy-{n}"),
        b"not readable",
    )


async def test_with_the_rights_of_the_plan_all_three_work_and_publisher_and_subscriber_need_each_of_theirs(
    allowed: Allowed,
) -> None:
    with allowed.by(WORKER).worker(**SOON) as worker:
        await ready(worker)
        await keep_busy(allowed, 0)
        assert (await publish(allowed, "first"))[0] == 0
        await read_everything(allowed)

        for n, acl in enumerate(allowed.acls_of(PUBLISHER)):
            async with allowed.rights.without(acl):
                assert (await publish(allowed, f"refused-{n}"))[0] == 1, acl
        for acl in allowed.acls_of(SUBSCRIBER):
            async with allowed.rights.without(acl):
                with pytest.raises((TopicAuthorizationFailedError, GroupAuthorizationFailedError)):
                    await read_everything(allowed)

        assert (await publish(allowed, "last"))[0] == 0


async def test_nobody_may_do_what_is_not_his(allowed: Allowed) -> None:
    may = {
        PUBLISHER: ({"commands"}, {"command_results"}),
        SUBSCRIBER: (set[str](), set(READ_BY_SUBSCRIBERS)),
    }

    for topic in ("commands", *OUTPUTS):
        await _write(allowed.by(ADMIN), allowed.topic(topic))
    for user, (writes, reads) in may.items():
        deployment = allowed.by(user)
        for topic in ("commands", *OUTPUTS):
            name = allowed.topic(topic)
            assert await _is_allowed(_write(deployment, name)) is (topic in writes), f"{user} writes {topic}"
            assert await _is_allowed(_read(deployment, name)) is (topic in reads), f"{user} reads {topic}"


async def _write(deployment: Deployment, topic: str) -> None:
    producer = clients.producer(deployment.settings.kafka)
    try:
        await producer.start()
        await producer.send_and_wait(topic, b"anything", key=b"any", partition=0)
    finally:
        await producer.stop()


async def _read(deployment: Deployment, topic: str) -> None:
    async with clients.consuming(deployment.settings.kafka) as consumer:
        if topic not in await consumer.topics():
            raise TopicAuthorizationFailedError(topic)  # not even its name is told
        log = TopicPartition(topic, 0)
        consumer.assign([log])
        consumer.seek(log, 0)
        assert await consumer.getmany(timeout_ms=30_000) != {}


async def _is_allowed(work: Coroutine[None, None, None]) -> bool:
    try:
        await work
    except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError):  # the latter: who may write nothing at all
        return False
    return True


async def test_a_worker_needs_each_of_its_rights_to_write(allowed: Allowed) -> None:
    rights = [*allowed.acls_of(WORKER, "Write"), *allowed.acls_of(WORKER, kind="group")]
    # the rest is what the tests below take away
    read = {allowed.acl(WORKER, "Read", topic) for topic in ("commands", "horizons", *READ_AGAIN)}
    assert set(allowed.acls_of(WORKER)) == {*rights, *read, *allowed.acls_of(WORKER, "DescribeConfigs")}
    with allowed.by(WORKER).worker(**SOON) as worker:
        await ready(worker)
        for n, acl in enumerate(rights):
            async with allowed.rights.without(acl):
                await keep_busy(allowed, n)
                await complains(worker)
            await ready(worker)
    answers = await allowed.by(ADMIN).messages("command_results")
    assert len(answers) == 2 * len(rights)


@pytest.mark.parametrize("topic", ["commands", "horizons"])
async def test_a_worker_cannot_go_on_without_reading_commands_and_horizons(topic: str, allowed: Allowed) -> None:
    with allowed.by(WORKER).worker(**NO_TICKS) as worker:
        await ready(worker)
        await keep_busy(allowed, 0)
        await until(lambda: _has_answered(allowed, 2), "the worker has answered", 120)
    async with allowed.rights.without(allowed.acl(WORKER, "Read", topic)):
        with allowed.by(WORKER).worker(**NO_TICKS) as worker:
            await complains(worker)


async def test_a_worker_that_its_group_refused_for_a_while_joins_it_again(allowed: Allowed) -> None:
    (group,) = allowed.acls_of(WORKER, kind="group")
    with allowed.by(WORKER).worker(**SOON) as worker:
        await ready(worker)
        async with allowed.rights.without(group):
            await complains(worker, of="GroupAuthorizationFailedError")
            await asyncio.sleep(2 * JOIN_AGAIN_SECONDS + HEARTBEAT_MS_MAX / 1000)  # it has left, and tried to join
            await complains(worker, of="GroupAuthorizationFailedError")
        await keep_busy(allowed, 0)
        await until(lambda: _has_answered(allowed, 2), "the worker has answered", 60)
        await ready(worker)


async def test_a_worker_with_an_older_database_needs_to_read_each_of_its_outputs(
    allowed: Allowed, postgres: Postgres
) -> None:
    url = make_url(allowed.place.common["BILLING_DATABASE__URL"])
    older = f"{url.database}-older"
    await postgres.create_database(older, template=str(url.database))  # before anything was done
    with allowed.by(WORKER).worker(**NO_TICKS) as worker:
        await ready(worker)
        await keep_busy(allowed, 0)
        await until(lambda: _has_answered(allowed, 2), "the worker has answered", 120)
    wanted = [allowed.acl(WORKER, "Read", topic) for topic in READ_AGAIN]
    there = replace(
        allowed.place, common=allowed.place.common | {"BILLING_DATABASE__URL": str(url.set(database=older))}
    )

    await allowed.rights.take(wanted[0])
    with there.deployment(there.kafka.environment(WORKER)).worker(**NO_TICKS) as worker:
        for present, following in pairwise(wanted):
            await complains(worker, of=f"AuthorizationFailedError: {present.name}")
            await allowed.rights.take(following)
            await allowed.rights.give(present)
        await complains(worker, of=f"AuthorizationFailedError: {wanted[-1].name}")
        await allowed.rights.give(wanted[-1])
        await ready(worker)
    await postgres.drop_database(older)


async def test_doctor_and_the_plan_see_with_the_workers_rights_all_that_they_look_at(allowed: Allowed) -> None:
    program = Program(allowed.by(WORKER).environment)

    clean = await program("doctor", "--json")
    planned = json.loads((await program("topics", "plan", "--json")).stdout)

    assert clean.exit_code == 0, clean.stdout
    assert (planned["changes"], planned["problems"]) == (False, False)
    for acl in allowed.acls_of(WORKER, "DescribeConfigs"):
        async with allowed.rights.without(acl):
            looked = await program("doctor", "--json")
            assert looked.exit_code == 1, acl
            assert "may not DescribeConfigs" in looked.stdout


async def test_an_administrator_makes_the_topics_as_the_page_says(allowed: Allowed, tmp_path: Path) -> None:
    block = block_of("docs/security.md", "Rights in Kafka", "billing-worker topics apply")
    password = tmp_path / "admin-password"
    password.write_text(f"{PASSWORDS[ADMIN]}\n")
    missing = f"{allowed.topic('dead_letters')}-made"
    environment = allowed.by(WORKER).environment | {"BILLING_TOPICS__DEAD_LETTERS": missing}
    del environment["BILLING_KAFKA__PASSWORD"]

    made = await typed(block.commands.replace("/run/secrets/admin-password", str(password)), environment, tmp_path)

    assert f"{missing}: make it" in made
    async with clients.administering(allowed.by(ADMIN).settings.kafka) as admin:
        assert missing in await topics.present_partitions(admin)
        await admin.delete_topics([missing])


async def test_who_may_not_see_a_topic_is_told_so_and_not_that_there_is_none(allowed: Allowed) -> None:
    events, results, commands = (allowed.topic(name) for name in ("account_events", "command_results", "commands"))
    as_publisher, as_subscriber = (Program(allowed.by(user).environment) for user in (PUBLISHER, SUBSCRIBER))
    line = ("publish", "--organization", "acme", "--type", "project.register", "--data", '{"project": "web"}')

    watching = await as_publisher("watch", "--topics", "account-events", "--from-beginning", "--count", "1")
    publishing = await as_subscriber(*line)
    async with allowed.rights.without(allowed.acl(PUBLISHER, "Read", "command_results")):
        waiting = await as_publisher(*line, "--wait")
        sending = await as_publisher(*line)
    planning = await as_publisher("topics", "plan")
    making = await as_publisher("topics", "apply")
    asking = Program(allowed.by(ADMIN).environment | {"BILLING_TOPICS__ACCOUNT_EVENTS": f"{events}-elsewhere"})
    nowhere = await asking("watch", "--topics", "account-events", "--from-beginning", "--count", "1")

    for refused, topic in ((watching, events), (publishing, commands), (waiting, results)):
        assert refused.exit_code == 1
        assert f"tells this client nothing of {topic}" in refused.stderr
        assert "There is no topic" not in refused.stderr
    assert sending.exit_code == 0, sending.output
    assert "this client may not see it" in planning.stdout
    assert making.exit_code == 1
    assert "Topics are made by an administrator" in making.stderr
    assert f"There is no topic {events}-elsewhere" in nowhere.stderr


async def test_neither_a_worker_nor_a_look_makes_a_topic_that_brokers_would_make_by_themselves(
    allowed: Allowed,
) -> None:
    deployment = allowed.by(ADMIN)
    nowhere = f"{allowed.topic('commands')}-elsewhere"
    asking = Program(deployment.environment | {"BILLING_TOPICS__COMMANDS": nowhere})

    await asking("watch", "--topics", "commands", "--from-beginning", "--count", "1")
    await asking("doctor")
    with deployment.worker(TOPICS__COMMANDS=nowhere) as worker:
        await complains(worker, of=f"topic {nowhere} is missing")

    async with clients.administering(deployment.settings.kafka) as admin:
        assert nowhere not in await topics.present_partitions(admin)


async def _has_answered(allowed: Allowed, results: int) -> bool:
    return len(await allowed.by(ADMIN).messages("command_results")) >= results
