"""The eight topics as they should be, how they differ from what the cluster has, and making them so."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.metadata import MetadataRequest

from worker.broker.clients import BATCH_BYTES_MAX
from worker.settings import Settings

TIMESTAMP_TYPE = "message.timestamp.type"
BYTES_MAX = "max.message.bytes"

_FROM_THE_TOPIC = 1  # where Kafka says that a setting comes from
_SETTLE_SECONDS_MAX = 20.0
_SETTLE_POLL_SECONDS = 0.1
_DAY_MS = 86_400_000
_ENVELOPE_BYTES = 16 * 1024  # keys, headers and Kafka's own framing around a value
_RECORD_BYTES_USUAL = 1_048_588  # what brokers take by default: too large for us is a dead letter, not an error
_FOREVER = {"cleanup.policy": "delete", "retention.ms": "-1"}
_COMPACTED = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1"}


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """One topic as the settings want it. `config` is what matters; everything else is the cluster's business.

    Of `record_bytes` a topic may take more, never less.
    """

    name: str
    partitions: int
    replication_factor: int
    config: dict[str, str]
    record_bytes: int
    carries: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting as it holds for a topic, and whether the topic itself says so; `value` is None if it is secret."""

    value: str | None
    is_of_the_topic: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A setting of a topic, as it is and as it should be."""

    name: str
    present: str | None
    wanted: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What has to happen to one topic. `problems` are differences that no command here may mend.

    `is_hidden`: it is not to be seen by this client, so that nobody knows whether it is really missing.
    `overrides` are the settings that the topic has of its own: whoever sets one has to repeat them all.
    """

    plan: TopicPlan
    is_missing: bool = False
    is_hidden: bool = False
    changes: tuple[Change, ...] = ()
    problems: tuple[str, ...] = ()
    overrides: dict[str, str] = field(default_factory=dict)

    @property
    def is_mendable(self) -> bool:
        """Whether `apply` has something to do."""
        return self.is_missing or bool(self.changes)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the topic does to a worker as it is."""
        if any(change.name == TIMESTAMP_TYPE for change in self.changes):
            return ("carries the publishers' own times: workers refuse it until `topics apply` sets LogAppendTime",)
        return ()


def plan(settings: Settings) -> list[TopicPlan]:
    """The topics that the settings ask for."""
    topics = settings.topics
    output_bytes = max(topics.record_bytes_max, BATCH_BYTES_MAX)

    def wanted(name: str, config: dict[str, str], carries: str, record_bytes: int = output_bytes) -> TopicPlan:
        copies = settings.kafka.replication_factor
        return TopicPlan(name, topics.partitions, copies, config, record_bytes + _ENVELOPE_BYTES, carries)

    commands = wanted(
        topics.commands,
        _kept_for(topics.commands_retention_days) | {TIMESTAMP_TYPE: "LogAppendTime"},
        "account and binding commands",
        max(settings.lanes.command_bytes_max, BATCH_BYTES_MAX),
    )
    return [
        replace(commands, partitions=topics.commands_partitions or topics.partitions),
        wanted(topics.account_events, _FOREVER, "what happened to accounts"),
        wanted(topics.binding_events, _FOREVER, "what happened to projects and bindings, and notices"),
        wanted(topics.command_results, _kept_for(topics.command_results_retention_days), "one result per command"),
        wanted(topics.accounts, _COMPACTED, "the whole account as it stands"),
        wanted(topics.payers, _COMPACTED, "who pays now, since when, and the timeline"),
        wanted(
            topics.horizons,
            # Read at every take-over, and written with every batch: small segments keep it short.
            _COMPACTED | {"segment.bytes": str(16 * 1024 * 1024)},
            "through which instant answers are complete",
        ),
        wanted(topics.dead_letters, _kept_for(topics.dead_letters_retention_days), "unreadable records"),
    ]


async def present_partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """How many partitions each topic of the cluster has."""
    # Asked for by name, a missing topic would be made by brokers that make topics by themselves.
    described = await admin.describe_topics()
    return {topic["topic"]: len(topic["partitions"]) for topic in described if topic["error_code"] == 0}


async def hidden(admin: AIOKafkaAdminClient, names: Collection[str]) -> set[str]:
    """Those topics that this client has no right to see, whether they are there or not."""
    if not names:
        return set()
    # The library's own question for topics by name has brokers make what is missing.
    request = MetadataRequest(sorted(names), allow_auto_topic_creation=False)
    answer = (await admin._send_request(request)).to_object()  # noqa: SLF001 - it has no method that asks so
    refused = TopicAuthorizationFailedError.errno
    return {topic["topic"] for topic in answer["topics"] if topic["error_code"] == refused}


async def compare(admin: AIOKafkaAdminClient, plans: Sequence[TopicPlan]) -> list[Difference]:
    """How the cluster differs from the plan, topic by topic."""
    partitions = await present_partitions(admin)
    settings = await _settings_of(admin, [wanted.name for wanted in plans if wanted.name in partitions])
    unseen = await hidden(admin, [wanted.name for wanted in plans if wanted.name not in partitions])
    return [
        _difference(wanted, partitions[wanted.name], settings[wanted.name])
        if wanted.name in settings
        else Difference(wanted, is_missing=True, is_hidden=wanted.name in unseen)
        for wanted in plans
    ]


async def apply(admin: AIOKafkaAdminClient, differences: Sequence[Difference]) -> list[Difference]:
    """Make what is missing and set what differs; returns what is left. Never adds partitions, never deletes.

    Raises KafkaError when the cluster refuses, TimeoutError when it accepts and does not do it.
    """
    await _create(admin, [difference.plan for difference in differences if difference.is_missing])
    await _alter(admin, [difference for difference in differences if difference.changes])
    return await _settled(admin, [difference.plan for difference in differences])


def _kept_for(days: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(days * _DAY_MS)}


def _difference(wanted: TopicPlan, partitions: int, settings: dict[str, Setting] | None) -> Difference:
    """Without settings, which were not told, there is nothing to change."""
    if settings is None:
        return Difference(wanted, problems=("its settings are not told to this client: it may not DescribeConfigs",))
    present = {name: setting.value for name, setting in settings.items()}
    changes = [
        Change(name, present.get(name), value) for name, value in wanted.config.items() if present.get(name) != value
    ]
    taken = present.get(BYTES_MAX)
    if taken is not None and int(taken) < wanted.record_bytes:
        changes.append(Change(BYTES_MAX, taken, str(wanted.record_bytes)))
    problems = []
    if partitions != wanted.partitions:
        problems.append(
            f"has {partitions} partitions where the settings say {wanted.partitions}: "
            "set BILLING_TOPICS__PARTITIONS to what it has, or after a cut-over BILLING_TOPICS__COMMANDS_PARTITIONS"
        )
    overrides = {
        name: setting.value
        for name, setting in settings.items()
        if setting.is_of_the_topic and setting.value is not None
    }
    return Difference(wanted, changes=tuple(changes), problems=tuple(problems), overrides=overrides)


async def _create(admin: AIOKafkaAdminClient, plans: Sequence[TopicPlan]) -> None:
    if not plans:
        return
    response = await admin.create_topics(
        [
            NewTopic(
                name=wanted.name,
                num_partitions=wanted.partitions,
                replication_factor=wanted.replication_factor,
                topic_configs=wanted.config | {BYTES_MAX: str(max(wanted.record_bytes, _RECORD_BYTES_USUAL))},
            )
            for wanted in plans
        ]
    )
    for name, code, *message in response.topic_errors:
        if code != TopicAlreadyExistsError.errno:  # somebody else was quicker
            _check(code, name, *message)


async def _alter(admin: AIOKafkaAdminClient, differences: Sequence[Difference]) -> None:
    if not differences:
        return
    resources = [
        # The request replaces all settings of the topic: what it does not name falls back to the cluster's default.
        ConfigResource(
            ConfigResourceType.TOPIC,
            difference.plan.name,
            configs=difference.overrides | {change.name: change.wanted for change in difference.changes},
        )
        for difference in differences
    ]
    for response in await admin.alter_configs(resources):
        for code, message, _type, name in response.resources:
            _check(code, name, message)


async def _settled(admin: AIOKafkaAdminClient, plans: Sequence[TopicPlan]) -> list[Difference]:
    """What is left once every broker asked shows the topics with leaders and the settings as they were set."""
    async with asyncio.timeout(_SETTLE_SECONDS_MAX):
        while True:
            left = await compare(admin, plans)
            if not any(difference.is_mendable for difference in left) and await _are_led(admin, plans):
                return left
            await asyncio.sleep(_SETTLE_POLL_SECONDS)


async def _are_led(admin: AIOKafkaAdminClient, plans: Sequence[TopicPlan]) -> bool:
    names = {wanted.name for wanted in plans}
    return all(
        partition["error_code"] == 0 and partition["leader"] >= 0
        for topic in await admin.describe_topics()
        if topic["topic"] in names
        for partition in topic["partitions"]
    )


async def _settings_of(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, Setting] | None]:
    """Of each topic; None where they are not for this client to see."""
    if not names:
        return {}
    found: dict[str, dict[str, Setting] | None] = {}
    for response in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names]):
        for code, message, _type, topic, entries in response.resources:
            if code == UnknownTopicOrPartitionError.errno:
                continue  # one broker has told of it, and the one that answers here has not heard of it yet
            if code == TopicAuthorizationFailedError.errno:
                found[topic] = None
                continue
            _check(code, topic, message)
            found[topic] = {name: Setting(value, source == _FROM_THE_TOPIC) for name, value, _, source, *_ in entries}
    return found


def _check(code: int, topic: str, message: str | None = None) -> None:
    """Raise what the cluster answered about a topic, unless it is fine."""
    if code:
        error = for_code(code)
        raise error(f"topic {topic}: {message or error.description}")
