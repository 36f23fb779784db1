"""All of it: the database first, then the cluster, then what takes both to see."""

from collections.abc import AsyncIterator
from typing import Final

from sqlalchemy import text

from worker.ops.doctor import agreement, cluster, database
from worker.ops.doctor.finding import Finding, Findings
from worker.settings import Settings
from worker.store import installation, lanes
from worker.store.engine import create_engine
from worker.store.installation import Installation
from worker.store.lanes import Lane

DATABASE_SECONDS_MAX: Final = 20.0
_NOW = text("SELECT clock_timestamp()")
_START_IT = "is it running? BILLING_DATABASE__URL says where it is and who asks"


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Look at everything; changes nothing and writes nothing. What cannot be reached is a finding too."""
    known: tuple[Installation, list[Lane]] | None = None
    now = None
    findings = Findings("postgresql")

    async def look() -> None:
        nonlocal known, now
        engine = create_engine(settings.database.url, application_name="billing-worker doctor", connections_max=1)
        try:
            async with engine.connect() as connection:
                if await database.examine(findings, connection, settings):
                    known = await installation.read(connection), await lanes.read_all(connection)
                    now = (await connection.execute(_NOW)).scalar_one()
        finally:
            await engine.dispose()

    await findings.within(DATABASE_SECONDS_MAX, "server", look(), _START_IT)
    for finding in findings.all:
        yield finding
    of_cluster = await cluster.examine(settings, known[0].id if known else None)
    for finding in of_cluster:
        yield finding
    if known is None or now is None:
        return

    async def lanes_now() -> list[Lane]:
        engine = create_engine(settings.database.url, application_name="billing-worker doctor", connections_max=1)
        try:
            async with engine.connect() as connection:
                return await lanes.read_all(connection)
        finally:
            await engine.dispose()

    for finding in await agreement.examine(settings, *known, now, lanes_now):
        yield finding
