"""Kafka and PostgreSQL in containers, on free ports of 127.0.0.1; gone when the block ends."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

LOOPBACK = "127.0.0.1"
SUPERUSER = "postgres"
KAFKA_SECONDS_MAX = 90

KAFKA = {
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:29093",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_LISTENERS": "INTERNAL://:19092,HOST://:9092,CONTROLLER://:29093",
    "KAFKA_INTER_BROKER_LISTENER_NAME": "INTERNAL",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "INTERNAL:PLAINTEXT,HOST:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
}


@contextmanager
def kafka() -> Iterator[str]:
    """One broker; yields its bootstrap servers.

    It has a listener for itself besides the one for tests: it reaches its own transaction coordinator at the address
    that it advertises, and the tests' address means nothing inside the container.
    """
    _reap_only_if_possible()
    port = _free_port()
    container = DockerContainer(os.environ.get("KAFKA_IMAGE", "apache/kafka:4.4.0"))
    container.env |= KAFKA
    container.env["KAFKA_ADVERTISED_LISTENERS"] = f"INTERNAL://localhost:19092,HOST://{LOOPBACK}:{port}"
    container.ports["9092/tcp"] = (LOOPBACK, port)  # type: ignore[assignment]  # handed on to docker, which takes it
    container.waiting_for(LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(KAFKA_SECONDS_MAX))
    with container:
        yield f"{LOOPBACK}:{port}"


@contextmanager
def postgres() -> Iterator[str]:
    """A server without durability; yields its URL as the superuser."""
    _reap_only_if_possible()
    container = PostgresContainer(
        os.environ.get("POSTGRES_IMAGE", "postgres:18"),
        username=SUPERUSER,
        password=SUPERUSER,
        dbname=SUPERUSER,
        driver="asyncpg",
    )
    container.ports = {"5432/tcp": (LOOPBACK, None)}  # type: ignore[dict-item]  # as above; None is a free port
    container.with_command("postgres -c max_connections=200 -c fsync=off")
    with container:
        yield container.get_connection_url(host=LOOPBACK)


def _reap_only_if_possible() -> None:
    """The reaper removes what a killed test run leaves; where its image is absent, blocks that end have to do."""
    client = DockerClient().client
    if not client.images.list(name=testcontainers_config.ryuk_image):
        os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    client.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
