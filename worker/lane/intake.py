"""The subscription: raw records from FastStream to the lanes. Never raises, never waits, never acknowledges.

The position is in the lane's row, so there is nothing to acknowledge; FastStream's own commits would lie.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from uuid import uuid4

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import ConsumerStoppedError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram512

from worker.broker.closing import ended, uncancelled
from worker.failpoints import Failpoint, pass_by
from worker.settings import Kafka, Settings
from worker.wire.ticks import tick

log = logging.getLogger("faststream.intake")
story = structlog.get_logger(__name__)

METADATA_AGE_MS_MAX = 10_000
"""How long new partitions, or a topic that was made anew, may go unnoticed. The library's default is five minutes."""

FETCH_BYTES_MAX = 256 * 1024
"""So much of each partition lies ready beside what a lane has taken, or one batch: with a hundred lanes it adds up."""

TELL_SECONDS = 1.0
"""How long the group's offset may lag where it is not part of the publishing transaction."""

JOIN_AGAIN_SECONDS = 1.0
"""How often is tried to join a group that refuses."""

HEARTBEAT_MS_MAX = 300
"""With a heartbeat a worker hears that another has left or come: until then the other's lanes stand still."""


class Intake:
    """One member of the consumer group."""

    def __init__(
        self,
        settings: Settings,
        listener: ConsumerRebalanceListener,
        offer: Callable[[int, Sequence[ConsumerRecord]], None],
        cannot_read: Callable[[int, Exception], None],
    ) -> None:
        kafka, self._topic = settings.kafka, settings.topics.commands
        self._source = settings.publishing.source
        self._offer = offer
        self._cannot_read = cannot_read
        self._untold: dict[TopicPartition, int] = {}
        self._telling: asyncio.Task[None] | None = None
        self._join_again_at = 0.0
        self.refusal: str | None = None
        """Why the group does not have this member, for as long as it does not."""
        self._broker = KafkaBroker(
            [server.strip() for server in kafka.bootstrap_servers.split(",")],  # a string would be taken for one
            client_id=kafka.client_id,
            request_timeout_ms=kafka.request_timeout_ms,
            security=_security(kafka),
            metadata_max_age_ms=METADATA_AGE_MS_MAX,
            acks="all",
            enable_idempotence=False,  # for ticks: a second one does no harm, and such a producer heals by itself
            allow_auto_create_topics=False,
            apply_types=False,
            logger=log,
            log_level=logging.DEBUG,
            graceful_timeout=settings.lanes.drain_seconds_max,
        )
        self._subscriber = self._broker.subscriber(
            self._topic,
            batch=True,
            group_id=kafka.group_id,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="none",
            isolation_level="read_committed",
            session_timeout_ms=kafka.session_timeout_ms,
            heartbeat_interval_ms=max(200, min(HEARTBEAT_MS_MAX, kafka.session_timeout_ms // 5)),
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=FETCH_BYTES_MAX,
            batch_timeout_ms=settings.lanes.poll_ms,
            max_records=settings.lanes.queue_records_max,
            listener=listener,
            no_reply=True,
            parser=_leave_as_is,
            decoder=_hand_over,
        )
        self._subscriber(self._receive)

    async def start(self) -> None:
        """Join the group. Raises KafkaError when no broker answers."""
        await self._broker.start()
        self._read_each_by_itself()

    async def stop(self) -> None:
        """Leave the group; the lanes must have been drained."""
        if self._telling is not None:
            await self._telling
        await ended(self._broker.stop())

    async def leave(self) -> None:
        """Leave the group. Nobody is told that its partitions are gone."""
        await ended(self._subscriber.stop())

    async def rejoin(self) -> None:
        """Leave the group and join it anew."""
        await ended(self._subscriber.stop())
        await self._subscriber.start()
        self._read_each_by_itself()

    def _read_each_by_itself(self) -> None:
        """Have each partition read by itself, for as long as this consumer lives.

        Where records of one partition cannot be read, `getmany` drops for good what it has taken of all the others.
        """
        if (consumer := self._subscriber.consumer) is not None:
            consumer.getmany = partial(self._getmany, consumer)

    async def _getmany(
        self,
        consumer: AIOKafkaConsumer,
        timeout_ms: int,  # noqa: ARG002 - who finds nothing sleeps as long by himself
        max_records: int,
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        await pass_by(Failpoint.POLLED)
        # Whoever has nothing to read polls too: without this the client would leave the group after five minutes, and
        # never come back.
        with consumer._subscription.fetch_context():  # noqa: SLF001
            pass
        self._keep_membership(consumer)
        found: dict[TopicPartition, list[ConsumerRecord]] = {}
        for log_ in consumer.assignment() - consumer.paused():
            try:
                found |= await uncancelled(AIOKafkaConsumer.getmany(consumer, log_, max_records=max_records))
            except ConsumerStoppedError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this partition's alone
                consumer.pause(log_)
                self._cannot_read(log_.partition, error)
        return found

    def _keep_membership(self, consumer: AIOKafkaConsumer) -> None:
        """Join anew when the heartbeats ended with an error, such as a right that was taken away, or none could begin.

        The client by itself waits until somebody has heard of it, which is nobody where no lane reads; then it raises
        the error at every poll, and never sends another heartbeat.
        """
        coordinator, now = consumer._coordinator, time.monotonic()  # noqa: SLF001
        if not isinstance(coordinator, GroupCoordinator):
            return  # read outside every group
        beating = coordinator._heartbeat_task  # noqa: SLF001
        if beating is not None and not beating.done():
            self.refusal = None
            return
        if now < self._join_again_at:
            return
        self._join_again_at = now + JOIN_AGAIN_SECONDS
        if beating is not None:
            coordinator.request_rejoin()
        try:
            coordinator.check_errors()
        except KafkaError as error:
            self.refusal = f"{type(error).__name__}: {error}"
            story.warning("group_refuses", cause=self.refusal)

    def flow(self, partition: int) -> "PartitionFlow":
        """How a lane steers its partition."""
        return PartitionFlow(self, TopicPartition(self._topic, partition))

    @property
    def consumer(self) -> AIOKafkaConsumer | None:
        """The client behind the subscription, while there is one."""
        return self._subscriber.consumer

    def is_topic_gone(self) -> bool:
        """Whether the brokers know nothing of the topic of commands any more."""
        consumer = self.consumer
        return consumer is not None and not consumer.partitions_for_topic(self._topic)

    def end_of(self, partition: int) -> int | None:
        """Where the partition's log ended when it was last read; None if it never was."""
        log_ = TopicPartition(self._topic, partition)
        consumer = self.consumer
        return consumer.highwater(log_) if consumer is not None and log_ in consumer.assignment() else None

    def is_held(self, partition: int) -> bool:
        """Whether a publisher's open transaction keeps the end of the partition's log from being read."""
        log_ = TopicPartition(self._topic, partition)
        consumer = self.consumer
        if consumer is None or log_ not in consumer.assignment():
            return False
        stable, end = consumer.last_stable_offset(log_), consumer.highwater(log_)
        return stable is not None and end is not None and stable < end

    def tell(self, log_: TopicPartition, offset: int) -> None:
        """Commit the group's offset of a partition within a second; only tools that look at lag read it."""
        self._untold[log_] = offset
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        await asyncio.sleep(TELL_SECONDS)
        untold, self._untold = self._untold, {}
        if (consumer := self.consumer) is not None:
            with suppress(KafkaError):  # a rebalance came first: the next owner tells
                await consumer.commit(
                    {log_: offset for log_, offset in untold.items() if log_ in consumer.assignment()}
                )

    async def send_tick(self, partition: int) -> None:
        """Put a tick at the end of a partition."""
        message = tick(str(uuid4()), self._source)
        headers = {name: (value or b"").decode() for name, value in message.headers}
        await self._broker.publish(message.value, self._topic, key=message.key, headers=headers, partition=partition)

    async def _receive(self, records: tuple[ConsumerRecord, ...]) -> None:
        for partition, group in groupby(records, key=lambda record: record.partition):
            try:
                self._offer(partition, list(group))
            except Exception:
                log.exception("records of partition %s could not be handed over", partition)


class PartitionFlow:
    """One partition of the subscription."""

    def __init__(self, intake: Intake, log_: TopicPartition) -> None:
        self._intake = intake
        self._log = log_

    def read_from(self, offset: int) -> None:
        """Seek and resume."""
        if consumer := self._assigned():
            consumer.seek(self._log, offset)
            consumer.resume(self._log)

    def pause(self) -> None:
        """Stop fetching."""
        if consumer := self._assigned():
            consumer.pause(self._log)

    def resume(self) -> None:
        """Fetch again."""
        if consumer := self._assigned():
            consumer.resume(self._log)

    def tell(self, offset: int) -> None:
        """Commit the offset, with the others of its second."""
        self._intake.tell(self._log, offset)

    async def tick(self) -> None:
        """Put a tick at the end."""
        await self._intake.send_tick(self._log.partition)

    def _assigned(self) -> AIOKafkaConsumer | None:
        """The consumer, as long as the partition is its own: a revoked one raises on every call."""
        consumer = self._intake.consumer
        return consumer if consumer is not None and self._log in consumer.assignment() else None


def _security(kafka: Kafka) -> BaseSecurity:
    """What `clients.connection` says, as FastStream takes it."""
    tls, is_encrypted = kafka.tls_context(), kafka.is_encrypted
    if not kafka.is_authenticated:
        return BaseSecurity(ssl_context=tls, use_ssl=is_encrypted)
    mechanism = SASLPlaintext if kafka.sasl_mechanism == "PLAIN" else SASLScram512
    return mechanism(str(kafka.username), kafka.sasl_password(), ssl_context=tls, use_ssl=is_encrypted)


async def _leave_as_is(message: tuple[ConsumerRecord, ...]) -> KafkaMessage:
    # FastStream's own parser raises on a header that is null or not UTF-8, and the whole batch would be gone.
    return KafkaMessage(body=message, raw_message=message, headers={}, message_id="", consumer=None)  # type: ignore[arg-type]


async def _hand_over(message: KafkaMessage) -> object:
    return message.raw_message
