"""A worker whose clock is an hour off: instants come from the brokers, so nothing that it does shows it."""

import asyncio
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.instants import format_instant, parse_instant
from tests.faults.backlog import ORGANIZATIONS, binds, publish, publish_all
from tests.faults.course import course
from tests.faults.lanes import own_lanes
from tests.system.deployment import Around, Deployment, command, ready_account
from tests.system.settling import until

pytestmark = pytest.mark.timeout(300)

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)
HEAL_SECONDS = 90
SPAN = timedelta(minutes=4)
"""How far from its beginning the instants of a test may lie: it takes less, and the clock is off by much more."""

HOURS = [pytest.param(shift, id=name, marks=pytest.mark.slow) for shift, name in (("+1h", "ahead"), ("-1h", "behind"))]


def clock(shift: str) -> Around:
    """A clock that is off. How fast time goes stays as it is."""
    return Around(environment={"LD_PRELOAD": str(LIBRARY), "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"})


def suspensions(account: str, due_at: datetime) -> Iterator[tuple[str, str, bytes]]:
    """In every organization an account that is to be suspended at an instant."""
    data = {"account": account, "reason": "ADMINISTRATIVE", "message": "Audit.", "dueAt": format_instant(due_at)}
    for organization in ORGANIZATIONS:
        yield organization, f"create-{account}", ready_account(organization, account)
        id_ = f"schedule-{account}"
        yield organization, id_, command(organization, "account.schedule-suspension", id_, **data)


@pytest.mark.skipif(LIBRARY is None, reason="needs libfaketime")
@pytest.mark.parametrize("shift", HOURS)
async def test_a_clock_that_is_an_hour_off_shows_in_no_instant_and_does_nothing_early(
    each_mode: Deployment, shift: str
) -> None:
    began_at = datetime.now(UTC)
    settings = {"RULES__SUSPENSION_NOTICE_SECONDS": "0"}
    async with course(each_mode) as ran:
        with each_mode.worker(clock(shift), **settings) as wrong:
            await asyncio.to_thread(wrong.wait_ready, HEAL_SECONDS)
            assert abs(parse_instant(wrong.said("listening")[0]["timestamp"]) - began_at) > SPAN, "the clock is right"
            ran.sent += await publish(each_mode, rounds=20)
            ran.sent += await publish_all(each_mode, suspensions("later", datetime.now(UTC) + timedelta(minutes=30)))
            ran.sent += await publish_all(each_mode, suspensions("soon", datetime.now(UTC) + timedelta(seconds=3)))
            await until(lambda: _have_fallen(each_mode, "soon"), "what falls due is done", HEAL_SECONDS)
            with each_mode.worker(**settings) as right:
                await until(lambda: own_lanes(wrong, right), "both own lanes", HEAL_SECONDS)
                ran.sent += await publish_all(each_mode, binds("both", "both", "main"))
                await each_mode.answers(HEAL_SECONDS)
                wrong.send(signal.SIGKILL)
                ran.sent += await publish_all(each_mode, binds("late", "late", "main"))
                await each_mode.answers(HEAL_SECONDS)

    for topic in ("account_events", "binding_events", "command_results", "horizons"):
        for message in await each_mode.messages(topic):
            assert abs(parse_instant(message["time"]) - began_at) < SPAN, message
    assert await _suspended(each_mode) == {"soon"}


async def _have_fallen(deployment: Deployment, account: str) -> bool:
    events = await deployment.messages("account_events")
    fallen = {
        event["organization"]
        for event in events
        if event["type"] == "billing.account.hold-placed.v1" and event["subject"].endswith(f"/{account}")
    }
    return fallen == set(ORGANIZATIONS)


async def _suspended(deployment: Deployment) -> set[str]:
    return {account for (account,) in await deployment.rows("SELECT account FROM accounts WHERE phase = 'Suspended'")}
