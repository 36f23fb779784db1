"""Kafka: is it there, new enough, does it let us do transactions, and are the topics as they must be."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.protocol.admin import ApiVersionRequest

from worker.broker import clients, topics
from worker.broker.closing import ended
from worker.ops.doctor.finding import Finding, Findings
from worker.settings import Settings

ANSWER_SECONDS_MAX: Final = 20.0

_FETCH: Final = 1
_FETCH_MIN_SINCE_4: Final = 4
"""Kafka 4.0 took older versions of this request out (KIP-896); it tells no version of its own in this protocol."""

_COPIES_MIN: Final = 3
_START_IT = "is it running? BILLING_KAFKA__BOOTSTRAP_SERVERS says where it is"


async def examine(settings: Settings, installation: UUID | None) -> list[Finding]:
    """Everything about the cluster. Without an installation nothing is tried that needs its name."""
    findings = Findings("kafka")
    admin = clients.admin(settings.kafka)
    try:
        before = len(findings.all)
        await findings.within(ANSWER_SECONDS_MAX, "broker", admin.start(), _START_IT)
        if len(findings.all) > before:
            return findings.all
        for what, look, advice in (
            ("broker", _brokers(findings, admin, settings), _START_IT),
            ("version", _version(findings, admin), "Kafka 4.0 or newer is needed"),
            ("topics", _topics(findings, admin, settings), "may this client describe topics and their settings?"),
        ):
            await findings.within(ANSWER_SECONDS_MAX, what, look, advice)
    finally:
        await ended(admin.close())
    if installation is not None:
        advice = "may this client write with transactional ids that begin with the installation's id?"
        look = _transactions(findings, settings, installation)
        await findings.within(ANSWER_SECONDS_MAX, "transactions", look, advice)
    return findings.all


async def _brokers(findings: Findings, admin: AIOKafkaAdminClient, settings: Settings) -> None:
    cluster = await admin.describe_cluster()
    findings.ok("broker", f"{len(cluster['brokers'])} at {settings.kafka.bootstrap_servers}")


async def _version(findings: Findings, admin: AIOKafkaAdminClient) -> None:
    response = await admin._send_request(ApiVersionRequest())  # noqa: SLF001 - the library tells it to nobody else
    oldest = {key: least for key, least, _ in response.api_versions}
    is_new = oldest.get(_FETCH, 0) >= _FETCH_MIN_SINCE_4
    advice = None if is_new else "upgrade: before 4.0 an outcome of a transaction can be mistaken for another's"
    findings.judge("version", "4.0 or newer" if is_new else "older than 4.0", advice)


async def _transactions(findings: Findings, settings: Settings, installation: UUID) -> None:
    """Begin as a lane's publisher does, and write nothing."""
    producer = clients.producer(settings.kafka, transactional_id=f"{installation}-doctor")
    try:
        await producer.start()
    finally:
        await ended(producer.stop())
    findings.ok("transactions", "a publisher can begin")


async def _topics(findings: Findings, admin: AIOKafkaAdminClient, settings: Settings) -> None:
    differences = await topics.compare(admin, topics.plan(settings))
    for difference in differences:
        name = f"topic {difference.plan.name}"
        if difference.is_hidden:
            what = "is missing, or not to be seen by this client"
            findings.failure(name, what, "`billing-worker topics plan` prints the rights that it needs")
        elif difference.is_missing:
            findings.failure(name, "is missing", "`billing-worker topics apply` makes it")
        elif difference.problems:
            findings.failure(name, "; ".join(difference.problems), "see `billing-worker topics plan`")
        elif difference.changes:
            found = ", ".join(f"{change.name} is {change.present}" for change in difference.changes)
            findings.failure(name, found, "`billing-worker topics apply` sets it")
        else:
            findings.ok(name, f"{difference.plan.partitions} partitions, set as wanted")
    there = [difference.plan.name for difference in differences if not difference.is_missing]
    if there:
        await _copies(findings, admin, there)


async def _copies(findings: Findings, admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    """Whether an acknowledged record outlives a broker."""
    copies = {
        topic["topic"]: min(len(partition["replicas"]) for partition in topic["partitions"])
        for topic in await admin.describe_topics(list(names))
    }
    few = sorted(name for name, count in copies.items() if count < _COPIES_MIN)
    if few:
        what = f"{', '.join(few)}: fewer than {_COPIES_MIN}"
        advice = "records that were acknowledged are lost with their broker; BILLING_KAFKA__REPLICATION_FACTOR=3"
        findings.warning("copies", what, f"{advice} for topics that are made from now on")
    else:
        findings.ok("copies", f"{min(copies.values())} of each topic")
    settings = await _settings(admin, names)
    loose = sorted(
        name for name, count in copies.items() if count > 1 and settings[name].get("min.insync.replicas") == "1"
    )
    if loose:
        advice = "an acknowledged record may have one copy: set min.insync.replicas=2"
        findings.warning("min.insync.replicas", f"{', '.join(loose)}: 1", advice)
    unclean = sorted(name for name, has in settings.items() if has.get("unclean.leader.election.enable") == "true")
    if unclean:
        advice = "acknowledged records may be lost, and nothing guards against it: set it to false"
        findings.failure("unclean.leader.election.enable", f"{', '.join(unclean)}: true", advice)


async def _settings(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {name: {} for name in names}
    for response in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names]):
        for _code, _message, _type, topic, entries in response.resources:
            found[topic] = {name: setting for name, setting, *_ in entries}
    return found
