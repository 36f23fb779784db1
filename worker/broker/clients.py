"""Kafka clients. The library's defaults lose data (acks=1, no idempotence, uncommitted reads): all are set here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from worker.broker.closing import close_to_the_end, ended
from worker.broker.records import as_read, read_any_batch
from worker.broker.refusals import say_why
from worker.settings import Kafka

read_any_batch()
close_to_the_end()
say_why()

RETRY_BACKOFF_MS = 5
"""A transaction begun right after another waits this long for its markers; at the default of 100 ms that is felt."""

BATCH_BYTES_MAX = 512 * 1024
"""How much goes to one partition in one batch. Brokers take about 1 MiB by default; the library's 16 KiB is slow."""

Isolation = Literal["read_committed", "read_uncommitted"]


def connection(kafka: Kafka) -> dict[str, Any]:
    """What every client needs to reach the brokers; certificates and passwords as their files hold them now."""
    sasl: dict[str, Any] = {}
    if kafka.is_authenticated:
        sasl = {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.username,
            "sasl_plain_password": kafka.sasl_password(),
        }
    return {
        "bootstrap_servers": kafka.bootstrap_servers,
        "client_id": kafka.client_id,
        "request_timeout_ms": kafka.request_timeout_ms,
        "security_protocol": kafka.security_protocol.upper(),
        "ssl_context": kafka.tls_context(),
        **sasl,
    }


def producer(kafka: Kafka, *, transactional_id: str | None = None) -> AIOKafkaProducer:
    """An idempotent producer that waits for all replicas; transactional when it is given an id. Not started."""
    transactions: dict[str, Any] = {}
    if transactional_id is not None:
        transactions = {
            "transactional_id": transactional_id,
            "transaction_timeout_ms": kafka.transaction_timeout_ms,
        }
    return AIOKafkaProducer(
        **connection(kafka),
        **transactions,
        acks="all",
        enable_idempotence=True,
        max_batch_size=BATCH_BYTES_MAX,
        max_request_size=64 * 1024 * 1024,
        retry_backoff_ms=RETRY_BACKOFF_MS,
        linger_ms=0,
    )


def consumer(
    kafka: Kafka, *, isolation: Isolation = "read_committed", is_plain: bool = False, **limits: int
) -> AIOKafkaConsumer:
    """A consumer outside every group, which reads where it is told to. Not started.

    `is_plain`: its records have neither topic nor partition, and cost half as much. `limits` are the library's own, of
    how much is fetched ahead, and how long is waited for it.
    """
    return AIOKafkaConsumer(
        **connection(kafka),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level=isolation,
        key_deserializer=as_read if is_plain else None,
        **{"fetch_max_wait_ms": 100, **limits},
    )


@asynccontextmanager
async def consuming(
    kafka: Kafka, *, isolation: Isolation = "read_committed", is_plain: bool = False, **limits: int
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that is started, and stopped in the end: also when it could not start, which the library forgets."""
    client = consumer(kafka, isolation=isolation, is_plain=is_plain, **limits)
    try:
        await client.start()
        yield client
    finally:
        await ended(client.stop())


def admin(kafka: Kafka) -> AIOKafkaAdminClient:
    """An admin client. Not started."""
    return AIOKafkaAdminClient(**connection(kafka))


@asynccontextmanager
async def administering(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client that is started, and closed in the end: also when its start was broken off."""
    client = admin(kafka)
    try:
        await client.start()
        yield client
    finally:
        await ended(client.close())
