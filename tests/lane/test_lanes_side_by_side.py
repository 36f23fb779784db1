"""Lanes run side by side: none holds up another, each has its bounds, and each keeps its own time."""

import asyncio
import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiokafka import ConsumerRecord
from sqlalchemy import text
from sqlalchemy.engine import make_url

from schemas.instants import format_instant
from tests.system.checker import check
from tests.system.deployment import Deployment, WorkerProcess, command, ready_account
from tests.system.provision import PARTITIONS, own_database, own_deployment
from tests.system.relay import relay
from tests.system.settling import until
from tests.system.stacks import Addresses
from worker.wire.partitions import partition_of

LANES = range(PARTITIONS)
QUIET = {"LANES__TICK_SECONDS": "3600"}
BUSY = {"LANES__TICK_SECONDS": "0.3"}
MIB = 1024 * 1024
OUTPUTS = ("account_events", "binding_events", "command_results", "accounts", "payers", "dead_letters")


def organization_in(lane: int) -> str:
    return next(name for name in (f"org-{n}" for n in range(100)) if partition_of(name, PARTITIONS) == lane)


ORGANIZATIONS = [organization_in(lane) for lane in LANES]


def binds(organization: str, first: int, last: int) -> list[bytes]:
    return [
        command(organization, "project.bind", f"bind-{number}", project=f"p-{number}", account="main")
        for number in range(first, last)
    ]


async def publish(deployment: Deployment, first: int, last: int) -> None:
    """The same binds to every lane; accounts before the first of them."""
    for organization in ORGANIZATIONS:
        begin = [ready_account(organization, "main")] if first == 0 else []
        await deployment.publish(organization, *begin, *binds(organization, first, last))


async def answered(deployment: Deployment) -> Counter[str]:
    return Counter(message["organization"] for message in await deployment.messages("command_results"))


async def test_a_lane_whose_row_somebody_holds_does_not_hold_up_the_others(deployment: Deployment) -> None:
    held, *others = ORGANIZATIONS
    with deployment.worker(**QUIET) as worker:
        await publish(deployment, 0, 10)
        await deployment.answers()
        async with deployment.engine() as engine, engine.begin() as connection:
            await connection.execute(text("SELECT 1 FROM lanes WHERE partition = 0 FOR UPDATE"))
            await publish(deployment, 10, 30)

            async def others_are_through() -> bool:
                through = await answered(deployment)
                return all(through[other] == 31 for other in others)

            await until(others_are_through, "the lanes that nobody holds are through", seconds=5)
            assert (await answered(deployment))[held] == 11
        await deployment.answers()
        assert worker.readiness() == (True, {})
    await check(deployment)


async def test_a_lane_that_stopped_says_so_and_does_not_hold_up_the_others(deployment: Deployment) -> None:
    await publish(deployment, 0, 10)
    with deployment.worker(**QUIET):
        await deployment.answers()
    async with deployment.engine() as engine, engine.begin() as connection:
        await connection.execute(text("UPDATE lanes SET next_offset = 1000 WHERE partition = 0"))

    with deployment.worker(**QUIET) as worker:
        await publish(deployment, 10, 30)

        async def others_are_through() -> bool:
            return (await answered(deployment)) == Counter(dict(zip(ORGANIZATIONS, [11, 31, 31], strict=True)))

        await until(others_are_through, "the lanes that run are through")
        is_ready, waiting_for = worker.readiness()

    assert not is_ready
    assert list(waiting_for) == ["lane 0"]
    assert "stopped: the log ends at" in waiting_for["lane 0"]


async def test_a_burst_waits_in_kafka_and_not_in_the_memory_of_the_worker(deployment: Deployment) -> None:
    organization = ORGANIZATIONS[0]
    await deployment.publish(organization, ready_account(organization, "main"))
    padded = [value[:-1] + b', "padding": "%s"}' % (b"x" * 100_000) for value in binds(organization, 0, 1_000)]
    with deployment.worker(**QUIET, LANES__QUEUE_RECORDS_MAX="20", LANES__BATCH_RECORDS_MAX="20") as worker:
        await deployment.answers()
        before = memory_peak(worker)
        async with deployment.engine() as engine, engine.begin() as connection:
            await connection.execute(text("SELECT 1 FROM lanes WHERE partition = 0 FOR UPDATE"))
            await deployment.publish(organization, *padded)
            await asyncio.sleep(1)
        await deployment.answers()
        grown = memory_peak(worker) - before

    assert grown < 45 * MIB < 90 * MIB < sum(map(len, padded))
    await check(deployment)


def memory_peak(worker: WorkerProcess) -> int:
    """The most that the process ever had in memory, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker.pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


async def test_an_idle_lane_ticks_so_that_its_answers_become_final_and_nobody_hears_of_it(
    deployment: Deployment,
) -> None:
    async def every_horizon_moved_three_times() -> bool:
        moved = Counter(record.key for record in await deployment.read("horizons"))
        return len(moved) == PARTITIONS and min(moved.values()) >= 3

    with deployment.worker(**BUSY):
        await until(every_horizon_moved_three_times, "every horizon moves while nobody sends anything", seconds=20)

    for lane in LANES:
        through = [
            json.loads(record.value)["data"]["through"]
            for record in await deployment.read("horizons")
            if record.key.endswith(b"/%d" % lane)
        ]
        assert through == sorted(set(through))
    assert {topic: await deployment.read(topic) for topic in OUTPUTS} == {topic: [] for topic in OUTPUTS}


async def test_every_command_takes_effect_at_its_append_time_but_later_than_all_before_it(
    deployment: Deployment,
) -> None:
    with deployment.worker(**BUSY):
        await asyncio.sleep(1)
        await publish(deployment, 0, 200)
        await deployment.answers()

    expected = instants(await deployment.read("commands"))
    found = {
        message["commandposition"].rpartition("/")[0]: message
        for message in await deployment.messages("command_results")
    }
    assert len(found) == deployment.sent
    assert {position: message["time"] for position, message in found.items()}.items() <= expected.items()
    newest = {}
    for record in await deployment.read("horizons"):
        horizon = json.loads(record.value)["data"]
        assert horizon["through"] == expected[f"{record.key.decode()}/{horizon['offset'] - 1}"]
        newest[record.key] = horizon["through"]
    rows = await deployment.rows("SELECT latest_at FROM lanes ORDER BY partition")
    assert [format_instant(at) for (at,) in rows] == [through for _, through in sorted(newest.items())]


def instants(records: list[ConsumerRecord]) -> dict[str, str]:
    """The instant of every record of the commands, ticks too, by its position: max(append time, latest + 1 µs)."""
    latest: dict[int, datetime] = {}
    found = {}
    for record in records:
        appended = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=record.timestamp)
        before = latest.get(record.partition)
        at = appended if before is None else max(appended, before + timedelta(microseconds=1))
        latest[record.partition] = at
        found[f"{record.topic}/{record.partition}/{record.offset}"] = format_instant(at)
    return found


async def test_a_database_that_is_away_is_named_in_readiness_and_work_goes_on_when_it_is_back(
    deployment: Deployment,
) -> None:
    url = make_url(deployment.settings.database.url)
    with relay(f"{url.host}:{url.port}") as database:
        database.let()
        through_relay = url.set(host="127.0.0.1", port=database.port).render_as_string(hide_password=False)
        with deployment.worker(**BUSY, DATABASE__URL=through_relay, LANES__BACKOFF_SECONDS_MAX="0.5") as worker:
            await publish(deployment, 0, 10)
            await deployment.answers()
            assert worker.readiness() == (True, {})
            database.cut()
            await publish(deployment, 10, 20)

            async def says_no() -> bool:
                return len(worker.readiness()[1]) == PARTITIONS

            await until(says_no, "readiness tells of every lane", seconds=15)
            causes = worker.readiness()[1]
            database.let()
            await deployment.answers()
            await asyncio.to_thread(worker.wait_ready)

    assert all(cause.startswith(("waiting: ", "taking over: ")) for cause in causes.values()), causes
    assert any(re.search("[Cc]onnect", cause) for cause in causes.values()), causes
    await check(deployment)


async def test_deciding_the_same_log_again_gives_the_same_bytes_whatever_the_publishing_mode(
    stack: Addresses, migrated: str, deployment: Deployment
) -> None:
    await publish(deployment, 0, 50)
    for organization in ORGANIZATIONS:
        await deployment.publish(organization, b"unreadable", command(organization, "nonsense", "unknown"))
    with deployment.worker(**QUIET):
        await deployment.answers()
    ((installation,),) = await deployment.rows("SELECT id::text FROM installation")
    same_log = {"TOPICS__COMMANDS": deployment.settings.topics.commands}

    async with (
        own_database(stack, migrated, installation) as database_url,
        own_deployment(stack, database_url, **same_log, PUBLISHING__MODE="at-least-once") as again,
    ):
        again.sent = deployment.sent
        with again.worker(**QUIET, LANES__BATCH_RECORDS_MAX="7"):
            await again.answers()
        for topic in OUTPUTS:
            assert by_key(await again.read(topic)) == by_key(await deployment.read(topic))
        await check(again)


def by_key(records: list[ConsumerRecord]) -> dict[bytes | None, list[object]]:
    """What a subscriber sees of each key, in order."""
    found: dict[bytes | None, list[object]] = {}
    for record in records:
        found.setdefault(record.key, []).append((record.value, record.headers, record.timestamp))
    return found
