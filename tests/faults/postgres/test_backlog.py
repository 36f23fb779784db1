"""A million records that are not published yet: they go out from the journal, and not through the worker's memory."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.faults.backlog import publish_all
from tests.faults.kafka.asking import delete_group
from tests.faults.postgres.scenario import is_live, ready, told
from tests.faults.postgres.servers import ask
from tests.system.checker import check
from tests.system.deployment import Deployment, WorkerProcess, command, ready_account
from tests.system.provision import PARTITIONS
from tests.system.settling import until
from worker.broker import clients, topics
from worker.wire.partitions import partition_of

RECORDS = 1_000_000
DRAIN_SECONDS = 900
GROWTH_BYTES_MAX = 128 * 1024 * 1024

ORGANIZATIONS = [
    next(name for name in (f"org-{n}" for n in range(100)) if partition_of(name, PARTITIONS) == lane)
    for lane in range(PARTITIONS)
]
GROUPS, PROJECTS, MOVES = 12, 1_000, 9
"""Of each organization: so many times so many projects, bound and then moved to and fro."""


def commands() -> Iterator[tuple[str, str, bytes]]:
    """Organization, command id, bytes. A bind has four records, a move three for each project and its result."""
    for organization, group in product(ORGANIZATIONS, range(GROUPS)):
        pair = f"{group}-main", f"{group}-other"
        projects = [f"{group}-p-{number}" for number in range(PROJECTS)]
        for account in pair:
            yield organization, f"create-{account}", ready_account(organization, account)
        for name in projects:
            yield organization, name, command(organization, "project.bind", name, project=name, account=pair[0])
        for number in range(MOVES):
            id_, (source, target) = f"{group}-move-{number}", pair if number % 2 == 0 else reversed(pair)
            there = {"from": source, "to": target}
            yield organization, id_, command(organization, "account.move-projects", id_, **there)


async def lose_what_was_published(deployment: Deployment) -> None:
    """Every topic but the commands is made anew, and whoever could say that anything was published forgets it."""
    lost = [plan for plan in topics.plan(deployment.settings) if plan.name != deployment.settings.topics.commands]
    admin = clients.admin(deployment.settings.kafka)
    await admin.start()
    try:
        await admin.delete_topics([plan.name for plan in lost])

        async def are_gone() -> bool:
            return not {plan.name for plan in lost} & set(await admin.list_topics())

        await until(are_gone, "the topics are gone")
        await topics.apply(admin, await topics.compare(admin, lost))
    finally:
        await admin.close()
    await delete_group(deployment)
    await ask(deployment.settings.database.url, "UPDATE lanes SET published = 0, horizon_offset = NULL, stopped = NULL")


def memory(worker: WorkerProcess, kind: str) -> int:
    """In bytes: VmRSS is what the process has now, VmHWM the most that it ever had."""
    found = re.search(rf"{kind}:\s+(\d+) kB", Path(f"/proc/{worker.pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


@pytest.mark.slow
@pytest.mark.timeout(3_600)
async def test_a_million_records_that_are_not_published_go_out_in_bounded_memory(
    deployment: Deployment, runtime_url: str
) -> None:
    url = deployment.settings.database.url
    engine = create_async_engine(url, isolation_level="REPEATABLE READ")
    async with engine.connect() as oldest:  # holds the horizon: nothing that was deleted since can be cleaned up
        await oldest.execute(text("SELECT pg_current_xact_id()"))
        with deployment.worker(DATABASE__URL=runtime_url) as worker:
            await ready(worker)
            idle_bytes = memory(worker, "VmRSS")
            sent: Counter[str] = await publish_all(deployment, commands())
            await deployment.answers(DRAIN_SECONDS)
        await lose_what_was_published(deployment)
        ((records, size),) = await ask(url, "SELECT count(*), sum(octet_length(value)) FROM journal")
        assert records > RECORDS
        with deployment.worker(DATABASE__URL=runtime_url) as worker:
            await told(worker, "lane_runs", PARTITIONS, DRAIN_SECONDS)
            assert is_live(worker)
            await ready(worker)
            grown = memory(worker, "VmHWM") - idle_bytes
            assert worker.said("lane_waits") == []
    await engine.dispose()

    await check(deployment, sent)
    assert grown < GROWTH_BYTES_MAX < size / 3
