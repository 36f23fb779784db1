"""What the topics hold of one lane, read in the order of its commands, a stretch at a time.

A lane's output is spread over all partitions of the output topics, in order within each. Those are read side by side:
what no partition can still add to is whole. Where to begin is found by time: no record is stamped before its command.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from worker.broker import clients
from worker.broker.topics import present_partitions
from worker.domain.book import Key
from worker.folding.sources import CommandSource, OutputSource, Span, size_of
from worker.folding.stretch import Stretch
from worker.settings import Kafka, Settings
from worker.store.lanes import Fingerprint
from worker.wire.cause import to_ms
from worker.wire.outgoing import Topic

RECORDS_MIN: Final = 2_000
BYTES_MIN: Final = 8 * 1024 * 1024
"""A stretch is given out as soon as it has so much."""

OFFSETS_MAX: Final = 50_000
"""It covers no more commands than there is room for in the journal."""

_POLL_MS = 200
_POLL_RECORDS = 2_000
_FETCH_BYTES_MAX = 8 * 1024 * 1024
_PARTITION_BYTES_MAX = 512 * 1024
"""Little memory, however many partitions are read."""

_OUTPUTS = (
    Topic.ACCOUNT_EVENTS,
    Topic.BINDING_EVENTS,
    Topic.COMMAND_RESULTS,
    Topic.ACCOUNTS,
    Topic.PAYERS,
    Topic.DEAD_LETTERS,
)


async def read_history(
    settings: Settings, span: Span, fingerprint_of: Callable[[ConsumerRecord], Fingerprint]
) -> AsyncGenerator[Stretch, None]:
    """The stretches of a span, without a gap between them; the last one ends where the span does.

    Raises KafkaError when the topics cannot be read.
    """
    async with _consuming(settings.kafka) as consumer:
        history = _History(settings, span, consumer, fingerprint_of)
        await history.begin()
        while history.first < span.last:
            await history.read_on()
            while (stretch := history.next_stretch()) is not None:
                yield stretch


class _History:
    """Reads all partitions side by side."""

    def __init__(
        self,
        settings: Settings,
        span: Span,
        consumer: AIOKafkaConsumer,
        fingerprint_of: Callable[[ConsumerRecord], Fingerprint],
    ) -> None:
        self._settings = settings
        self._span = span
        self._consumer = consumer
        self._outputs: list[OutputSource] = []
        log = TopicPartition(settings.topics.commands, span.lane)
        self._commands = CommandSource(log, span, settings.lanes.command_bytes_max, fingerprint_of)
        self.first = span.first

    async def begin(self) -> None:
        """Find out where each partition begins and ends.

        Ends are those of all that is there, open transactions included: what was committed behind somebody else's open
        one is to be read as well.
        """
        commands = self._commands
        logs = await self._logs()
        async with _consuming(self._settings.kafka, "read_uncommitted") as uncommitted:
            ends = await uncommitted.end_offsets([*logs, commands.log])
            starts = await uncommitted.beginning_offsets([commands.log])
            since = dict.fromkeys(logs, max(0, to_ms(self._span.latest_at)))
            begins = await uncommitted.offsets_for_times(since) if logs else {}
        self._consumer.assign([*logs, commands.log])
        for log, topic in logs.items():
            self._outputs.append(OutputSource(log, topic, ends[log], self._span, commands.log.topic))
            self._consumer.seek(log, begins[log].offset if begins.get(log) else ends[log])
        commands.end = min(self._span.last, ends[commands.log])
        self._consumer.seek(commands.log, max(self._span.first, starts[commands.log]))
        await self._look_who_is_read()

    async def read_on(self) -> None:
        """Take what has come; whoever is ahead waits for the one that is furthest behind."""
        behind = self._whole_below()
        unread = [source for source in self._sources if not source.is_read]
        for source in unread:
            if source.is_full and source.reached > behind:
                self._consumer.pause(source.log)
            else:
                self._consumer.resume(source.log)
        if not unread:
            return
        by_log = {source.log: source for source in unread}
        for log, records in (await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_POLL_RECORDS)).items():
            by_log[log].take(records)
        await self._look_who_is_read()

    def next_stretch(self) -> Stretch | None:
        """What is whole by now, if it is enough."""
        last = min(self._span.last, self.first + OFFSETS_MAX)
        whole = min(self._whole_below(), last)
        if whole <= self.first or (whole < last and not self._is_enough(whole)):
            return None
        given = [found for output in self._outputs for found in output.give(whole)]
        found = {found.place: found for found in reversed(given)}  # the first of what was published again
        commands, latest_at = self._commands.give(whole)
        stretch = Stretch(
            lane=self._span.lane,
            first=self.first,
            last=whole,
            found=[found[place] for place in sorted(found)],
            commands=commands,
            latest_at=latest_at,
            removed=self._removed(None if whole == self._span.last else to_ms(latest_at)),
        )
        self.first = whole
        return stretch

    def _is_enough(self, whole: int) -> bool:
        sizes = [size_of(kept) for output in self._outputs for kept in output.kept if kept.place.offset < whole]
        return len(sizes) >= RECORDS_MIN or sum(sizes) >= BYTES_MIN

    def _whole_below(self) -> int:
        """Nothing more can come of the commands below this offset."""
        unread = [source.reached for source in self._sources if not source.is_read]
        return min([self._span.last, *unread])

    def _removed(self, until_ms: int | None) -> list[Key]:
        return [key for output in self._outputs for key in output.give_removed(until_ms)]

    @property
    def _sources(self) -> list[OutputSource | CommandSource]:
        return [*self._outputs, self._commands]

    async def _look_who_is_read(self) -> None:
        for source in self._sources:
            if not source.is_read and await self._consumer.position(source.log) >= source.end:
                source.is_read = True
                self._consumer.pause(source.log)

    async def _logs(self) -> dict[TopicPartition, Topic]:
        async with clients.administering(self._settings.kafka) as admin:
            present = await present_partitions(admin)
        names = {topic: str(getattr(self._settings.topics, topic.name.lower())) for topic in _OUTPUTS}
        return {
            TopicPartition(name, partition): topic
            for topic, name in names.items()
            for partition in range(present.get(name, 0))
        }


def _consuming(
    kafka: Kafka, isolation: clients.Isolation = "read_committed"
) -> AbstractAsyncContextManager[AIOKafkaConsumer]:
    return clients.consuming(
        kafka, isolation=isolation, fetch_max_bytes=_FETCH_BYTES_MAX, max_partition_fetch_bytes=_PARTITION_BYTES_MAX
    )
