"""Puts the worker together: the one place that knows every part."""

import asyncio
import faulthandler
import gc
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar

import structlog
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker import failpoints, metrics
from worker.broker import clients, topics
from worker.lane.faults import cause_of, is_fault
from worker.lane.intake import Intake
from worker.lane.kafka import KafkaTopics
from worker.lane.ownership import Ownership
from worker.lane.parts import Parts
from worker.lane.ports import Topics
from worker.lane.sending import TopicNames
from worker.lane.tracing import TracedTopics, Traces
from worker.lane.turns import Turns
from worker.lane.watchdog import Watchdog
from worker.ops.health import Health, HealthServer
from worker.ops.retention import Retention
from worker.settings import Settings
from worker.store import audit, installation, revisions
from worker.store.database import PostgresDatabase
from worker.store.engine import create_engine, limits
from worker.store.refusals import advice_on
from worker.wire.writer import Writer

log = structlog.get_logger(__name__)

RETRY_SECONDS_MAX = 10.0
REJOIN_SECONDS = 1.0
COLLECT_SECONDS = 30.0
CLOSE_SECONDS_MAX = 2.0

T = TypeVar("T")


class NotReadyError(Exception):
    """Something that the worker needs is not as it must be; the message says what and what to do."""


def stop_on_signals(stopping: asyncio.Event) -> None:
    """Let SIGTERM and SIGINT set the event, in the running loop."""
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_, stopping.set)


async def run(settings: Settings, stopping: asyncio.Event, *, on_ready: Callable[[str], None] = lambda _: None) -> None:
    """Work until `stopping` is set, then drain and leave.

    Waits for a database or broker that is away, and says so. `on_ready` gets the address of the health endpoints
    once the worker has joined its group. Raises OSError when the HTTP port is taken, WorkerStuckError when only a new
    process helps.
    """
    failpoints.configure(settings.testing.failpoints)
    _spare_the_collector()
    async with AsyncExitStack() as stack:
        health = Health({"start": "has not joined the group yet"})
        server = HealthServer(settings.http, health)
        address = await server.start()
        stack.push_async_callback(server.stop)
        log.info("listening", address=address)
        work = asyncio.create_task(_work(settings, health, stack, lambda: on_ready(address)))
        stop = asyncio.create_task(stopping.wait())
        collecting = asyncio.create_task(_collect_now_and_then())
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        collecting.cancel()
        if work.done():
            work.result()
        log.info("draining")
        work.cancel()
        await asyncio.wait({work})


def _spare_the_collector() -> None:
    """Look for cycles seldom: a batch makes many short-lived values and no cycles.

    By default more than a quarter of the CPU time went into looking (measured: 113 µs a command with, 82 without).
    Faults do make cycles, with whatever a batch held in them: those are looked for by the clock.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000, 50, 50)


async def _collect_now_and_then() -> None:
    while True:
        await asyncio.sleep(COLLECT_SECONDS)
        gc.collect()


async def _work(settings: Settings, health: Health, stack: AsyncExitStack, on_ready: Callable[[], None]) -> None:
    """Assemble the parts as soon as what they need is there, then mind the group's membership for ever."""
    engine = create_engine(
        settings.database.url,
        connections_max=settings.database.pool_size,
        command_seconds_max=settings.database.command_timeout_seconds,
        server_limits=limits(
            idle_in_transaction_seconds=settings.database.idle_in_transaction_seconds_max,
            statement_seconds=settings.database.command_timeout_seconds,
        ),
    )
    stack.push_async_callback(_let_go, engine)
    names = TopicNames(settings)
    traces = _begin_traces(settings, names, stack)

    async def assemble() -> Parts:
        async with engine.begin() as connection:
            await _check_schema(connection)
            declared = await installation.declare(connection, settings.topics.commands, partitions)
            cut_overs = await audit.cut_overs(connection)
        _check_declared(settings, declared, partitions)
        topics: Topics = KafkaTopics(settings, names, declared.id)
        return Parts(
            settings=settings,
            database=PostgresDatabase(
                engine, declared.id, settings.rules.as_rules(), partitions=declared.partitions or partitions
            ),
            topics=topics if traces is None else TracedTopics(topics, traces),
            installation=declared.id,
            partitions=declared.partitions or partitions,
            names=names,
            writer=Writer(declared.id, settings.publishing.source),
            cut_overs=cut_overs,
            turns=Turns(settings.lanes.batches_max),
            traces=traces,
        )

    kafka = f"Kafka at {settings.kafka.bootstrap_servers}"
    address = make_url(settings.database.url)
    postgres = f"PostgreSQL at {address.host or 'this machine'}:{address.port or 5432}/{address.database}"
    partitions = await _patiently(lambda: _partitions_of(settings), "topics", kafka, health)
    parts = await _patiently(assemble, "database", postgres, health)
    ownership = Ownership(parts)
    intake = Intake(settings, ownership, ownership.offer, ownership.cannot_read)
    ownership.attach(intake)
    await _patiently(intake.start, "join", kafka, health)
    stack.push_async_callback(intake.stop)
    stack.push_async_callback(ownership.release)
    await ownership.assigned.wait()
    watchdog = Watchdog(settings, ownership, intake)
    health.unready, health.stuck, health.measure = watchdog.unready, watchdog.stuck, watchdog.measure
    health.waiting_for.pop("start", None)
    on_ready()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watchdog.watch())
            tasks.create_task(_rejoin_when_fenced(ownership, intake, kafka, health))
            tasks.create_task(Retention(settings, engine, cause_of).keep())
    except ExceptionGroup as group:
        # What is stuck may not let itself be closed either.
        faulthandler.dump_traceback_later(settings.lanes.drain_seconds_max * 3, exit=True)
        raise group.exceptions[0] from None


def _begin_traces(settings: Settings, names: TopicNames, stack: AsyncExitStack) -> Traces | None:
    """None where they are off: nothing of OpenTelemetry is loaded then, and a batch asks once whether there are any."""
    if not settings.traces.is_exporting:
        return None
    from worker.lane.spans import Spans  # noqa: PLC0415 - what they need is an extra
    from worker.ops.tracing import Tracing  # noqa: PLC0415

    try:
        tracing = Tracing(metrics.release())
    except ValueError as error:
        log.error("traces_off", cause=str(error))  # noqa: TRY400 - a variable is wrong, which the words say
        return None
    stack.push_async_callback(tracing.stop)
    return Spans(tracing.tracer, settings, names, follows_parents=tracing.follows_parents)


async def _rejoin_when_fenced(ownership: Ownership, intake: Intake, kafka: str, health: Health) -> None:
    while True:
        await ownership.fenced.wait()
        ownership.fenced.clear()
        # Another worker took a lane that this one thought its own: whoever is right, the group knows.
        log.warning("fenced", action="joining the group anew")
        await asyncio.sleep(REJOIN_SECONDS)
        # Stopping the client revokes nothing: lanes that were not drained would go on beside their successors. And as
        # long as it is a member, it may be assigned more while they are drained.
        await _patiently(intake.leave, "leave", kafka, health)
        await ownership.release()
        await _patiently(intake.rejoin, "rejoin", kafka, health)


async def _let_go(engine: AsyncEngine) -> None:
    """Close the connections; those of a database that has fallen silent would each wait for the whole time limit."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS_MAX):
            await engine.dispose()
    except TimeoutError:
        await engine.dispose(close=False)


async def _patiently(attempt: Callable[[], Awaitable[T]], what: str, where: str, health: Health) -> T:
    """Try until it works. What is away is named with its address, in the log and in health."""
    seconds = 0.25
    while True:
        try:
            result = await attempt()
        except Exception as error:
            if not (is_fault(error) or isinstance(error, NotReadyError)):
                raise
            advice = advice_on(error)
            cause = f"{cause_of(error)}{f'; {advice}' if advice else ''} ({where})"
            health.waiting_for[what] = cause
            log.warning("waiting", step=what, cause=cause, retry_seconds=seconds)
            await asyncio.sleep(seconds)
            seconds = min(RETRY_SECONDS_MAX, seconds * 2)
        else:
            health.waiting_for.pop(what, None)
            return result


async def _partitions_of(settings: Settings) -> int:
    """How many partitions the command topic has now."""
    name = settings.topics.commands
    async with clients.administering(settings.kafka) as admin:
        present = await topics.present_partitions(admin)
        unseen = set() if name in present else await topics.hidden(admin, [name])
    if name in unseen:
        raise NotReadyError(f"topic {name} may not be read: `billing-worker topics plan` prints the rights")
    if name not in present:
        raise NotReadyError(f"topic {name} is missing: `billing-worker topics apply` makes it")
    return present[name]


async def _check_schema(connection: AsyncConnection) -> None:
    if not await revisions.goes_with(connection):
        current = await revisions.current_revision(connection)
        advice = revisions.advice_on(current)
        msg = f"the database's schema is {current or 'empty'}, not {revisions.head_revision()}: {advice}"
        raise NotReadyError(msg)


def _check_declared(settings: Settings, declared: installation.Installation, partitions: int) -> None:
    if declared.commands_topic != settings.topics.commands:
        msg = f"this database belongs to the topic {declared.commands_topic}, not {settings.topics.commands}"
        raise NotReadyError(msg)
    if declared.partitions != partitions:
        log.error(
            "partitions_differ",
            declared=declared.partitions,
            actual=partitions,
            effect="commands outside the declared partitions are refused until the cut-over",
        )
