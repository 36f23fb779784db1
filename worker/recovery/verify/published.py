"""Event topics beside the journal, byte for byte."""

from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final, NamedTuple

from aiokafka import ConsumerRecord

from worker.recovery.verify.finding import Check, Finding
from worker.recovery.verify.ground import Ground
from worker.recovery.verify.ledger import Scratch, Stretch, Sums, mark_of
from worker.recovery.verify.logs import Logs
from worker.recovery.verify.records import Place, envelope_of, place_of
from worker.wire.outgoing import Topic, cloud_event_headers

_WRITTEN: Final = """
    SELECT j."offset", j.index AS number, j.key, j.value FROM journal AS j
    WHERE j.lane = :lane AND j."offset" >= :first AND j."offset" < :last AND j.topic = '{topic}' AND {of_subjects}
"""


class _Seen(NamedTuple):
    """A record of a topic that is compared."""

    place: Place
    mark: bytes
    record: ConsumerRecord


class PublishedEvents:
    """One event topic: one pass over it and one over the journal; again only over what differs."""

    def __init__(self, topic: Topic, logs: Logs) -> None:
        name = topic.value.replace("-", "_")
        self._topic, self._logs = topic, logs
        self.checks = (
            Check(
                f"{name}_are_published_as_in_the_journal",
                f"What the journal holds for {topic.value}, as far as it was published, lies there byte for byte, and"
                " nothing else does.",
            ),
            Check(f"{name}_lie_in_order", f"Along each partition of {topic.value}, the places of each lane rise."),
            Check(f"{name}_have_their_headers", f"The headers in {topic.value} repeat what the values say."),
        )

    def rows(self, ground: Ground) -> int:  # noqa: ARG002 - a topic is read whole
        """How many records the topic has."""
        return self._logs.size(self._topic)

    async def prove(self, ground: Ground, findings: Sequence[Finding]) -> None:
        """Sum up both, and look closer where they differ."""
        same, order, headers = findings
        for finding in findings:
            finding.unit = "records"
        ends = {lane: end for lane, end in self._logs.published.items() if end > 0}
        here, there = Sums(ends), Sums(ends)
        latest: dict[tuple[int, int], Place] = {}
        async for seen in self._seen(ground, ends, same):
            place, record = seen.place, seen.record
            there.add(place, seen.mark)
            order.looked_at += 1
            headers.looked_at += 1
            along = (record.partition, place.lane)
            if along in latest and place <= latest[along]:
                where = f"{record.partition}/{record.offset}"
                order.refute(partition_and_offset=where, place=str(place), after=str(latest[along]))
            latest[along] = max(place, latest.get(along, place))
            _prove_headers(headers, record)
        for lane, end in ends.items():
            async for place, mark in self._written(ground, Stretch(lane, _first(ground, lane), end)):
                same.looked_at += 1
                here.add(place, mark)
        if differing := here.differing(there):
            await self._look_closer(ground, same, order, ends, differing)
        same.notes += [
            f"lane {lane}: up to offset {end}, of {ground.lanes[lane].next_offset} that were decided"
            for lane, end in sorted(self._logs.published.items())
            if end < ground.lanes[lane].next_offset
        ]

    async def _look_closer(
        self, ground: Ground, same: Finding, order: Finding, ends: Mapping[int, int], differing: Sequence[Stretch]
    ) -> None:
        with Scratch() as scratch:
            within = _within(differing)
            async for seen in self._seen(ground, ends, None):
                if within(seen.place):
                    scratch.see(seen.place, seen.mark, seen.record.partition, seen.record.offset)
            for stretch in differing:
                async for place, mark in self._written(
                    ground, stretch._replace(first=max(stretch.first, _first(ground, stretch.lane)))
                ):
                    if not scratch.knows(place, mark):
                        other = scratch.other_at(place)
                        if other is None:
                            same.refute(place=str(place), problem="missing in the topic")
                        else:
                            where = f"{other.partition}/{other.offset}"
                            same.refute(place=str(place), problem="other bytes", partition_and_offset=where)
            for sight in scratch.unaccounted():
                where = f"{sight.partition}/{sight.offset}"
                same.refute(place=str(sight.place), problem="not in the journal", partition_and_offset=where)
            if again := scratch.repeated():
                same.notes.append(f"{again} records lie there again, to the letter, as after `republish`")
                order.violations = 0
                order.counterexamples.clear()
                order.notes.append("not judged: records lie there again")

    async def _seen(self, ground: Ground, ends: Mapping[int, int], finding: Finding | None) -> AsyncIterator[_Seen]:
        """The topic's records as far as they are compared; what no worker wrote is refuted if a finding is given."""
        prefix = None if ground.organization is None else f"{ground.organization}/".encode()
        earlier = 0
        async for record in self._logs.read(self._topic):
            await ground.did(1)
            if prefix is not None and not (record.key or b"").startswith(prefix):
                continue
            envelope = envelope_of(record.value)
            named = place_of(envelope) if envelope is not None else None
            if named is None or named[0] != ground.topic or named[1].lane not in ground.lanes:
                if finding is not None:
                    where = f"{record.partition}/{record.offset}"
                    finding.refute(problem="no worker wrote this", partition_and_offset=where, value=record.value)
                continue
            place = named[1]
            if place.offset < _first(ground, place.lane):
                earlier += 1
            elif place.offset < ends.get(place.lane, 0):
                yield _Seen(place, mark_of(place, record.key, record.value), record)
        if earlier and finding is not None:
            finding.notes.append(f"{earlier} records of before where the journal begins were not compared")

    async def _written(self, ground: Ground, stretch: Stretch) -> AsyncIterator[tuple[Place, bytes]]:
        statement = _WRITTEN.format(topic=self._topic.value, of_subjects=ground.of_subjects)
        async for row in ground.select(statement, **stretch._asdict()):
            place = Place(stretch.lane, row.offset, row.number)
            yield place, mark_of(place, row.key, row.value)


def _first(ground: Ground, lane: int) -> int:
    return ground.reach.since.get(lane, 0)


def _within(stretches: Sequence[Stretch]) -> Callable[[Place], bool]:
    """Whether a place lies in one of the stretches, which are in order."""
    firsts: dict[int, list[int]] = {}
    lasts: dict[int, list[int]] = {}
    for stretch in stretches:
        firsts.setdefault(stretch.lane, []).append(stretch.first)
        lasts.setdefault(stretch.lane, []).append(stretch.last)

    def is_within(place: Place) -> bool:
        found = bisect_right(firsts.get(place.lane, ()), place.offset) - 1
        return found >= 0 and place.offset < lasts[place.lane][found]

    return is_within


def _prove_headers(headers: Finding, record: ConsumerRecord) -> None:
    envelope = envelope_of(record.value) or {}
    named = [str(envelope.get(name)) for name in ("id", "type", "subject")]
    if tuple(record.headers) != tuple(cloud_event_headers(*named)):
        where = f"{record.partition}/{record.offset}"
        headers.refute(partition_and_offset=where, headers=list(record.headers), value=record.value)
