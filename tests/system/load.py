"""Background load: a publisher that goes on publishing random commands whatever happens to the broker.

It publishes again, under the same id, what was not acknowledged, as a careful publisher does. What it then does not
know (once, twice or not at all?) the log knows: `resolve` asks it.
"""

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.system.deployment import HEADERS, Deployment
from tests.system.settling import until
from tests.system.traffic import traffic
from worker.broker import clients
from worker.broker.transactions import let_go

ORGANIZATIONS = tuple(f"org-{number}" for number in range(9))
ROUND_SECONDS = 0.02
IN_FLIGHT_MAX = 2_000
ACKNOWLEDGED_SECONDS_MAX = 5.0
"""Whoever waits longer for an acknowledgement makes a new producer: the old one may never heal."""
END_SECONDS_MAX = 10.0
"""How long the end waits for the last acknowledgements; what is missing by then stays unknown."""
COMMANDS_MAX = 10_000_000
LET_GO_SECONDS = 1.0

Command = tuple[str, bytes]


class Load:
    """What was published so far: acknowledged (`sent`, how often each id), and tried without an answer (`unknown`)."""

    def __init__(self, deployment: Deployment, rate: float, commands: Iterator[Command]) -> None:
        self.sent: Counter[str] = Counter()
        self.unknown: set[str] = set()
        self._deployment = deployment
        self._rate = rate
        self._commands = commands
        self._again: deque[Command] = deque()
        self._in_flight: dict[asyncio.Future[object], tuple[Command, float]] = {}
        self._ending = False

    async def resolve(self) -> None:
        """Read in the log how often it holds what is unknown. For when the broker is back and the load has ended."""
        in_log: Counter[str] = Counter()
        for record in await self._deployment.read("commands"):
            in_log[json.loads(record.value)["id"]] += 1
        for id_ in self.unknown:
            found = in_log[id_] - self.sent[id_]
            assert found >= 0, f"{id_} was acknowledged and is not in the log"
            self.sent[id_] += found
            self._deployment.sent += found
        self.sent = +self.sent
        self.unknown = set()

    async def at_least(self, count: int, seconds: float = 60) -> None:
        """Wait until so many commands are acknowledged: the moment to begin with the faults."""

        async def are_acknowledged() -> bool:
            return self.sent.total() >= count

        await until(are_acknowledged, f"{count} commands are acknowledged", seconds)

    async def finish(self, seconds: float = 60) -> None:
        """Publish nothing new, and wait until everything is acknowledged."""
        self.end()

        async def is_done() -> bool:
            return not self._again and not self._in_flight

        await until(is_done, "everything is acknowledged", seconds)

    async def publish(self) -> None:
        """Publish until told to end, and everything is acknowledged."""
        while self._again or not self._ending:
            producer = clients.producer(self._deployment.settings.kafka)
            try:
                with suppress(KafkaError, OSError, TimeoutError):
                    async with asyncio.timeout(ACKNOWLEDGED_SECONDS_MAX):
                        await producer.start()
                    await self._publish_with(producer)
            finally:
                self._give_up()
                await let_go(producer, LET_GO_SECONDS)
            await asyncio.sleep(ROUND_SECONDS)

    def end(self) -> None:
        """Publish nothing new."""
        self._ending = True

    async def _publish_with(self, producer: AIOKafkaProducer) -> None:
        """Until the end, or until something goes wrong."""
        credit, looked_at = 0.0, time.monotonic()
        while self._again or self._in_flight or not self._ending:
            now = time.monotonic()
            credit, looked_at = min(credit + (now - looked_at) * self._rate, self._rate), now
            while len(self._in_flight) < IN_FLIGHT_MAX and (command := self._next(credit)) is not None:
                credit -= 1
                await self._send(producer, command)
            await asyncio.sleep(ROUND_SECONDS)
            self._acknowledge()

    def _next(self, credit: float) -> Command | None:
        if self._again:
            return self._again.popleft()
        return next(self._commands) if credit >= 1 and not self._ending else None

    async def _send(self, producer: AIOKafkaProducer, command: Command) -> None:
        organization, value = command
        try:
            async with asyncio.timeout(ACKNOWLEDGED_SECONDS_MAX):
                future = await producer.send(
                    self._deployment.settings.topics.commands, value, key=organization.encode(), headers=HEADERS
                )
        except BaseException:
            self._unknown(command)
            raise
        future.add_done_callback(_look_at)
        self._in_flight[future] = command, time.monotonic()

    def _acknowledge(self) -> None:
        """Count what came back. Raises what went wrong."""
        for future in [future for future in self._in_flight if future.done()]:
            future.result()
            (_, value), _ = self._in_flight.pop(future)
            self.sent[json.loads(value)["id"]] += 1
        oldest = min((sent_at for _, sent_at in self._in_flight.values()), default=time.monotonic())
        if oldest + ACKNOWLEDGED_SECONDS_MAX < time.monotonic():
            raise TimeoutError

    def _give_up(self) -> None:
        """What is under way may have arrived or not."""
        for future, (command, _) in list(self._in_flight.items()):
            if not future.cancelled() and future.done() and future.exception() is None:
                self.sent[json.loads(command[1])["id"]] += 1
            else:
                self._unknown(command)
        self._in_flight.clear()

    def _unknown(self, command: Command) -> None:
        self.unknown.add(json.loads(command[1])["id"])
        self._again.append(command)


@asynccontextmanager
async def load(
    deployment: Deployment,
    *,
    rate: float = 200,
    seed: int = 1,
    organizations: tuple[str, ...] = ORGANIZATIONS,
    commands: Iterator[Command] | None = None,
) -> AsyncIterator[Load]:
    """Random commands at so many a second for as long as the block lasts; the same ones for the same seed.

    `commands` are others than those.
    """
    made = Load(deployment, rate, commands or traffic(seed, organizations, COMMANDS_MAX))
    publishing = asyncio.create_task(made.publish())
    try:
        yield made
        made.end()
        await asyncio.wait({publishing}, timeout=END_SECONDS_MAX)
    finally:
        if not publishing.done():
            publishing.cancel()
        with suppress(asyncio.CancelledError):
            await publishing
        deployment.sent += made.sent.total()


def _look_at(future: asyncio.Future[object]) -> None:
    """An error that nobody waits for any more is no news."""
    if not future.cancelled():
        future.exception()
