"""`verify` beside a worker that goes on: what it cannot know yet is no counterexample."""

import asyncio

import pytest

from tests.recovery.verified import history
from tests.system.deployment import Deployment
from tests.system.provision import own_deployment
from tests.system.stacks import Addresses
from tests.system.traffic import traffic
from worker.recovery.progress import Bar
from worker.recovery.verify.finding import Finding
from worker.recovery.verify.run import Asked, Report, verify

ORGANIZATIONS = ("acme", "umbrella", "initech", "hooli")
LOOKS = 3


async def look(deployment: Deployment) -> tuple[Report, dict[str, Finding]]:
    found: dict[str, Finding] = {}
    report = await verify(
        deployment.settings,
        Asked(topics=True),
        Bar(None),
        lambda each: found.update({each.check.name: each}),
        lambda _: None,
    )
    return report, {name: finding for name, finding in found.items() if not finding.holds}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "settings",
    [
        {"RULES__SUSPENSION_NOTICE_SECONDS": "0", "RULES__TOMBSTONE_AFTER_SECONDS": "0"},
        {
            "RULES__PAYMENT_PROFILE_REQUIRED": "false",
            "RULES__PROJECT_REGISTRY": "strict",
            "RULES__SUSPENSION_NOTICE_SECONDS": "0",
            "PUBLISHING__MODE": "at-least-once",
        },
    ],
    ids=["exactly-once", "at-least-once, other rules"],
)
async def test_every_claim_holds_at_any_moment_of_a_system_that_goes_on(
    stack: Addresses, database_url: str, settings: dict[str, str]
) -> None:
    async with own_deployment(stack, database_url, **settings) as deployment:
        with deployment.worker(LANES__TICK_SECONDS="0.5") as worker:
            await asyncio.to_thread(worker.wait_ready)
            await deployment.publish("acme", *history("acme"))
            rows = []
            for number in range(LOOKS):
                going_on = asyncio.create_task(deployment.publish_many(traffic(number, ORGANIZATIONS, 400)))
                report, refuted = await look(deployment)
                assert {name: finding.counterexamples for name, finding in refuted.items()} == {}
                rows.append(report.rows)
                await going_on
            await deployment.answers()
        report, refuted = await look(deployment)

    assert {name: finding.counterexamples for name, finding in refuted.items()} == {}
    assert report.holds
    assert rows[0] < report.rows
