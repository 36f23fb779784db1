"""Reaching Kafka and PostgreSQL for one command; what cannot be reached is named with its address, then it ends."""

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NoReturn, TypeVar

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from worker.broker import clients, topics
from worker.broker.refusals import NotLetInError
from worker.cli.console import fail
from worker.settings import Kafka
from worker.store.refusals import advice_on

T = TypeVar("T")

_UNDEFINED_TABLE = "42P01"


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@contextmanager
def reaching_kafka(kafka: Kafka) -> Iterator[None]:
    """Turn Kafka's errors into a sentence and exit code 1."""
    try:
        yield
    except BrokenPipeError:  # whoever reads our output has gone; nothing to do with Kafka
        raise
    except NotLetInError as error:
        fail(f"Kafka at {error.args[0]}")
    except (KafkaConnectionError, OSError, TimeoutError):
        fail(
            f"Kafka does not answer at {kafka.bootstrap_servers}.\n"
            "Is it running? BILLING_KAFKA__BOOTSTRAP_SERVERS says where it is."
        )
    except (
        TopicAuthorizationFailedError,
        GroupAuthorizationFailedError,
        ClusterAuthorizationFailedError,
        TransactionalIdAuthorizationFailed,
    ) as error:
        fail(
            f"Kafka at {kafka.bootstrap_servers} refuses: {type(error).__name__}: {error}\n"
            "Somebody who may has to allow it: `billing-worker topics plan` prints how."
        )
    except KafkaError as error:
        fail(f"Kafka at {kafka.bootstrap_servers} refuses: {type(error).__name__}: {error}")


@contextmanager
def reaching_database(url: str, setting: str = "BILLING_DATABASE__URL") -> Iterator[None]:
    """Turn PostgreSQL's errors into a sentence and exit code 1; the password is in none of them."""
    address = address_of(url)
    try:
        yield
    except BrokenPipeError:
        raise
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        cause = getattr(error, "orig", None) or error
        state = getattr(cause, "sqlstate", None)
        if state == _UNDEFINED_TABLE:
            fail(f"The database {address} has no tables yet: run `billing-worker migrate` first.")
        advice = advice_on(error)
        if state is not None:
            more = f"; {advice}" if advice else ""
            fail(
                f"PostgreSQL at {address} refuses: {_first_line(cause)}\n{setting} says where it is and who asks{more}."
            )
        if advice is not None:
            fail(f"PostgreSQL at {address} is not to be worked with: {advice}.")
        fail(f"PostgreSQL does not answer at {address}.\nIs it running? {setting} says where it is.")


@asynccontextmanager
async def admin(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client, connected."""
    with reaching_kafka(kafka):
        async with clients.administering(kafka) as client:
            yield client


@asynccontextmanager
async def consumer(kafka: Kafka) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of committed records outside every group, connected."""
    with reaching_kafka(kafka):
        async with clients.consuming(kafka) as client:
            yield client


@asynccontextmanager
async def producer(kafka: Kafka) -> AsyncIterator[AIOKafkaProducer]:
    """An idempotent producer, connected."""
    with reaching_kafka(kafka):
        client = clients.producer(kafka)
        try:
            await client.start()
            yield client
        finally:
            await client.stop()


async def fail_without(kafka: Kafka, names: Collection[str]) -> NoReturn:
    """End, and say whether these topics are missing or only not for this client to see."""
    async with admin(kafka) as client:
        unseen = await topics.hidden(client, names)
    if unseen:
        fail(
            f"Kafka at {kafka.bootstrap_servers} tells this client nothing of {', '.join(sorted(unseen))}: "
            "they are not for it to see.\n"
            "Somebody who may has to allow it: `billing-worker topics plan` prints how."
        )
    fail(
        f"There is no topic {', '.join(sorted(names))} at {kafka.bootstrap_servers}: "
        "`billing-worker topics apply` makes it."
    )


def address_of(url: str) -> str:
    """Where a database is, without the password."""
    parsed = make_url(url)
    return f"{parsed.host}:{parsed.port or 5432}/{parsed.database}"


def _first_line(error: object) -> str:
    return str(error).partition("\n")[0]
