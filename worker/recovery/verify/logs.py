"""The topics as they were when the look at the database began, committed records only."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from worker.broker import clients
from worker.broker.log import LogReader
from worker.broker.topics import present_partitions
from worker.lane.sending import TopicNames
from worker.recovery.verify.finding import Check, Finding
from worker.recovery.verify.ground import Ground
from worker.settings import Settings
from worker.wire.horizons import Horizon, horizon_key, read_horizon
from worker.wire.outgoing import Topic

COMPARED: Final = (Topic.ACCOUNT_EVENTS, Topic.BINDING_EVENTS, Topic.ACCOUNTS, Topic.PAYERS)
HELD_SECONDS_MAX: Final = 60.0
"""How long a publisher's open transaction is waited for that holds a log back."""

_CHUNK_RECORDS: Final = 500
_POLL_MS: Final = 200


class TopicMissing(LookupError):  # noqa: N818  it is the topic that is
    """A topic is not there."""


class LogHeldBack(Exception):  # noqa: N818  it is the log that is
    """Somebody's open transaction hides what lies behind it."""


@dataclass(frozen=True, slots=True)
class Logs:
    """What is compared: every log in its range, and of each lane what lies before an offset is published for sure."""

    ranges: Mapping[Topic, Mapping[TopicPartition, tuple[int, int]]]
    published: Mapping[int, int]
    horizons: Mapping[int, Horizon | None]
    _reader: AIOKafkaConsumer

    def size(self, *topics: Topic) -> int:
        """How many records there are at the most."""
        return sum(end - start for topic in topics for start, end in self.ranges[topic].values())

    async def read(self, topic: Topic) -> AsyncIterator[ConsumerRecord]:
        """All records of a topic, one log after the other. Raises LogHeldBack."""
        for log, (start, end) in sorted(self.ranges[topic].items()):
            self._reader.assign([log])
            self._reader.seek(log, start)
            moved_at, position = time.monotonic(), start
            while position < end:
                fetched = await self._reader.getmany(log, timeout_ms=_POLL_MS, max_records=_CHUNK_RECORDS)
                for record in fetched.get(log, ()):
                    if record.offset < end:
                        yield record
                reached = await self._reader.position(log)
                if reached > position:
                    moved_at, position = time.monotonic(), reached
                elif time.monotonic() - moved_at > HELD_SECONDS_MAX:
                    raise LogHeldBack(
                        f"{log.topic}/{log.partition} is held back at offset {position} by an open transaction"
                    )


@asynccontextmanager
async def open_logs(settings: Settings, ground: Ground) -> AsyncIterator[Logs]:
    """Connect and note where the logs end. Whatever the database knew to be published lies before.

    What was published since the last batch is not in the lane's row yet; its last horizon tells.
    """
    async with AsyncExitStack() as stack:
        committed = await stack.enter_async_context(clients.consuming(settings.kafka))
        uncommitted = await stack.enter_async_context(clients.consuming(settings.kafka, isolation="read_uncommitted"))
        horizons = await _horizons(settings, ground, LogReader(committed, uncommitted))
        counts = await _partitions(settings)
        ranges = {}
        for topic in COMPARED:
            name = TopicNames(settings).name[topic]
            if name not in counts:
                raise TopicMissing(f"there is no topic {name}")
            logs = [TopicPartition(name, partition) for partition in range(counts[name])]
            starts, ends = await uncommitted.beginning_offsets(logs), await uncommitted.end_offsets(logs)
            ranges[topic] = {log: (starts[log], ends[log]) for log in logs}
        yield Logs(ranges, _published(ground, horizons), horizons, committed)


async def _partitions(settings: Settings) -> Mapping[str, int]:
    async with clients.administering(settings.kafka) as admin:
        return await present_partitions(admin)


async def _horizons(settings: Settings, ground: Ground, reader: LogReader) -> Mapping[int, Horizon | None]:
    names, horizons = TopicNames(settings), {}
    for partition, lane in ground.lanes.items():
        key = horizon_key(ground.topic, partition)
        log = names.log_of(Topic.HORIZONS, key)
        try:
            async with asyncio.timeout(HELD_SECONDS_MAX):
                record = await reader.newest_of_key(log, key, lane.horizon_offset)
        except TimeoutError:
            raise LogHeldBack(f"{log.topic}/{log.partition} is held back by an open transaction") from None
        horizons[partition] = read_horizon(record.value) if record is not None else None
    return horizons


def _published(ground: Ground, horizons: Mapping[int, Horizon | None]) -> Mapping[int, int]:
    published = {}
    for partition, lane in ground.lanes.items():
        horizon = horizons[partition]
        is_ours = horizon is not None and horizon.installation == ground.installation.id
        known = min(horizon.offset, lane.next_offset) if horizon is not None and is_ours else 0
        published[partition] = max(lane.published, known)
    return published


class Horizons:
    """The last horizon of each lane beside the lane's row."""

    checks = (
        Check(
            "horizons_are_of_this_installation_and_not_behind",
            "Each lane's last horizon is of this installation, and not before what the lane knows to be published.",
        ),
    )

    def __init__(self, logs: Logs) -> None:
        self._logs = logs

    def rows(self, ground: Ground) -> int:
        """One for each lane."""
        return len(ground.lanes)

    async def prove(self, ground: Ground, findings: Sequence[Finding]) -> None:
        """The horizons were read after the database's moment: they may be ahead of it."""
        (finding,) = findings
        finding.unit = "lanes"
        for partition, lane in sorted(ground.lanes.items()):
            finding.looked_at += 1
            horizon = self._logs.horizons[partition]
            if horizon is None:
                if lane.horizon_offset is not None:
                    finding.refute(lane=partition, problem="there is none", published=lane.published)
            elif horizon.installation != ground.installation.id:
                finding.refute(lane=partition, problem="it is of another", installation=horizon.installation)
            elif horizon.offset < lane.published:
                finding.refute(lane=partition, problem="it is behind", horizon=horizon.offset, published=lane.published)
        await ground.did(self.rows(ground))
