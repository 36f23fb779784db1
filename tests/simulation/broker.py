"""Kafka's side: logs, transactions and their coordinator, which fences, and the group's offsets."""

from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka import errors as kafka_errors

from tests.simulation.logs import Content, Fate, Log, Transaction
from tests.simulation.network import RETRY, Server
from tests.simulation.world import BEGINNING_MS, World
from worker.settings import Settings

MARKER_SECONDS_MAX = 0.3
"""How long the last marker of a transaction may take."""

REJECTIONS = (
    kafka_errors.NotEnoughReplicasError,
    kafka_errors.CoordinatorNotAvailableError,
    kafka_errors.TopicAuthorizationFailedError,
    kafka_errors.UnknownError,
)


@dataclass
class Producer:
    """What the coordinator knows of a transactional id."""

    epoch: int = -1
    transaction: Transaction | None = None
    is_ending: bool = False


@dataclass
class Broker:
    """All brokers as one. `is_slow`: markers take their time."""

    world: World
    settings: Settings
    server: Server = field(init=False)
    logs: dict[TopicPartition, Log] = field(default_factory=dict)
    producers: dict[str, Producer] = field(default_factory=dict)
    group_offsets: dict[int, tuple[int, str]] = field(default_factory=dict)
    unreadable_until: dict[int, float] = field(default_factory=dict)
    is_slow: bool = False

    def __post_init__(self) -> None:
        self.server = Server(
            "kafka",
            refused=lambda: kafka_errors.KafkaConnectionError("no broker answers"),
            timed_out=kafka_errors.RequestTimedOutError,
            rejected=lambda world: REJECTIONS[int(world.draw() * len(REJECTIONS))](),
        )
        topics = self.settings.topics
        for name in sorted(topics.model_dump()):
            topic = getattr(topics, name)
            for partition in range(topics.partitions if isinstance(topic, str) else 0):
                log = TopicPartition(topic, partition)
                self.logs[log] = Log(log, is_append_time=name == "commands")

    def commands(self, partition: int) -> Log:
        """A lane's log."""
        return self.logs[TopicPartition(self.settings.topics.commands, partition)]

    def append_command(self, partition: int, content: Content, transaction: Transaction | None = None) -> int:
        """Put a command at the end of its log. The broker says when."""
        log = self.commands(partition)
        at = BEGINNING_MS + int(self.world.loop.time() * 1000) + log.clock_ahead_ms
        return log.append(content._replace(timestamp=at), transaction)

    def start(self, transactional_id: str) -> object:
        """Give a producer its epoch: the former one is fenced, and its open transaction aborted."""
        producer = self.producers.setdefault(transactional_id, Producer())
        if producer.is_ending:
            return RETRY
        if producer.transaction is not None:
            self._end(producer, Fate.ABORTED)
            producer.epoch += 1
            return RETRY
        producer.epoch += 1
        return producer.epoch

    def produce(self, transactional_id: str, epoch: int, log: TopicPartition, contents: list[Content]) -> object:
        """Append a batch to a log within the producer's transaction. Returns its offset."""
        producer = self._known(transactional_id, epoch)
        if producer.is_ending:
            return RETRY
        transaction = self._begun(transactional_id, producer)
        first = self.logs[log].end
        for content in contents:
            self.logs[log].append(content, transaction)
        return first

    def append(self, log: TopicPartition, contents: list[Content]) -> int:
        """Append a batch outside any transaction. Returns its offset."""
        first = self.logs[log].end
        for content in contents:
            self.logs[log].append(content, None)
        return first

    def add_offsets(self, transactional_id: str, epoch: int, offsets: dict[int, tuple[int, str]]) -> object:
        """Let the transaction carry the group's offsets."""
        producer = self._known(transactional_id, epoch)
        if producer.is_ending:
            return RETRY
        self._begun(transactional_id, producer).offsets.update(offsets)
        return None

    def commit(self, transactional_id: str, epoch: int) -> None:
        """End the transaction. The reply comes when that is certain; the markers are written after."""
        producer = self._known(transactional_id, epoch)
        if producer.is_ending or producer.transaction is None:
            raise kafka_errors.InvalidTxnState
        self._end(producer, Fate.COMMITTED)

    def _known(self, transactional_id: str, epoch: int) -> Producer:
        producer = self.producers[transactional_id]
        if producer.epoch != epoch:
            raise kafka_errors.ProducerFenced
        return producer

    def _begun(self, transactional_id: str, producer: Producer) -> Transaction:
        """The producer's transaction. Whatever comes first begins it."""
        if producer.transaction is None:
            producer.transaction = Transaction(transactional_id)
            seconds = self.settings.kafka.transaction_timeout_ms / 1000
            self.world.loop.later(seconds, self._expire, producer, producer.transaction)
        return producer.transaction

    def _expire(self, producer: Producer, transaction: Transaction) -> None:
        if producer.transaction is transaction and not producer.is_ending:
            self.world.inject("transaction expired")
            producer.epoch += 1
            self._end(producer, Fate.ABORTED)

    def _end(self, producer: Producer, fate: Fate) -> None:
        transaction = producer.transaction
        assert transaction is not None
        transaction.fate = fate
        producer.is_ending = True
        waiting = list(transaction.logs)
        for log in transaction.logs:
            seconds = self.world.draw() * MARKER_SECONDS_MAX if self.is_slow else 0.0
            if seconds or self.world.draw() < 0.1:
                self.world.loop.later(seconds + self.world.latency(), self._mark, producer, transaction, log, waiting)
            else:
                self._mark(producer, transaction, log, waiting)
        if not transaction.logs:
            self._complete(producer, transaction)

    def _mark(self, producer: Producer, transaction: Transaction, log: Log, waiting: list[Log]) -> None:
        log.mark(transaction)
        waiting.remove(log)
        if not waiting:
            self._complete(producer, transaction)

    def _complete(self, producer: Producer, transaction: Transaction) -> None:
        if transaction.fate is Fate.COMMITTED:
            self.group_offsets.update(transaction.offsets)
        producer.is_ending, producer.transaction = False, None
