"""The page's row about a broker's clock: what was stamped ahead stays so, and goes through by an operator's word."""

import pytest

from tests.faults.kafka.conftest import deployment  # noqa: F401 - on the broker with the clock
from tests.faults.kafka.lanes import ORGANIZATIONS, are_answered, publish_to_all
from tests.faults.kafka.test_clocks_of_brokers import (  # noqa: F401 - fixtures, and the library that there has to be
    HOUR_SECONDS,
    LIBRARIES,
    Clock,
    broker,
    clock,
)
from tests.faults.kafka.trial import ready, says_why
from tests.recovery.drills import page
from tests.recovery.drills.operator import operator
from tests.recovery.programs import SECONDS_MAX
from tests.system.checker import check
from tests.system.deployment import Deployment
from tests.system.provision import PARTITIONS

SECTION = "A lane has stopped"
WHY = "past the database's clock"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed (Debian: apt-get install faketime)"),
]


async def test_lanes_that_a_clock_ahead_has_stopped_go_on_by_the_setting_once_it_is_mended(
    clock: Clock,  # noqa: F811
    deployment: Deployment,  # noqa: F811
) -> None:
    _, _, what = page.row(SECTION, "commands are stamped")
    (setting,) = [span for span in page.spans(what) if span.startswith("BILLING_")]
    async with operator(deployment) as somebody:
        somebody.run()
        await publish_to_all(deployment, 0, 5)
        await deployment.answers(SECONDS_MAX)
        clock.set_ahead(HOUR_SECONDS)
        await says_why(somebody.worker, WHY, lanes=PARTITIONS, seconds=SECONDS_MAX)
        clock.set_ahead(0)
        await publish_to_all(deployment, 5, 10)
        await somebody.stop_the_workers()

        somebody.run()
        await says_why(somebody.worker, WHY, lanes=PARTITIONS, seconds=SECONDS_MAX)
        assert not await are_answered(deployment, ORGANIZATIONS[:1], 7)
        await somebody.stop_the_workers()
        somebody.run(**{setting.removeprefix("BILLING_"): str(2 * HOUR_SECONDS)})
        await deployment.answers(SECONDS_MAX)
        await ready(somebody.worker, seconds=SECONDS_MAX)
        await somebody.stop_the_workers()
        await check(deployment)
