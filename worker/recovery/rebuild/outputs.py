"""Where lanes stand when the horizons are lost too: behind the last of their commands that brought anything about.

A transaction carries whole commands, so everything up to that one is published. What a lane decided behind it were
ticks without effect: the worker decides them again, and again they bring nothing about.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

import orjson
from aiokafka.admin import AIOKafkaAdminClient

from worker.domain.values import Instant
from worker.folding.stretch import from_ms
from worker.recovery.progress import Bar
from worker.recovery.rebuild.ground import NotRebuildableError
from worker.recovery.rebuild.reading import RECORDS_AT_ONCE, Published, Unit, consumer, read_all
from worker.recovery.verify.records import Json, id_at
from worker.settings import PublishingMode, Settings
from worker.wire.horizons import Horizon
from worker.wire.outgoing import Topic
from worker.wire.published import Place, at_of, place_of, place_of_letter
from worker.wire.records import PlainRecord

_EPOCH: Final = 1


@dataclass(frozen=True, slots=True)
class WithoutHorizons:
    """What an operator declares: whose topics these are. `bar` counts what is read to find where lanes stand."""

    installation: UUID
    bar: Bar = field(default_factory=lambda: Bar(None))


async def installations_in_group(settings: Settings, admin: AIOKafkaAdminClient) -> frozenset[str]:
    """Who has signed the group's offsets of the topic of commands."""
    committed = await admin.list_consumer_group_offsets(settings.kafka.group_id)
    signed = {of.metadata for log, of in committed.items() if log.topic == settings.topics.commands}
    return frozenset(metadata.partition("/")[0] for metadata in signed if "/" in metadata)


async def lanes_by_output(settings: Settings, units: Sequence[Unit], declared: WithoutHorizons) -> list[Published]:
    """Every lane that brought anything about. Reads all of its output. Raises NotRebuildableError."""
    if settings.publishing.mode is not PublishingMode.EXACTLY_ONCE:
        raise NotRebuildableError("without transactions nothing but the horizons tells which commands are whole")
    declared.bar.aim(sum(unit.count for unit in units))
    found: dict[int, _Last] = {}
    async with consumer(settings) as reader:
        positions = {unit.log: unit.start for unit in units}
        async for page in read_all(reader, [(unit, unit.start) for unit in units], RECORDS_AT_ONCE):
            for record in page.records:
                place = _place_of(record, page.unit.topic)
                if place is None or place.topic != settings.topics.commands:
                    continue
                if place.lane not in found or place.offset > found[place.lane].place.offset:
                    found[place.lane] = _Last(place, page.unit.topic, record)
            declared.bar.advance(page.position - positions[page.unit.log])
            positions[page.unit.log] = page.position
    if others := [last.place for last in found.values() if not last.is_of(declared.installation)]:
        names = ", ".join(f"{place.topic}/{place.lane}/{place.offset}" for place in others)
        raise NotRebuildableError(
            f"what lies in the topics is of another installation than that: see what {names} left"
        )
    return [
        Published(lane, Horizon(last.at, last.place.offset + 1, _EPOCH, declared.installation), None)
        for lane, last in sorted(found.items())
    ]


class _Last(NamedTuple):
    """The first record that was met of the last command of a lane."""

    place: Place
    topic: Topic
    record: PlainRecord

    @property
    def at(self) -> Instant:
        """When it took effect; of a dead letter that is known in milliseconds, and they are never below."""
        return from_ms(self.record.timestamp) if self.topic is Topic.DEAD_LETTERS else at_of(self.record.value)

    def is_of(self, installation: UUID) -> bool:
        """Whether its id was derived from the installation. A dead letter has none, and tells nothing."""
        if self.topic is Topic.DEAD_LETTERS:
            return True
        envelope: Json = orjson.loads(self.record.value or b"{}")
        topic, lane, offset, number = self.place
        derived = id_at(installation, self.topic, f"{topic}/{lane}/{offset}", number, envelope)
        return bool(envelope["id"] == derived)


def _place_of(record: PlainRecord, topic: Topic) -> Place | None:
    return place_of_letter(record.headers) if topic is Topic.DEAD_LETTERS else place_of(record.value)
