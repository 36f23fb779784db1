"""Where a test's Kafka and PostgreSQL come from."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from worker.embedded import Stack


@dataclass(frozen=True)
class Addresses:
    """Kafka's, and PostgreSQL's as somebody who may create databases and roles there."""

    bootstrap_servers: str
    database_url: str


@contextmanager
def provide(kind: str, directory: Path) -> Iterator[Addresses]:
    """Servers of a kind, for as long as the block lasts. Addresses in the environment come first."""
    kafka = os.environ.get("BILLING_KAFKA__BOOTSTRAP_SERVERS")
    postgres = os.environ.get("BILLING_DATABASE__URL")
    if kafka and postgres:
        yield Addresses(kafka, postgres)
    elif kind == "embedded":
        with Stack(directory) as stack:
            yield Addresses(stack.kafka.bootstrap_servers, stack.postgres.url("postgres", user="postgres"))
    elif kind == "containers":
        from tests.system import containers  # noqa: PLC0415 - whoever wants no containers needs no engine

        with containers.kafka() as bootstrap_servers, containers.postgres() as database_url:
            yield Addresses(bootstrap_servers, database_url)
    else:
        raise ValueError(f"BILLING_STACK={kind}: it is embedded or containers")
