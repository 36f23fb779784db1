"""A subscriber of payers as docs/subscribing.md makes one: it folds what has come, and says when that is final."""

import json
from collections.abc import Sequence

from aiokafka import TopicPartition

from schemas.subscriber import Payers
from tests.system.deployment import Deployment
from worker.broker import clients

TOPICS = ("binding_events", "payers", "horizons")


class Subscriber:
    """One that reads from the first event on, or `only` some topics, or goes on from what another one knew."""

    def __init__(self, deployment: Deployment, known: Payers | None = None, *, only: Sequence[str] = TOPICS) -> None:
        topics = deployment.settings.topics
        self._deployment = deployment
        self._names = {getattr(topics, name): name for name in only}
        self.payers = known or Payers(
            whole="binding_events" in only, partitions=topics.partitions, commands=topics.commands
        )

    async def read_on(self) -> None:
        """Fold what there is by now."""
        logs = [
            TopicPartition(name, partition)
            for name in self._names
            for partition in range(self._deployment.settings.topics.partitions)
        ]
        kafka = self._deployment.settings.kafka
        async with (
            clients.consuming(kafka, isolation="read_committed") as consumer,
            clients.consuming(kafka, isolation="read_uncommitted") as looking,
        ):
            consumer.assign(logs)
            for log in logs:
                consumer.seek(log, self.payers.positions.get(_name(log), 0))
            ends = await consumer.end_offsets(logs)
            while any([await consumer.position(log) < end for log, end in ends.items()]):
                for log, records in (await consumer.getmany(timeout_ms=100)).items():
                    for record in records:
                        self._fold(self._names[log.topic], record.key, record.value)
                self.payers.reached({_name(log): await consumer.position(log) for log in logs})
            if self.payers.asks_for_ends():
                awaited = [log for log in logs if self._names[log.topic] != "horizons"]
                self.payers.ends({_name(log): end for log, end in (await looking.end_offsets(awaited)).items()})

    def knows(self) -> list[str]:
        """Everything about projects, for comparing. In which order it heard of them is its own business."""
        _head, *projects = map(json.loads, self.payers.dump())
        return sorted(
            json.dumps([organization, project, is_removed, stretches])
            for organization, project, _heard_of, is_removed, stretches in projects
        )

    def in_topics_made_anew(self) -> Payers:
        """What it knows, to go on with in topics that were made anew."""
        return Payers.load(self.payers.dump(), topics_anew=True)

    def _fold(self, topic: str, key: bytes, value: bytes | None) -> None:
        if topic == "horizons":
            assert value is not None
            self.payers.horizon(key, value)
        elif topic == "payers":
            self.payers.state(key, value)
        else:
            assert value is not None
            self.payers.event(value)


def _name(log: TopicPartition) -> str:
    return f"{log.topic}/{log.partition}"
