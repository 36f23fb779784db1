"""One backlog drained by one process: how fast, and what it takes."""

import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from benchmarks.following import Horizons, horizons
from benchmarks.processes import WORKER, Watched, cpu_seconds_of_server, running
from benchmarks.show import Bar
from benchmarks.stage import OUTPUTS, Site, Stage, ends_of

DRAIN_SECONDS_MAX: Final = 600.0
MEGABYTE: Final = 1_000_000


@dataclass(frozen=True)
class Drained:
    """How fast a backlog was drained, and what that took.

    `per_second` counts from the first to the last horizon that a reader of committed records saw, without the commands
    that the first one covered. CPU seconds are of the processes, the broker and the database, from the start to the
    last command; memory is that of the process with most.
    """

    commands: int
    seconds: float
    per_second: float
    seconds_from_start: float
    process_cpu_seconds: float
    broker_cpu_seconds: float
    database_cpu_seconds: float
    rss_megabytes_max: float
    memory_megabytes_max: float


@dataclass(frozen=True)
class Moved:
    """What a drain has left: records in the topics of output (with the marks of transactions), and rows written."""

    records: int
    rows: int


ROWS_WRITTEN: Final = "SELECT sum(n_tup_ins + n_tup_upd)::bigint FROM pg_stat_user_tables"


async def moved(stage: Stage, site: Site) -> Moved:
    """Of a deployment whose process has ended, since the server counts what a session did when that ends."""
    records = 0
    for name in OUTPUTS:
        records += sum((await ends_of(site.settings, getattr(site.settings.topics, name))).values())
    ((rows,),) = await stage.ask(site.settings.database.url, ROWS_WRITTEN)
    return Moved(records, int(rows))


async def drain(
    stage: Stage,
    site: Site,
    ends: Mapping[int, int],
    *,
    module: Sequence[str] = WORKER,
    processes: int = 1,
    what: str,
) -> Drained:
    """Start processes on a backlog, wait until everything before `ends` is published, and end them.

    What was published before counts for nothing. Raises EndedError and TimeoutError.
    """
    await stage.settle()
    async with horizons(site) as seen:
        while await seen.look():
            pass
        before = seen.done(ends)
        servers = [stage.stack.kafka.pid, stage.stack.postgres.pid]
        spent = [cpu_seconds_of_server(server) for server in servers]
        async with AsyncExitStack() as stack:
            crew = [await stack.enter_async_context(running(site, module)) for _ in range(processes)]
            bar = stack.enter_context(stage.show.bar(what, sum(ends.values()) - before))
            first_at, first = await _first(seen, ends, crew, before)
            await _rest(seen, ends, crew, before, bar)
            ended_at = time.monotonic()
            broker, database = (cpu_seconds_of_server(server) - at for server, at in zip(servers, spent, strict=True))
            drained = Drained(
                commands=seen.done(ends) - before,
                seconds=ended_at - first_at,
                per_second=(seen.done(ends) - first) / (ended_at - first_at),
                seconds_from_start=ended_at - crew[0].started_at,
                process_cpu_seconds=sum(process.cpu_seconds() for process in crew),
                broker_cpu_seconds=broker,
                database_cpu_seconds=database,
                rss_megabytes_max=max(process.rss_bytes_max for process in crew) / MEGABYTE,
                memory_megabytes_max=max(process.memory_bytes_max() for process in crew) / MEGABYTE,
            )
    stage.show.tell(f"{what}: {drained.commands} commands, {drained.per_second:,.0f} a second")
    return drained


async def _first(seen: Horizons, ends: Mapping[int, int], crew: Sequence[Watched], before: int) -> tuple[float, int]:
    """When something was published first, and how much."""
    deadline = time.monotonic() + DRAIN_SECONDS_MAX
    while (done := seen.done(ends)) == before:
        _check(crew)
        if time.monotonic() > deadline:
            raise TimeoutError("nothing is published")
        await seen.look()
    return time.monotonic(), done


async def _rest(seen: Horizons, ends: Mapping[int, int], crew: Sequence[Watched], before: int, bar: Bar) -> None:
    def check() -> None:
        _check(crew)
        bar.reach(seen.done(ends) - before)

    await seen.reach(ends, seconds=DRAIN_SECONDS_MAX, check=check)


def _check(crew: Sequence[Watched]) -> None:
    for process in crew:
        process.check()
