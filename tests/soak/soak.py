"""A soak: workers under load, a random fault every few seconds, everything checked at the end."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import quantiles
from typing import Any
from uuid import uuid4

from sqlalchemy.engine import make_url

from tests.faults.postgres.servers import ROLE, grant, superuser_url
from tests.soak.crew import Crew
from tests.soak.faults import FAULTS, World
from tests.soak.load import commands
from tests.system.checker import check
from tests.system.deployment import Deployment
from tests.system.load import Load, load
from tests.system.provision import own_database, own_deployment, say, url_of
from tests.system.relay import Relay, relay
from tests.system.settling import until
from tests.system.stacks import Addresses
from tests.system.watched import Seen, watched
from worker.embedded import Stack
from worker.store import schema

BETWEEN_SECONDS = (0.3, 2.0)
"""How long nothing is done between one fault and the next."""

HEALED_SECONDS_MAX = 300.0
LOOK_SECONDS = 0.05
WORKER = {
    "RULES__SUSPENSION_NOTICE_SECONDS": "0",
    "RULES__TOMBSTONE_AFTER_SECONDS": "2",
    "DATABASE__COMMAND_TIMEOUT_SECONDS": "5",
    "LANES__TICK_SECONDS": "1",
}


@dataclass
class Report:
    """What a soak did and found. Times in seconds; `broken` is what the checker said, None if everything held."""

    seed: int
    seconds: float
    mode: str
    commands: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    healed_seconds: list[float] = field(default_factory=list)
    workers_started: int = 0
    workers_ended_by_themselves: int = 0
    replies_to_commit_lost: int = 0
    figures: dict[str, Any] = field(default_factory=dict)
    broken: str | None = None

    def as_json(self) -> dict[str, Any]:
        """With the median and the 95th percentile of the times to heal."""
        cut = quantiles(self.healed_seconds, n=20) if len(self.healed_seconds) > 1 else [0.0] * 19
        # Counters are put in by hand: the library makes wrong ones of them.
        return asdict(replace(self, faults=Counter())) | {
            "faults": dict(self.faults),
            "healed_p50": round(cut[9], 2),
            "healed_p95": round(cut[18], 2),
        }


OnProgress = Callable[[Report, float, str], None]
"""Is told the report so far, the seconds gone, and what comes now."""


async def soak(
    directory: Path,
    *,
    seed: int,
    seconds: float,
    rate: float,
    workers: int,
    mode: str,
    on_progress: OnProgress,
) -> Report:
    """Run one. Never raises for a promise that was broken: the report says it."""
    report = Report(seed, seconds, mode)
    stack = Stack(directory)
    await asyncio.to_thread(stack.start)
    try:
        superuser = superuser_url(stack.postgres)
        with relay(f"127.0.0.1:{stack.postgres.port}") as wire:
            wire.let()
            async with (
                _deployment(Addresses(stack.kafka.bootstrap_servers, superuser), mode) as deployment,
                watched(deployment) as seen,
                load(deployment, rate=rate, commands=commands(seed)) as traffic,
            ):
                crew = Crew(deployment, workers, WORKER | {"DATABASE__URL": _of_workers(deployment, wire)})
                world = World(stack, crew, wire, superuser, Random(seed))  # noqa: S311 - repeatable, not secret
                async with crew:
                    await _torment(world, traffic, seen, report, on_progress)
                    await traffic.finish()
                    await _settle(deployment, seen)
                on_progress(report, seconds, "checking")
                await traffic.resolve()
                report.workers_started, report.workers_ended_by_themselves = crew.started, crew.ended_by_themselves
                report.replies_to_commit_lost = wire.replies_lost
                report.commands = traffic.sent.total()
                await _judge(deployment, traffic, seen, report)
    finally:
        await asyncio.to_thread(stack.stop)
    return report


@asynccontextmanager
async def _deployment(stack: Addresses, mode: str) -> AsyncIterator[Deployment]:
    template = f"template_{uuid4().hex[:8]}"
    await say(stack.database_url, f"CREATE DATABASE {template}")
    await schema.upgrade(url_of(stack, template))
    await grant(url_of(stack, template))
    settings = {"TOPICS__PARTITIONS": "6", "PUBLISHING__MODE": mode}
    async with own_database(stack, template) as url, own_deployment(stack, url, **settings) as deployment:
        yield deployment


def _of_workers(deployment: Deployment, wire: Relay) -> str:
    """The database as workers reach it: through the relay, as the role that changes no tables."""
    url = make_url(deployment.settings.database.url).set(port=wire.port, username=ROLE, password=ROLE)
    return url.render_as_string(hide_password=False)


async def _torment(world: World, traffic: Load, seen: Seen, report: Report, on_progress: OnProgress) -> None:
    """One fault after the other until the time is over; how long each takes to heal is measured meanwhile."""
    began = time.monotonic()
    measuring = set()
    await traffic.at_least(1, HEALED_SECONDS_MAX)
    while (gone := time.monotonic() - began) < report.seconds:
        report.commands = traffic.sent.total()
        name = world.random.choices(list(FAULTS), [weight for weight, _ in FAULTS.values()])[0]
        on_progress(report, gone, name)
        await FAULTS[name][1](world)
        report.faults[name] += 1
        measuring.add(asyncio.create_task(_measure(seen, report)))
        await asyncio.sleep(world.seconds(*BETWEEN_SECONDS))
        await world.crew.mind()
    on_progress(report, report.seconds, "healing")
    await asyncio.wait(measuring)


async def _measure(seen: Seen, report: Report) -> None:
    """How long until every lane has published what it decided after this moment, whatever comes meanwhile."""
    began, moment = time.monotonic(), datetime.now(UTC)
    with suppress(TimeoutError):
        async with asyncio.timeout(HEALED_SECONDS_MAX):
            while not _are_past(seen, moment):  # noqa: ASYNC110 - a look at what a thread writes
                await asyncio.sleep(LOOK_SECONDS)
    report.healed_seconds.append(time.monotonic() - began)


def _are_past(seen: Seen, moment: datetime) -> bool:
    return len(seen.horizons) == seen.deployment.settings.topics.partitions and min(seen.horizons.values()) > moment


async def _settle(deployment: Deployment, seen: Seen) -> None:
    """Wait until every lane is past the last command."""
    moment = datetime.now(UTC)

    async def are_past() -> bool:
        return _are_past(seen, moment)

    try:
        await until(are_past, "every lane has caught up", HEALED_SECONDS_MAX)
    except AssertionError as late:
        raise AssertionError(f"{late}; at {moment} {await _how_it_stands(deployment, seen)}") from None
    await until(lambda: _is_published(deployment), "everything is published", HEALED_SECONDS_MAX)


async def _how_it_stands(deployment: Deployment, seen: Seen) -> str:
    """Each lane's row, what its horizon tells whoever reads it now, and what those who read all the time have heard."""
    rows = await deployment.rows("SELECT partition, next_offset, latest_at, stopped FROM lanes ORDER BY partition")
    told = {record.key: record.value for record in await deployment.read("horizons")}
    heard = {key.decode(): str(at) for key, at in seen.horizons.items()}
    lanes = [tuple(map(str, row)) for row in rows]
    return f"lanes: {lanes}; told: {told}; heard: {heard}; {seen.reconnects} reconnects"


async def _is_published(deployment: Deployment) -> bool:
    return not await deployment.rows("SELECT partition FROM lanes WHERE stopped IS NOT NULL")


async def _judge(deployment: Deployment, traffic: Load, seen: Seen, report: Report) -> None:
    try:
        figures = await check(deployment, traffic.sent, seen)
    except AssertionError as broken:
        report.broken = str(broken)[:4_000] or repr(broken)
    else:
        report.figures = figures.as_json()
