"""Waiting for what became of the commands that were sent."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from worker.cli.publishing.batches import Batches

_SUBJECT: Final = "ce_subject"
_POLL_MS = 200

Answer = Mapping[str, Any]


class Answers:
    """The results of commands, as they come. Start it before anything is sent."""

    def __init__(self, consumer: AIOKafkaConsumer, on_answer: Callable[[Answer], None]) -> None:
        self.outcomes: Counter[str] = Counter()
        self._consumer = consumer
        self._on_answer = on_answer
        self._awaited: Counter[str] = Counter()
        self._everything_sent = asyncio.Event()

    @property
    def missing(self) -> int:
        """How many commands are not answered."""
        return self._awaited.total()

    async def start(self, topic: str, partitions: int) -> None:
        """Read from the present end on."""
        logs = [TopicPartition(topic, partition) for partition in range(partitions)]
        self._consumer.assign(logs)
        for log, end in (await self._consumer.end_offsets(logs)).items():
            self._consumer.seek(log, end)

    async def expecting(self, batches: Batches) -> Batches:
        """The batches themselves, their commands noted as unanswered before they are sent."""
        async for batch in batches:
            self._awaited.update(_subject(command.key.decode(), command.id) for command in batch if command.id)
            yield batch
        self._everything_sent.set()

    async def read(self, silence_seconds_max: float) -> None:
        """Read until everything is answered, or nothing has been for so long after the last was sent."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while not (self._everything_sent.is_set() and not self.missing):
            answered = False
            for records in (await self._consumer.getmany(timeout_ms=_POLL_MS)).values():
                for record in records:
                    answered |= self._take(record)
            if answered or not self._everything_sent.is_set():
                last = loop.time()
            elif loop.time() - last > silence_seconds_max:
                return

    def _take(self, record: ConsumerRecord) -> bool:
        subject = next((value for name, value in record.headers if name == _SUBJECT), None)
        known = subject.decode(errors="replace") if subject is not None else None
        if known is None or not self._awaited.get(known):
            return False
        self._awaited[known] -= 1
        if not self._awaited[known]:
            del self._awaited[known]
        answer = json.loads(record.value)
        self.outcomes[outcome_of(answer)] += 1
        self._on_answer(answer)
        return True


def outcome_of(answer: Answer) -> str:
    """`accepted`, `rejected` or `evaluated`."""
    return str(answer["type"]).split(".")[2]


def is_refusal(answer: Answer) -> bool:
    """Whether a command was rejected, or would be."""
    return outcome_of(answer) == "rejected" or answer["data"].get("wouldAccept") is False


def _subject(organization: str, id_: str) -> str:
    return f"commands/{organization}/{id_}"
