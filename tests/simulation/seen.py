"""What a subscriber who reads committed records sees when everything is at rest, read once for all claims."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from aiokafka import TopicPartition

from tests.simulation.logs import Content, Transaction
from tests.simulation.workers import Cluster
from worker.settings import PublishingMode
from worker.wire.outgoing import Topic
from worker.wire.partitions import partition_of

Json = dict[str, Any]

EVENTS = (Topic.ACCOUNT_EVENTS, Topic.BINDING_EVENTS)
STATES = (Topic.ACCOUNTS, Topic.PAYERS)
TICK = b"billing.lane.tick.v1"


class Record(NamedTuple):
    """One record of an output topic. `message` is None for a tombstone and for a dead letter."""

    topic: Topic
    log: TopicPartition
    lane: int
    content: Content
    transaction: Transaction | None
    message: Json | None

    @property
    def said(self) -> Json:
        """What the message says. Asked only where there is one."""
        assert self.message is not None, f"no message of ours in {self.log}: {self.content}"
        return self.message

    @property
    def place(self) -> tuple[int, int]:
        """Offset and index of what brought it about."""
        _, offset, index = self.said["commandposition"].rsplit("/", 2)
        return int(offset), int(index)


@dataclass
class Seen:
    """All output records by topic, in the order of their logs; the commands of each lane by offset.

    `is_once`: nothing may come twice. Else only the first of equal records is in here, and of horizons what is not
    behind another: what whoever goes by id and offset keeps.
    """

    is_once: bool
    records: dict[Topic, list[Record]] = field(default_factory=dict)
    commands: dict[int, dict[int, Content]] = field(default_factory=dict)
    ticks: dict[int, set[int]] = field(default_factory=dict)

    def of_lane(self, topic: Topic, lane: int) -> list[Record]:
        """What a lane wrote to a topic."""
        return [record for record in self.records[topic] if record.lane == lane]

    def horizons(self, lane: int) -> list[Json]:
        """What was said of how far a lane has come."""
        return [record.said["data"] for record in self.of_lane(Topic.HORIZONS, lane)]

    def published_through(self, lane: int) -> int:
        """A lane's watermark."""
        told = self.horizons(lane)
        return int(told[-1]["offset"]) if told else 0


def see(cluster: Cluster) -> Seen:
    """Read everything."""
    seen = Seen(cluster.settings.publishing.mode is PublishingMode.EXACTLY_ONCE)
    topics = {name: topic for topic, name in cluster.names.name.items()}
    seen.records = {topic: [] for topic in Topic if topic is not Topic.COMMANDS}
    first: dict[Hashable, Content] = {}
    furthest: dict[int, int] = {}
    for name, log in cluster.broker.logs.items():
        topic = topics[name.topic]
        if topic is Topic.COMMANDS:
            commands = dict(log.committed())
            seen.commands[name.partition] = commands
            seen.ticks[name.partition] = {offset for offset, content in commands.items() if is_tick(content)}
            continue
        for offset, content in log.committed():
            record = _record(topic, name, content, log.transactions[offset], cluster.partitions)
            if not seen.is_once and not _is_news(record, first, furthest):
                continue
            seen.records[topic].append(record)
    return seen


def is_tick(content: Content) -> bool:
    """Whether a command is a tick, a worker's or a forged one."""
    return any(name == "ce_type" and value == TICK for name, value in content.headers)


def last_command(cluster: Cluster, partition: int) -> int:
    """The offset of the last command that is not a tick; -1 if there is none."""
    log = cluster.broker.commands(partition)
    for offset in range(log.stable - 1, -1, -1):
        content = log.contents[offset]
        if content is not None and log.is_visible(offset) and not is_tick(content):
            return offset
    return -1


def _record(
    topic: Topic, name: TopicPartition, content: Content, transaction: Transaction | None, partitions: int
) -> Record:
    if topic is Topic.DEAD_LETTERS:
        return Record(topic, name, int(dict(content.headers)["billing-partition"] or b""), content, transaction, None)
    if content.value is None:
        lane = partition_of((content.key or b"").decode().partition("/")[0], partitions)
        return Record(topic, name, lane, content, transaction, None)
    message: Json = orjson.loads(content.value)
    place = (content.key or b"").decode() if topic is Topic.HORIZONS else message["commandposition"]
    lane = int(place.split("/")[1])
    return Record(topic, name, lane, content, transaction, message)


def _is_news(record: Record, first: dict[Hashable, Content], furthest: dict[int, int]) -> bool:
    """Whether a record is the first of its kind, for whoever has to drop what comes again."""
    if record.topic is Topic.HORIZONS:
        offset = record.said["data"]["offset"]
        if offset < furthest.get(record.lane, 0):
            return False
        furthest[record.lane] = offset
    if record.topic is Topic.DEAD_LETTERS:
        identity: Hashable = (record.lane, dict(record.content.headers)["billing-offset"])
    else:
        identity = record.message["id"] if record.message is not None else record.content.key
    before = first.setdefault((record.topic, identity), record.content)
    assert before == record.content, f"E2: the same again with other bytes: {before} and {record.content}"
    return before is record.content
