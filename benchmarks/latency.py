"""From the append of a command to its last event, as a reader of committed records sees it, at steady rates.

Send times are fixed beforehand, and nobody waits for an answer: a worker that falls behind is not spared. Latency is
counted from the append time that the broker gives the command (whole milliseconds, rounded down: half of one is added
on average), and, as `from_schedule`, from the instant at which it was to be sent. What arrives is only noted with its
time while it arrives; it is read afterwards.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from statistics import quantiles
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import RecordMetadata

from benchmarks.following import following, horizons
from benchmarks.goals import Figures
from benchmarks.mixes import begin, commands, half_moves
from benchmarks.processes import Watched, running
from benchmarks.sizes import Sizes
from benchmarks.stage import HEADERS, Command, Site, Stage, ends_of, publish
from worker.broker import clients

MODES: Final = {"exactly_once": "exactly-once", "at_least_once": "at-least-once"}
ARRIVE_SECONDS_MAX: Final = 60.0
MS: Final = 1_000
SHOWN: Final = ("p50_ms", "p95_ms", "p99_ms", "from_schedule_p99_ms")
Percentiles = dict[str, float]


@dataclass
class Sent:
    """Commands by organization and id: when each was to be sent, and when it was appended (seconds of the clock)."""

    scheduled: dict[tuple[str, str], float] = field(default_factory=dict)
    appended: dict[tuple[str, str], float] = field(default_factory=dict)


@dataclass
class Arrivals:
    """What has arrived, not read yet, with the time of its arrival."""

    batches: list[tuple[float, list[bytes]]] = field(default_factory=list)
    records: int = 0

    async def note(self, consumer: AIOKafkaConsumer) -> None:
        """Note what comes, for ever."""
        while True:
            found = await consumer.getmany(timeout_ms=1_000)
            now = time.time()
            for records in found.values():
                self.batches.append((now, [record.value for record in records]))
                self.records += len(records)

    def last_of_each(self) -> dict[tuple[str, str], float]:
        """When the last event of each command came."""
        last: dict[tuple[str, str], float] = {}
        for at, values in self.batches:
            for value in values:
                event = json.loads(value)
                last[event["organization"], event["causationid"]] = at
        return last


async def run(stage: Stage, sizes: Sizes, raw: dict[str, Any]) -> Figures:
    """Percentiles in milliseconds at each rate, in both modes of publishing."""
    figures: Figures = {}
    for name, mode in MODES.items():
        async with stage.site(partitions=sizes.partitions, PUBLISHING__MODE=mode) as site, running(site) as worker:
            await publish(site.settings, begin())
            await _published(site, worker)
            made = commands(half_moves, 10**9, begins=False)
            await _at_rate(stage, site, worker, (100, 1, sizes.latency_warm_up_seconds), made)
            for rate in sizes.latency_rates:
                await stage.settle()
                turn = rate, sizes.latency_seconds, sizes.latency_warm_up_seconds
                found, counts = await _at_rate(stage, site, worker, turn, made)
                raw[f"{name}.{rate}"] = found | counts
                figures |= {f"{name}.{rate}.{figure}": found[figure] for figure in SHOWN}
                stage.show.tell(f"{mode}, {rate} a second: p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms")
    return figures


async def _published(site: Site, worker: Watched) -> None:
    ends = await ends_of(site.settings, site.settings.topics.commands)
    async with horizons(site) as seen:
        await seen.reach(ends, seconds=ARRIVE_SECONDS_MAX, check=worker.check)


async def _at_rate(
    stage: Stage, site: Site, worker: Watched, turn: tuple[int, float, float], made: Iterator[Command]
) -> tuple[Percentiles, dict[str, int]]:
    """Publish at a rate for so many seconds and for as many before, which do not count; what came of it."""
    rate, seconds, warm_up_seconds = turn
    sent, arrivals = Sent(), Arrivals()
    count, uncounted = int(rate * (seconds + warm_up_seconds)), int(rate * warm_up_seconds)
    async with following(site, "binding_events", from_end=True) as consumer:
        noting = asyncio.create_task(arrivals.note(consumer))
        try:
            async with clients.producer(site.settings.kafka) as producer:
                with stage.show.bar(f"{rate} a second", count) as bar:
                    async for number in _publish(producer, site, sent, rate, islice(made, count)):
                        bar.reach(number)
                await producer.flush()
            await _published(site, worker)
            await _quiet(arrivals)
        finally:
            noting.cancel()
    last = arrivals.last_of_each()
    if missing := sent.appended.keys() - last.keys():
        raise AssertionError(f"{len(missing)} of {count} commands have no event")
    counted = list(sent.scheduled)[uncounted:]
    found = _percentiles(last[key] - sent.appended[key] for key in counted)
    scheduled = _percentiles(last[key] - sent.scheduled[key] for key in counted)
    found |= {f"from_schedule_{name}": value for name, value in scheduled.items()}
    return found, {"commands": len(counted), "events": arrivals.records}


async def _publish(
    producer: AIOKafkaProducer, site: Site, sent: Sent, rate: int, made: Iterable[Command]
) -> AsyncIterator[int]:
    """Each at its time, or at once if that has passed. Yields how many were sent, now and then."""
    topic, began = site.settings.topics.commands, time.time()
    for number, (organization, value) in enumerate(made):
        due = began + number / rate
        if (wait := due - time.time()) > 0:
            await asyncio.sleep(wait)
        key = organization, json.loads(value)["id"]
        sent.scheduled[key] = due
        future = await producer.send(topic, value, key=organization.encode(), headers=HEADERS)
        future.add_done_callback(_note_append(sent, key))
        if number % rate == 0:
            yield number


def _note_append(sent: Sent, key: tuple[str, str]) -> "Callable[[asyncio.Future[RecordMetadata]], None]":
    def note(future: "asyncio.Future[RecordMetadata]") -> None:
        sent.appended[key] = future.result().timestamp / MS

    return note


async def _quiet(arrivals: Arrivals) -> None:
    """Wait until nothing more comes."""
    seen = -1
    while arrivals.records != seen:
        seen = arrivals.records
        await asyncio.sleep(0.5)


def _percentiles(latencies: Iterable[float]) -> Percentiles:
    """In milliseconds."""
    ms = sorted(MS * seconds for seconds in latencies)
    cut = quantiles(ms, n=100, method="inclusive")
    return {"p50_ms": cut[49], "p95_ms": cut[94], "p99_ms": cut[98], "max_ms": ms[-1]}
