"""Kafka's clients as the product's own publisher and reader use them, one process's way to the broker behind them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import ConsumerRecord, OffsetAndMetadata, TopicPartition
from aiokafka import errors as kafka_errors
from aiokafka.structs import RecordMetadata

from tests.simulation.broker import Broker
from tests.simulation.logs import Content
from tests.simulation.network import Link
from worker.wire.records import Headers

REQUEST_SECONDS_MAX = 2.0
"""After how long a reading client gives a request up. One that publishes never does: that is what deadlines are for."""

BATCH_RECORDS_MAX = 12
FETCHED_RECORDS_MAX = 40


class Batch:
    """Records for one log, as many as go into one request."""

    def __init__(self) -> None:
        self.contents: list[Content] = []

    def append(self, *, key: bytes | None, value: bytes | None, headers: Headers, timestamp: int) -> int | None:
        """Add a record; None when there is no room."""
        if len(self.contents) == BATCH_RECORDS_MAX:
            return None
        self.contents.append(Content(key, value, headers, timestamp))
        return len(self.contents)

    def close(self) -> None:
        """No more."""


class NoInnards:
    """What the publisher looks at within the real client, whose faults this one does not have."""

    def __init__(self) -> None:
        self._batches: dict[TopicPartition, Any] = {}
        self.error_transaction: Callable[[Any], None] = lambda _: None

    def partitions_to_add(self) -> Sequence[TopicPartition]:
        """No log waits to be added to the transaction."""
        return ()

    def wait_for_transaction_end(self) -> None:
        """No transaction has failed on its own."""


class Producer:
    """What the publisher uses of AIOKafkaProducer. Batches for one log go one after the other."""

    sender_task: "asyncio.Task[None] | None" = None

    def __init__(self, broker: Broker, link: Link, transactional_id: str | None) -> None:
        self._broker = broker
        self._link = link
        self._id = transactional_id
        self._epoch = -1
        self._last: dict[TopicPartition, asyncio.Future[Any]] = {}
        self._replies: list[asyncio.Future[Any]] = []
        self._sender = self.client = self
        self._txn_manager = self._message_accumulator = NoInnards()

    async def start(self) -> None:
        """Connect; with a transactional id, fence who used it before."""
        if (id_ := self._id) is None:
            await self._link.ask("connect", lambda _: None)
        else:
            self._epoch = await self._link.ask("init producer", lambda _: self._broker.start(id_))

    async def stop(self) -> None:
        """What was sent is on its way, but nobody waits for it any more."""
        for reply in self._replies:
            reply.cancel()
        await self._link.ask("close", lambda _: None)

    async def close(self) -> None:
        """Let the sockets go."""

    async def begin_transaction(self) -> None:
        """The broker hears of it with the first record."""

    def create_batch(self) -> Batch:
        """An empty batch."""
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> "asyncio.Future[RecordMetadata]":
        """Hand a batch over, to be sent when the one before is acknowledged."""
        log = TopicPartition(topic, partition)
        sent: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        before = self._last.get(log)
        self._last[log] = sent
        if before is None or (before.done() and not before.cancelled() and before.exception() is None):
            self._send(log, batch, sent)
        else:
            before.add_done_callback(lambda ended: self._send_after(ended, log, batch, sent))
        return sent

    async def send_offsets_to_transaction(self, offsets: dict[TopicPartition, OffsetAndMetadata], group: str) -> None:
        """Let the group's offsets be part of the transaction."""
        plain = {log.partition: (place.offset, place.metadata) for log, place in offsets.items()}
        id_, epoch = str(self._id), self._epoch
        await self._link.ask(f"add offsets {plain}", lambda _: self._broker.add_offsets(id_, epoch, plain))

    async def commit_transaction(self) -> None:
        """End the transaction. Where this raises, it may be committed all the same."""
        id_, epoch = str(self._id), self._epoch
        await self._link.ask("commit transaction", lambda _: self._broker.commit(id_, epoch))

    def _send_after(
        self, before: "asyncio.Future[Any]", log: TopicPartition, batch: Batch, sent: "asyncio.Future[Any]"
    ) -> None:
        if sent.done():
            return
        if before.cancelled() or before.exception() is not None:
            sent.set_exception(kafka_errors.OutOfOrderSequenceNumber())
        else:
            self._send(log, batch, sent)

    def _send(self, log: TopicPartition, batch: Batch, sent: "asyncio.Future[Any]") -> None:
        contents, id_, epoch, broker = batch.contents, self._id, self._epoch, self._broker
        effect: Callable[[Any], object]
        if id_ is None:
            effect = lambda _: broker.append(log, contents)  # noqa: E731
        else:
            effect = lambda _: broker.produce(id_, epoch, log, contents)  # noqa: E731
        reply = self._link.ask(f"produce {len(contents)} to {log.topic}/{log.partition}", effect)
        self._replies.append(reply)
        reply.add_done_callback(lambda ended: _pass_on(ended, log, sent))


def _pass_on(reply: "asyncio.Future[Any]", log: TopicPartition, sent: "asyncio.Future[Any]") -> None:
    if sent.done() or reply.cancelled():
        return
    if (error := reply.exception()) is not None:
        sent.set_exception(error)
    else:
        sent.set_result(RecordMetadata(log.topic, log.partition, log, reply.result(), -1, 0, 0))


class Consumer:
    """What the reader uses of AIOKafkaConsumer: it reads where it is told to."""

    def __init__(self, broker: Broker, link: Link, *, is_committed: bool) -> None:
        self._broker = broker
        self._link = link
        self._is_committed = is_committed
        self._position = 0

    async def beginning_offsets(self, logs: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Nothing is ever cut off."""
        return dict.fromkeys(logs, await self._ask("first offset", lambda: 0))

    async def end_offsets(self, logs: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """The end, or the last stable offset for who reads committed records only."""
        (name,) = logs
        return {name: await self._ask("last offset", lambda: self._end_of(name))}

    def assign(self, logs: Sequence[TopicPartition]) -> None:
        """Read this log."""

    def seek(self, _: TopicPartition, offset: int) -> None:
        """Read from here."""
        self._position = offset

    async def position(self, _: TopicPartition) -> int:
        """Where it reads next."""
        return self._position

    async def getmany(self, name: TopicPartition, *, timeout_ms: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        """Some of what is there. Nothing after a while if there is nothing."""
        first = self._position
        last = await self._ask("fetch", lambda: min(self._end_of(name), first + FETCHED_RECORDS_MAX))
        if last <= first:
            await asyncio.sleep(timeout_ms / 1000)
            return {}
        self._position = last
        log = self._broker.logs[name]
        wanted = log.is_visible if self._is_committed else lambda offset: log.contents[offset] is not None
        return {name: [log.record(offset) for offset in range(first, last) if wanted(offset)]}

    def _end_of(self, name: TopicPartition) -> int:
        log = self._broker.logs[name]
        return log.stable if self._is_committed else log.end

    async def _ask(self, what: str, effect: Callable[[], int]) -> int:
        answer: int = await self._link.ask(what, lambda _: effect(), patience=REQUEST_SECONDS_MAX)
        return answer
