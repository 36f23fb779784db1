"""What is done to a system that works: each fault begins, lasts, and ends."""

import asyncio
import re
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from sqlalchemy.exc import DBAPIError

from tests.faults.postgres.servers import ask
from tests.soak.crew import Crew
from tests.system.relay import Relay
from worker.embedded import Stack

TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'runtime'"
COMMIT = re.compile(rb"Q\x00\x00\x00\x0cCOMMIT;\x00")


@dataclass
class World:
    """What faults are done to. `relay` stands between the workers and PostgreSQL."""

    stack: Stack
    crew: Crew
    relay: Relay
    superuser_url: str
    random: Random

    def seconds(self, least: float, most: float) -> float:
        """How long something lasts."""
        return self.random.uniform(least, most)

    def place(self) -> int:
        """One of the workers."""
        return self.random.choice(list(self.crew.workers) or [0])


async def _kill_worker(world: World) -> None:
    await world.crew.replace(world.place(), signal.SIGKILL, world.seconds(0, 2))


async def _end_worker(world: World) -> None:
    await world.crew.replace(world.place(), signal.SIGTERM, world.seconds(0, 1))


async def _stop_worker(world: World) -> None:
    await world.crew.stop(world.place(), world.seconds(0.2, 3))


async def _stop_worker_past_its_session(world: World) -> None:
    await world.crew.stop(world.place(), world.seconds(7, 12))


async def _guest(world: World) -> None:
    await world.crew.visit(world.seconds(2, 5))


async def _kill_broker(world: World) -> None:
    await asyncio.to_thread(world.stack.kafka.kill)
    await asyncio.sleep(world.seconds(0, 2))
    await asyncio.to_thread(world.stack.kafka.start)


async def _freeze_broker(world: World) -> None:
    world.stack.kafka.pause()
    await asyncio.sleep(world.seconds(0.5, 4))
    world.stack.kafka.resume()


async def _kill_postgres(world: World) -> None:
    await asyncio.to_thread(world.stack.postgres.kill)
    await asyncio.sleep(world.seconds(0, 2))
    await asyncio.to_thread(world.stack.postgres.start)


async def _terminate_sessions(world: World) -> None:
    try:
        await ask(world.superuser_url, TERMINATE)
    except (DBAPIError, OSError):
        return


async def _cut_connections(world: World) -> None:
    world.relay.cut()
    await asyncio.sleep(world.seconds(0, 1))
    world.relay.let()


async def _freeze_link(world: World) -> None:
    world.relay.freeze()
    await asyncio.sleep(world.seconds(0.5, 5))
    world.relay.thaw()


async def _lose_reply_to_commit(world: World) -> None:
    before = world.relay.replies_lost
    world.relay.cut_after(COMMIT, every=3)
    for _ in range(50):
        await asyncio.sleep(0.1)
        if world.relay.replies_lost > before:
            return


Act = Callable[[World], Awaitable[None]]

FAULTS: dict[str, tuple[float, Act]] = {
    "worker killed": (6, _kill_worker),
    "worker ended (SIGTERM)": (3, _end_worker),
    "worker stopped for a moment": (5, _stop_worker),
    "worker stopped past its session": (2, _stop_worker_past_its_session),
    "one more worker joins and leaves": (2, _guest),
    "broker killed": (1.5, _kill_broker),
    "broker frozen": (2, _freeze_broker),
    "PostgreSQL killed": (1.5, _kill_postgres),
    "sessions terminated": (5, _terminate_sessions),
    "connections to PostgreSQL cut": (4, _cut_connections),
    "link to PostgreSQL frozen": (3, _freeze_link),
    "reply to COMMIT lost": (6, _lose_reply_to_commit),
}
"""How often each is chosen against the others, and what it does."""
