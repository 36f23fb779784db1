"""What must hold of topics, tables and subscribers after whatever happened: the claims E1 to E10.

`await check(deployment, sent)` on a deployment whose faults are over. Each claim is a function or a small class on
plain data in a module of this package, tried with fabricated violations in `tests/checker`.
"""

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from tests.system.checker import answers, healed, tables
from tests.system.checker.checking import Checking
from tests.system.checker.cut import Cut, cut_of, is_published
from tests.system.checker.instants import raised_by_cut_overs
from tests.system.checker.ledger import Ledger
from tests.system.checker.reading import topics_of
from tests.system.checker.report import Figures, Report, Violated
from tests.system.deployment import Deployment
from worker.settings import PublishingMode
from worker.store.engine import create_engine
from worker.store.queries import reading

if TYPE_CHECKING:
    from tests.system.watched import Seen

__all__ = ["Figures", "Violated", "check"]

HEALED_SECONDS_MAX = 45.0
PUBLISHED_SECONDS_MAX = 10.0
LOOK_SECONDS = 0.1
CHECK_SECONDS_MAX = 600


async def check(
    deployment: Deployment,
    sent: Counter[str] | None = None,
    seen: "Seen | None" = None,
    *,
    healed_within_seconds: float = HEALED_SECONDS_MAX,
) -> Figures:
    """Look at every claim and raise Violated with all that do not hold; how much was looked at.

    `sent` counts the command ids whose publication was acknowledged, `seen` is from `watched`. Workers may live on;
    what is not decided by now, or not healed in time, is a violation.
    """
    began, report = time.monotonic(), Report()
    healed_seconds = await _heal(deployment, report, healed_within_seconds)
    if seen is not None:
        await seen.finish()
    engine = create_engine(
        deployment.settings.database.url,
        application_name="tests: checker",
        command_seconds_max=CHECK_SECONDS_MAX,
        idle_in_transaction_seconds_max=CHECK_SECONDS_MAX,
        by_key=False,
    )
    try:
        async with reading(engine) as connection:
            cut = await cut_of(connection)
            ledger = await tables.journal(connection, deployment.settings.topics)
            checking = await _read(deployment, connection, cut, ledger, seen, report)
    finally:
        await engine.dispose()
    figures = checking.figures
    report.add("E6", checking.past.is_committed(await healed.positions(deployment)))
    if sent is not None:
        report.add("E1", checking.commands.hold_what_was_acknowledged(sent))
        figures.acknowledged = sent.total()
    if seen is not None:
        report.add("E10", answers.stand(await seen.asked_again()))
        figures.answers, figures.unanswered, figures.reconnects = len(seen.answers), seen.unanswered, seen.reconnects
    figures.healed_seconds, figures.seconds = round(healed_seconds, 3), round(time.monotonic() - began, 3)
    report.close()
    return figures


async def _read(
    deployment: Deployment, connection: AsyncConnection, cut: Cut, ledger: Ledger, seen: "Seen | None", report: Report
) -> Checking:
    """Every topic, once what the database had decided is published, and every table."""
    deadline = time.monotonic() + PUBLISHED_SECONDS_MAX
    while True:
        async with (
            topics_of(deployment, "read_committed") as committed,
            topics_of(deployment, "read_uncommitted") as all_,
        ):
            checking = Checking(deployment, committed, all_, cut, ledger, seen, report=Report())
            await checking.read_horizons()
            unpublished = list(is_published(cut, checking.horizons))
            if unpublished and time.monotonic() < deadline:
                await asyncio.sleep(LOOK_SECONDS)
                continue
            report.add("E9", unpublished)
            checking.instants.raised = await raised_by_cut_overs(connection)
            await checking.read_commands()
            await checking.read_results_and_events()
            await checking.read_states()
            await checking.compare_tables(connection)
            checking.report.pass_on(report)
            return checking


async def _heal(deployment: Deployment, report: Report, seconds: float) -> float:
    """E9: wait until the deployment is at rest; how long that took."""
    began = time.monotonic()
    is_transactional = deployment.settings.publishing.mode is PublishingMode.EXACTLY_ONCE
    while True:
        rest = await healed.look(deployment)
        wrong = list(healed.is_at_rest(rest, publishes_offsets=is_transactional))
        if not wrong or time.monotonic() - began > seconds:
            break
        await asyncio.sleep(LOOK_SECONDS)
    report.add("E9", wrong)
    return time.monotonic() - began
