"""One history: commands and faults from a seed, then everything heals, comes to rest, and is checked."""

import asyncio
import gc
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.simulation import alarms, check, faults
from tests.simulation.commands import Commands, Sent
from tests.simulation.deep import Deep
from tests.simulation.faults import Faults
from tests.simulation.logs import Fate, Transaction
from tests.simulation.replay import gives_the_same_journal
from tests.simulation.seen import last_command
from tests.simulation.server_faults import end
from tests.simulation.tuning import settings_of
from tests.simulation.workers import Cluster, lanes_of
from tests.simulation.world import Note, World
from worker.lane.progress import LaneState

REST_SECONDS_MAX = 60.0
"""After so long without faults everything must be at rest."""

LET_GO_SECONDS_MAX = 8.0
"""After so long nothing is held any more by whoever is gone."""

LOOK_SECONDS = 0.1

RESTFUL_LOOKS = 10
"""So often in a row everything must look at rest: who was a zombie a moment ago may still be about something."""

ANSWERS = 6

DEEP_EVERY = 4
"""Every so many histories are also looked at by the claims of the system tests, and decided once more."""


@dataclass
class Outcome:
    """What became of a history. `problem` is the first claim that does not hold."""

    seed: int
    problem: str | None = None
    commands: int = 0
    steps: int = 0
    seconds: float = 0.0
    stopped: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    notes: list[Note] = field(default_factory=list)
    log: list[Note] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Equal for equal histories."""
        return hashlib.blake2b(repr(self.notes).encode(), digest_size=16).hexdigest()


def run(seed: int, *, is_traced: bool = False, may_restore: bool = True) -> Outcome:
    """Live through a history. A claim that does not hold is in the outcome, not raised."""
    world = World(seed, is_traced=is_traced)
    history = History(world, may_restore=may_restore)
    outcome = Outcome(seed, commands=len(history.sent), notes=world.notes, log=world.log, injected=world.injected)
    with alarms.kept_in(world), _uncollected():
        try:
            world.loop.run_until_complete(history.live())
            history.check()
        except AssertionError as problem:
            outcome.problem = str(problem)
        except Exception as problem:  # noqa: BLE001 - whatever it is, it belongs to this seed
            outcome.problem = f"raised {problem!r}"
        outcome.steps, outcome.seconds = world.loop.steps, world.loop.time()
        outcome.stopped = len(history.stopped)
        world.is_over = True
        world.loop.unwind()
    return outcome


@contextmanager
def _uncollected() -> Iterator[None]:
    """When a cycle is collected hangs on what ran before: it must not end a generator in the midst of a history."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class History:
    """One seed's."""

    def __init__(self, world: World, *, may_restore: bool) -> None:
        random = world.source("plan")
        self.world = world
        self.cluster = Cluster(world, settings_of(random))
        self.seconds = random.choice((0.8, 1.6, 3.0))
        self.sent = Commands(world.source("commands"), self.cluster.partitions).draw(self.seconds)
        self.faults = Faults(world, self.cluster, faults.plan(random, self.seconds, may_restore=may_restore))
        self.answers = check.Answers(self.cluster)
        self.stopped: dict[int, str] = {}
        self._workers = random.choice((2, 2, 3))
        self._random = random
        self._transactions: dict[int, Transaction] = {}
        self._to_come = 0

    async def live(self) -> None:
        """Until everything is at rest and drained."""
        loop, random = self.world.loop, self._random
        for _ in range(self._workers):
            self.cluster.start()
        for sent in self.sent:
            self._later(sent.at, self._send, sent)
        for number in sorted({sent.transaction for sent in self.sent if sent.transaction is not None}):
            last = max(sent.at for sent in self.sent if sent.transaction == number)
            fate = random.choice((Fate.COMMITTED, Fate.ABORTED))
            self._later(last + random.choice((0.01, 0.5)), self._end, number, fate)
        for _ in range(ANSWERS):
            loop.at(random.uniform(0.2, self.seconds + 2), self.answers.ask, random.random())
        self.faults.begin()
        await asyncio.sleep(self.seconds)
        healed_at = self.faults.heal()
        await asyncio.sleep(healed_at - loop.time() + self.cluster.settings.publishing.transaction_seconds_max)
        await self._come_to_rest()
        await self._drain()

    def check(self) -> None:
        """Raises AssertionError for what does not hold."""
        assert not self.stopped or self.faults.was_restored, f"E9: lanes stopped for no reason: {self.stopped}"
        seen = check.everything(self.cluster, self.stopped, was_restored=self.faults.was_restored)
        self.answers.stand()
        if self.world.seed % DEEP_EVERY == 0 and not self.stopped:
            Deep(self.cluster, is_once=seen.is_once).look()
            for lane in range(self.cluster.partitions):
                gives_the_same_journal(self.cluster, lane)
        assert not self.world.alarms, f"alarms: {self.world.alarms}"

    def _later(self, at: float, publish: Callable[..., None], *args: object) -> None:
        """Have a publisher do something. There is no rest before it is done."""
        self._to_come += 1
        self.world.loop.at(at, self._publish, publish, args)

    def _publish(self, publish: Callable[..., None], args: tuple[object, ...]) -> None:
        self._to_come -= 1
        publish(*args)

    def _send(self, sent: Sent) -> None:
        transaction = None
        if (number := sent.transaction) is not None:
            transaction = self._transactions.setdefault(number, Transaction(f"publisher-{number}"))
        self.cluster.broker.append_command(sent.partition, sent.content, transaction)

    def _end(self, number: int, fate: Fate) -> None:
        end(self._transactions[number], fate)

    async def _come_to_rest(self) -> None:
        """Wait until every lane runs somewhere, and only there, with everything decided and published."""
        deadline = self.world.loop.time() + REST_SECONDS_MAX
        looks = 0
        while looks < RESTFUL_LOOKS:
            restless = self._restless()
            looks = 0 if restless else looks + 1
            assert self.world.loop.time() < deadline, f"E9: does not come to rest: {restless}"
            await asyncio.sleep(LOOK_SECONDS)

    def _restless(self) -> str | None:
        """What is not at rest yet. Notes which lanes have stopped."""
        alive, broker = self.cluster.alive, self.cluster.broker
        if self.cluster.group.is_joining or not all(worker.process.is_running for worker in alive):
            return "the group is joining"
        if any(worker.kafka.is_awaited or worker.database.is_awaited for worker in alive):
            return "a reply is awaited"
        if self._to_come or any(broker.commands(partition).open for partition in range(self.cluster.partitions)):
            return "a publisher has not come to an end"
        if waiting := {worker.process: worker.health.waiting_for for worker in alive if worker.health.waiting_for}:
            return f"workers wait: {waiting}"
        self.stopped = {}
        return next(filter(None, map(self._restless_lane, range(self.cluster.partitions))), None)

    def _restless_lane(self, partition: int) -> str | None:
        lanes = lanes_of(self.cluster, partition)
        if len(lanes) != 1:
            return f"lane {partition} is with {[str(worker.process) for worker, _ in lanes]}"
        ((_, lane),) = lanes
        progress = lane.progress
        if progress.state is LaneState.STOPPED:
            self.stopped[partition] = progress.cause or ""
        elif progress.state is not LaneState.RUNNING or progress.unpublished:
            return f"lane {partition} is {progress.state}: {progress.cause}"
        elif (lane.next_offset or 0) <= last_command(self.cluster, partition):
            return f"lane {partition} stands at {lane.next_offset}"
        elif self.cluster.postgres.tables.lanes[partition].next_offset != lane.next_offset:
            return f"lane {partition} has not noticed that the database is another"
        return None

    async def _drain(self) -> None:
        """Let all lanes go, and wait until nothing is held: processes that were killed hold on for a while."""
        leaving = [self.world.loop.spawn(worker.process, worker.ownership.release()) for worker in self.cluster.alive]
        await asyncio.wait(leaving)
        deadline = self.world.loop.time() + LET_GO_SECONDS_MAX
        while self._is_held() and self.world.loop.time() < deadline:  # noqa: ASYNC110 - many events, looked at as one
            await asyncio.sleep(LOOK_SECONDS)

    def _is_held(self) -> bool:
        return bool(self.cluster.postgres.sessions) or any(log.open for log in self.cluster.broker.logs.values())
