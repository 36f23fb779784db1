"""A subscription: a member of the group, and what it reads of its partitions, handed to their lanes."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from aiokafka import TopicPartition
from aiokafka import errors as kafka_errors

from tests.simulation.broker import Broker
from tests.simulation.clients import REQUEST_SECONDS_MAX
from tests.simulation.group import Group
from tests.simulation.logs import Content
from tests.simulation.loop import Process
from tests.simulation.network import Link
from worker.lane.intake import TELL_SECONDS, Intake, PartitionFlow
from worker.lane.ownership import Ownership
from worker.wire.ticks import tick


class Subscription:
    """What lanes and their ownership use of the intake and its consumer. It is also the consumer."""

    def __init__(self, broker: Broker, group: Group, process: Process, kafka: Link, listener: Ownership) -> None:
        self.process = process
        self.told = asyncio.Event()
        self.on_assigned: Callable[[], object] = lambda: None
        self._listener = listener
        self._broker = broker
        self._group = group
        self._kafka = kafka
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._fetching: set[TopicPartition] = set()
        self._ticks = 0

    @property
    def consumer(self) -> "Subscription":
        """The client behind it."""
        return self

    def flow(self, partition: int) -> PartitionFlow:
        """How a lane steers its partition: the product's own."""
        return PartitionFlow(cast("Intake", self), self._log(partition))

    def start(self) -> None:
        """Join the group."""
        self._is_closing = False
        self._task = asyncio.get_running_loop().create_task(self._belong())

    async def stop(self) -> None:
        """Leave the group, when what it asked for is done. As with the real client nobody calls the listener."""
        self._is_closing = True
        self.told.set()
        if self._task is not None:
            await self._task
        self._group.leave(self)
        self._assign(())

    async def leave(self) -> None:
        """Leave the group."""
        await self.stop()

    async def rejoin(self) -> None:
        """Leave the group and join it anew."""
        await self.stop()
        self.start()

    async def send_tick(self, partition: int) -> None:
        """Put a tick at the end of a partition."""
        self._ticks += 1
        sent = tick(f"tick-{self.process.name}-{self._ticks}", self._broker.settings.publishing.source)
        content = Content(sent.key, sent.value, sent.headers, 0)
        await self._kafka.ask(
            f"tick {partition}",
            lambda _: self._broker.append_command(partition, content),
            patience=REQUEST_SECONDS_MAX,
        )

    def tell(self, log: TopicPartition, offset: int) -> None:
        """Let the group's tools know of an offset in a while."""
        self._broker.world.loop.later(TELL_SECONDS, self._broker.group_offsets.update, {log.partition: (offset, "")})

    def assignment(self) -> set[TopicPartition]:
        """The partitions of this consumer."""
        return set(self._positions)

    def seek(self, log: TopicPartition, offset: int) -> None:
        """Read from an offset."""
        self._positions[log] = offset

    def pause(self, log: TopicPartition) -> None:
        """Read nothing."""
        self._paused.add(log)

    def resume(self, log: TopicPartition) -> None:
        """Read again."""
        self._paused.discard(log)
        self._fetch(log)

    async def _belong(self) -> None:
        """A member's life: give back, join, take, until it has to join again."""
        listener = self._listener
        held: list[TopicPartition] = []
        while not self._is_closing:
            self.told.clear()
            await listener.on_partitions_revoked(held)
            partitions = await self._join()
            held = []
            if partitions is None:
                continue
            held = [self._log(partition) for partition in partitions]
            self._assign(held)
            self.on_assigned()
            await listener.on_partitions_assigned(held)
            await self.told.wait()

    async def _join(self) -> Sequence[int] | None:
        """The partitions that the group gives; None if it wants to be asked anew, or nothing is wanted any more."""
        joining = self._group.join(self)
        told = asyncio.get_running_loop().create_task(self.told.wait())
        joined = asyncio.get_running_loop().create_task(_result_of(joining))
        await asyncio.wait([joined, told], return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if self._is_closing or not joined.done():
            joined.cancel()
            joining.cancel()
            return None
        return joined.result()

    def _assign(self, logs: Sequence[TopicPartition]) -> None:
        for name in self._positions:
            del self._broker.logs[name].watchers[self]
        self._positions = dict.fromkeys(logs, 0)
        self._paused = set()
        for name in logs:
            self._broker.logs[name].watchers[self] = partial(self._fetch, name)

    def _log(self, partition: int) -> TopicPartition:
        return TopicPartition(self._broker.settings.topics.commands, partition)

    def _fetch(self, name: TopicPartition) -> None:
        """Have what is there handed over soon."""
        if name in self._positions and name not in self._paused and name not in self._fetching:
            self._fetching.add(name)
            world, kafka = self._broker.world, self._kafka
            trouble = (kafka.frozen_until, kafka.away_until, kafka.server.frozen_until, kafka.server.away_until)
            at = max(world.loop.time(), *trouble) + world.latency()
            world.loop.call_at(at, self._fetched, name, context=self.process.context)

    def _fetched(self, name: TopicPartition) -> None:
        self._fetching.discard(name)
        world, partition = self._broker.world, name.partition
        if name not in self._positions or name in self._paused or world.is_over:
            return
        if self._broker.unreadable_until.get(partition, 0.0) > world.loop.time():
            self.pause(name)
            self._listener.cannot_read(partition, kafka_errors.CorruptRecordException())
            return
        log = self._broker.logs[name]
        first = self._positions[name]
        count = log.stable - first
        if count <= 0:
            return
        if world.draw() < 0.4:
            count = 1 + int(world.draw() * count)
        count = min(count, self._broker.settings.lanes.queue_records_max)
        self._positions[name] = first + count
        records = [log.record(offset) for offset in range(first, first + count) if log.is_visible(offset)]
        # Between reading and handing over anything else may run, as in the real subscription.
        world.loop.call_soon(self._listener.offer, partition, records)
        self._fetch(name)


async def _result_of(joining: "asyncio.Future[Sequence[int]]") -> Sequence[int]:
    return await joining
