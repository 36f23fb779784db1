"""The rights that workers, publishers and subscribers need, and no others, as commands for Kafka's own `kafka-acls`.

To write or to read is to describe as well. An idempotent producer needs no right of its own since Kafka 3.0.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from worker.settings import PublishingMode, Settings

ADMIN_SETTINGS: Final = "admin.properties"
"""The file that the commands read: how whoever may give rights reaches the cluster."""

ANY: Final = "*"


class Resource(StrEnum):
    """What a right is about, as `kafka-acls` names it."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactional-id"


@dataclass(frozen=True, slots=True)
class Rights:
    """What a principal may do with some resources of a kind; `is_prefix`: with all whose names begin so."""

    principal: str
    operations: tuple[str, ...]
    resource: Resource
    names: tuple[str, ...]
    is_prefix: bool = False

    def command(self, settings: Settings) -> str:
        """What gives them."""
        words = ["kafka-acls", "--bootstrap-server", settings.kafka.bootstrap_servers]
        if settings.kafka.is_encrypted or settings.kafka.is_authenticated:
            words += ["--command-config", ADMIN_SETTINGS]
        words += ["--add", "--allow-principal", self.principal]
        for operation in self.operations:
            words += ["--operation", operation]
        for name in self.names:
            words += [f"--{self.resource}", name]
        if self.is_prefix:
            words += ["--resource-pattern-type", "prefixed"]
        return shlex.join(words)


@dataclass(frozen=True, slots=True)
class Principals:
    """Who is who, as the brokers name them; and the group that the subscriber reads in."""

    worker: str
    publisher: str
    subscriber: str
    subscriber_group: str


def rights(settings: Settings, who: Principals, installation: UUID | None) -> list[Rights]:
    """Everything that the three need. Without knowing the installation, its transactional ids are all there are."""
    return [
        *_of_worker(settings, who.worker, installation),
        *_of_publisher(settings, who.publisher),
        *_of_subscriber(settings, who.subscriber, who.subscriber_group),
    ]


def _of_worker(settings: Settings, worker: str, installation: UUID | None) -> Sequence[Rights]:
    topics = settings.topics
    every = (
        topics.commands,  # written as well: ticks
        topics.account_events,  # read as well, when the database is older than what was published
        topics.binding_events,
        topics.command_results,
        topics.accounts,
        topics.payers,
        topics.horizons,
        topics.dead_letters,
    )
    found = [
        Rights(worker, ("Read", "Write"), Resource.TOPIC, every),
        Rights(worker, ("DescribeConfigs",), Resource.TOPIC, every),  # for `doctor` and `topics plan` alone
        Rights(worker, ("Read",), Resource.GROUP, (settings.kafka.group_id,)),
    ]
    if settings.publishing.mode is PublishingMode.EXACTLY_ONCE:
        name = ANY if installation is None else f"{installation}-"
        kind = Resource.TRANSACTIONAL_ID
        found.append(Rights(worker, ("Write",), kind, (name,), is_prefix=installation is not None))
    return found


def _of_publisher(settings: Settings, publisher: str) -> Sequence[Rights]:
    return [
        Rights(publisher, ("Write",), Resource.TOPIC, (settings.topics.commands,)),
        Rights(publisher, ("Read",), Resource.TOPIC, (settings.topics.command_results,)),
    ]


def _of_subscriber(settings: Settings, subscriber: str, group: str) -> Sequence[Rights]:
    topics = settings.topics
    read = (topics.account_events, topics.binding_events, topics.accounts, topics.payers, topics.horizons)
    return [
        Rights(subscriber, ("Read",), Resource.TOPIC, read),
        Rights(subscriber, ("Read",), Resource.GROUP, (group,)),
    ]
