"""Two releases side by side in one group, as during every roll-out: on to the new one, and back."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.faults.course import course
from tests.faults.lanes import own_lanes
from tests.faults.releases import earlier_release
from tests.faults.test_rolling_restarts import end
from tests.system.deployment import Around, Deployment
from tests.system.load import load
from tests.system.settling import until

pytestmark = pytest.mark.timeout(300)

READY_SECONDS = 90
HEAL_SECONDS = 90
RATE = 40
"""Commands a second. Much falls due among them, so they are decided one by one, and pile up while nobody works."""


@pytest.fixture
def earlier(each_mode: Deployment, tmp_path: Path) -> Around:
    """Where an earlier release lies."""
    release = earlier_release(tmp_path, each_mode.environment)
    if release is None:
        pytest.skip("no earlier release that goes with this database: a checkout without history, or a new migration")
    return Around(release)


@pytest.mark.slow
async def test_an_earlier_release_and_this_one_work_side_by_side_in_one_group(
    each_mode: Deployment, earlier: Around
) -> None:
    async with course(each_mode) as ran:
        with each_mode.worker(earlier) as old:
            async with load(each_mode, rate=RATE) as traffic:
                await traffic.at_least(200)
                with each_mode.worker() as new:
                    await until(lambda: own_lanes(old, new), "both own lanes", READY_SECONDS)
                    await traffic.at_least(traffic.sent.total() + 200)
                    await end(old)
                    await traffic.at_least(traffic.sent.total() + 200)
                    with each_mode.worker(earlier) as back:
                        await until(lambda: own_lanes(back), "the earlier one is back", READY_SECONDS)
                        new.send(signal.SIGKILL)
                        await traffic.at_least(traffic.sent.total() + 200)
                        await asyncio.to_thread(back.wait_ready, READY_SECONDS)
            with each_mode.worker():
                await each_mode.answers(HEAL_SECONDS)
        ran.sent += traffic.sent
