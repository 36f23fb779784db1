"""Following all topics of a deployment: nothing is read twice."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from tests.lane.oracle.envelopes import Json
from tests.system.deployment import Deployment
from worker.broker import clients

NAMES = (
    "commands",
    "account_events",
    "binding_events",
    "command_results",
    "accounts",
    "payers",
    "horizons",
    "dead_letters",
)
"""By their names in the settings."""


@dataclass
class Topics:
    """What a `read_committed` subscriber has seen so far and nobody has taken yet, in the order of each partition."""

    committed: AIOKafkaConsumer
    uncommitted: AIOKafkaConsumer
    logs: dict[TopicPartition, str]
    unread: defaultdict[str, list[ConsumerRecord]] = field(default_factory=lambda: defaultdict(list))
    horizons: dict[int, Json] = field(default_factory=dict)
    """The newest of each partition of commands."""

    async def read(self) -> None:
        """Everything up to where the logs end now; waits for what is yet open to be decided."""
        ends = await self.uncommitted.end_offsets(list(self.logs))
        while any([await self.committed.position(log) < end for log, end in ends.items()]):
            for log, records in (await self.committed.getmany(timeout_ms=50)).items():
                if self.logs[log] == "horizons":
                    self._note(records)
                else:
                    self.unread[self.logs[log]] += records

    def take(self, name: str) -> list[ConsumerRecord]:
        """What has come since the last time."""
        return self.unread.pop(name, [])

    def _note(self, records: list[ConsumerRecord]) -> None:
        for record in records:
            partition = int(record.key.decode().rpartition("/")[2])
            self.horizons[partition] = json.loads(record.value)["data"]


@asynccontextmanager
async def following(deployment: Deployment) -> AsyncIterator[Topics]:
    """From the beginning of every topic on."""
    settings = deployment.settings
    logs = {
        TopicPartition(getattr(settings.topics, name), partition): name
        for name in NAMES
        for partition in range(settings.topics.partitions)
    }
    async with (
        clients.consuming(settings.kafka) as committed,
        clients.consuming(settings.kafka, isolation="read_uncommitted") as uncommitted,
    ):
        committed.assign(list(logs))
        await committed.seek_to_beginning(*logs)
        yield Topics(committed, uncommitted, logs)
