"""A Kafka with TLS: every way to come in works for every client, and whoever is not let in is told why."""

import asyncio
import json
import time
from pathlib import Path

import pytest
import uvloop
from aiokafka import TopicPartition

from tests.cli.conftest import Program
from tests.security.certificates import Authority
from tests.security.conftest import Place
from tests.security.servers import ADMIN, PASSWORDS, SecuredKafka
from tests.system.stacks import Addresses
from worker.broker import clients
from worker.embedded.ports import LOOPBACK
from worker.settings import Settings

pytestmark = pytest.mark.timeout(300)

TIMES = 4
SECONDS_TO_END_MAX = 10
WAYS = ("SCRAM-SHA-512", "PLAIN", "a certificate")


def reaching(kafka: SecuredKafka, way: str) -> dict[str, str]:
    return kafka.certified(ADMIN) if way == "a certificate" else kafka.environment(ADMIN, way)


@pytest.mark.parametrize("way", WAYS)
async def test_every_client_comes_in_by_every_way(way: str, place: Place) -> None:
    deployment = place.deployment(reaching(place.kafka, way))
    settings = deployment.settings
    commands = TopicPartition(settings.topics.commands, 0)

    planned = await Program(deployment.environment)("topics", "plan", "--json")  # the admin client
    await deployment.publish("acme", b"anything", partition=0)  # a producer
    async with clients.consuming(settings.kafka) as consumer:
        ends = await consumer.end_offsets([commands])
    await _in_a_transaction(settings)

    assert json.loads(planned.stdout)["changes"] is False
    assert ends[commands] == 1
    assert [record.value for record in await deployment.read("account_events")] == [b"in a transaction"]


async def _in_a_transaction(settings: Settings) -> None:
    async with clients.producer(settings.kafka, transactional_id="test") as producer, producer.transaction():
        await producer.send(settings.topics.account_events, b"in a transaction", partition=0)


async def test_a_client_that_ends_in_the_midst_of_a_fetch_does_not_wait_for_the_brokers_goodbye(place: Place) -> None:
    deployment = place.deployment(place.kafka.environment(ADMIN))
    await deployment.publish("acme", b"anything", partition=0)

    async def seconds_to_end() -> float:
        async with clients.consuming(deployment.settings.kafka) as consumer:
            log = TopicPartition(deployment.settings.topics.commands, 0)
            consumer.assign([log])
            await consumer.seek_to_beginning(log)
            assert await consumer.getmany(timeout_ms=10_000)  # and the next fetch is under way
            begun = time.monotonic()
        return time.monotonic() - begun

    # the worker's own loop: it is the one that waits, not always
    took = [await asyncio.to_thread(uvloop.run, seconds_to_end()) for _ in range(TIMES)]

    assert max(took) < SECONDS_TO_END_MAX, took


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("another password", "does not accept BILLING_KAFKA__USERNAME with its password"),
        ("another authority", "shows a certificate that is not to be trusted"),
        ("another name", "shows the certificate of another name: BILLING_KAFKA__BOOTSTRAP_SERVERS"),
        ("no user", "does it want a user name and a password? BILLING_KAFKA__SECURITY_PROTOCOL=sasl_ssl"),
        ("no certificate", "does it want a certificate of its clients (BILLING_KAFKA__CERTIFICATE_FILE)"),
        ("no TLS", "does it want TLS? BILLING_KAFKA__SECURITY_PROTOCOL=ssl"),
    ],
)
async def test_who_is_not_let_in_is_told_why_and_what_to_do(
    what: str, said: str, kafka: SecuredKafka, tmp_path: Path
) -> None:
    environment = kafka.environment(ADMIN)
    match what:
        case "another password":
            environment["BILLING_KAFKA__PASSWORD"] = "s3same-of-nobody"  # noqa: S105
        case "another authority":
            environment["BILLING_KAFKA__CA_FILE"] = str(Authority(tmp_path / "elsewhere").file)
        case "another name":
            environment["BILLING_KAFKA__BOOTSTRAP_SERVERS"] = f"localhost:{kafka.kafka.port}"
        case "no user":
            environment = _without_user(environment)
        case "no certificate":
            environment["BILLING_KAFKA__BOOTSTRAP_SERVERS"] = f"{LOOPBACK}:{kafka.certified_port}"
            environment = _without_user(environment)
        case "no TLS":
            environment = {"BILLING_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers}

    result = await Program(environment)("topics", "plan")

    assert result.exit_code == 1
    assert said in result.stderr
    assert environment["BILLING_KAFKA__BOOTSTRAP_SERVERS"] in result.stderr
    assert "s3same" not in result.stderr
    assert PASSWORDS[ADMIN] not in result.stderr


def _without_user(environment: dict[str, str]) -> dict[str, str]:
    left = {name: value for name, value in environment.items() if not name.endswith(("USERNAME", "PASSWORD"))}
    return left | {"BILLING_KAFKA__SECURITY_PROTOCOL": "ssl"}


async def test_a_broker_that_speaks_no_tls_is_told_from_one_that_is_away(kafka: SecuredKafka, stack: Addresses) -> None:
    environment = kafka.environment(ADMIN) | {"BILLING_KAFKA__BOOTSTRAP_SERVERS": stack.bootstrap_servers}

    result = await Program(environment)("topics", "plan")

    assert result.exit_code == 1
    assert "does it speak TLS, as BILLING_KAFKA__SECURITY_PROTOCOL says?" in result.stderr
