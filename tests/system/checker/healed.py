"""E9: after the faults nothing is left behind: no lag, nothing unpublished, no connection, no open transaction."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import psutil

from tests.system.checker.commands import TICK, said_by
from tests.system.checker.reading import logs_of
from tests.system.deployment import Deployment
from worker.broker import clients

APPLICATION = "billing-worker"
DECIDED_SECONDS_MAX = 5
"""How long a transaction may be open: a worker that publishes needs a fraction of it."""

LOOK_SECONDS = 0.05


class Lane(NamedTuple):
    """What a lane's row says."""

    partition: int
    next_offset: int
    published: int
    stopped: str | None


@dataclass
class Rest:
    """What tells whether a deployment has come to rest. `undecided` are commands at or past a lane's position."""

    lanes: list[Lane] = field(default_factory=list)
    group: dict[int, int] = field(default_factory=dict)
    undecided: dict[int, int] = field(default_factory=dict)
    open_logs: list[str] = field(default_factory=list)
    connections: list[str] = field(default_factory=list)
    workers: int = 0
    """Processes that live: theirs the connections may be."""


def is_at_rest(rest: Rest, *, publishes_offsets: bool = True) -> Iterator[str]:
    """What has not healed. Without transactions no offsets go to the group."""
    for lane in rest.lanes:
        if lane.stopped is not None:
            yield f"lane {lane.partition} has stopped: {lane.stopped}"
        committed = rest.group.get(lane.partition, -1)
        if publishes_offsets and lane.next_offset > 0 and committed != lane.next_offset:
            yield f"lane {lane.partition} stands at {lane.next_offset}, the group at {committed}"
    for partition, count in sorted(rest.undecided.items()):
        if count:
            yield f"lane {partition} has {count} commands that are not decided"
    for log in rest.open_logs:
        yield f"{log} has a transaction that is still open"
    for connection in rest.connections:
        if not rest.workers:
            yield f"no worker lives, but it holds the connection {connection}"
        elif "idle in transaction" in connection:
            yield f"a worker holds the connection {connection}"


async def look(deployment: Deployment) -> Rest:
    """How the deployment stands now."""
    lanes = await deployment.rows("SELECT partition, next_offset, published, stopped FROM lanes")
    connections = await deployment.rows(
        "SELECT pid, state, now() - state_change AS age, left(query, 60) AS query FROM pg_stat_activity"  # noqa: S608
        f" WHERE datname = current_database() AND application_name = '{APPLICATION}' AND pid <> pg_backend_pid()"
    )
    return Rest(
        lanes=[Lane(*row) for row in lanes],
        group=await _group(deployment),
        undecided=await _undecided(deployment, {row.partition: row.next_offset for row in lanes}),
        open_logs=await _open_logs(deployment),
        connections=[f"{row.pid} ({row.state} for {row.age}: {row.query})" for row in connections],
        workers=_living_workers(deployment) if connections else 0,
    )


async def positions(deployment: Deployment) -> dict[int, int]:
    """Where each lane stands now."""
    return dict(tuple(row) for row in await deployment.rows("SELECT partition, next_offset FROM lanes"))


async def _group(deployment: Deployment) -> dict[int, int]:
    kafka, topic = deployment.settings.kafka, deployment.settings.topics.commands
    admin = clients.admin(kafka)
    await admin.start()
    try:
        committed = await admin.list_consumer_group_offsets(kafka.group_id)
    finally:
        await admin.close()
    return {log.partition: found.offset for log, found in committed.items() if log.topic == topic}


async def _undecided(deployment: Deployment, positions: dict[int, int]) -> dict[int, int]:
    """How many commands lie at or past each position. A tick that a worker left behind when it went is no lag."""
    logs = [log for log in await logs_of(deployment) if log.topic == deployment.settings.topics.commands]
    found: Counter[int] = Counter()
    async with clients.consuming(deployment.settings.kafka) as consumer:
        starts, ends = await consumer.beginning_offsets(logs), await consumer.end_offsets(logs)
        behind = {log for log in logs if max(starts[log], positions.get(log.partition, 0)) < ends[log]}
        consumer.assign(list(behind))
        for log in behind:
            consumer.seek(log, max(starts[log], positions.get(log.partition, 0)))
        while behind := {log for log in behind if await consumer.position(log) < ends[log]}:
            for log, records in (await consumer.getmany(*behind, timeout_ms=100)).items():
                found[log.partition] += sum(1 for record in records if said_by(record)[1] != {TICK})
    return dict(found)


async def _open_logs(deployment: Deployment) -> list[str]:
    """Logs in which what lies there now is not decided in time. Workers that live go on opening transactions."""
    logs = await logs_of(deployment)
    async with clients.consuming(deployment.settings.kafka, isolation="read_uncommitted") as consumer:
        ends = await consumer.end_offsets(logs)
    async with clients.consuming(deployment.settings.kafka, isolation="read_committed") as consumer:
        deadline = time.monotonic() + DECIDED_SECONDS_MAX
        while True:
            committed = await consumer.end_offsets(logs)
            waiting = [log for log in logs if committed[log] < ends[log]]
            if not waiting or time.monotonic() > deadline:
                return sorted(f"{log.topic}/{log.partition}" for log in waiting)
            await asyncio.sleep(LOOK_SECONDS)


def _living_workers(deployment: Deployment) -> int:
    """Processes of this deployment's group, on this machine."""
    group = deployment.environment["BILLING_KAFKA__GROUP_ID"]
    living = 0
    for process in psutil.process_iter(["environ", "cmdline", "status"]):
        environment, command = process.info["environ"] or {}, process.info["cmdline"] or []
        if environment.get("BILLING_KAFKA__GROUP_ID") == group and "run" in command:
            living += process.info["status"] != psutil.STATUS_ZOMBIE
    return living
