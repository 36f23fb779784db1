"""A broker whose clock is wrong: it stamps the commands, and lane time is made of these stamps."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults.kafka.brokers import Broker, own_broker
from tests.faults.kafka.lanes import ORGANIZATIONS, are_answered, publish_to_all
from tests.faults.kafka.trial import ready, says_why, trial
from tests.system.deployment import Deployment
from tests.system.provision import PARTITIONS
from tests.system.settling import until

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
HOUR_SECONDS = 3_600
READ_AGAIN_SECONDS = 1

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed (Debian: apt-get install faketime)"),
]


class Clock(NamedTuple):
    """The broker's, set by a file that its process looks at every second."""

    file: Path

    def set_ahead(self, seconds: int) -> None:
        self.file.write_text(f"{seconds:+d}s\n")


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    clock = Clock(tmp_path_factory.mktemp("clock") / "ahead")
    clock.set_ahead(0)
    return clock


@pytest.fixture(scope="module")
def broker(clock: Clock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with such a clock; how time passes is left to it."""
    environment = {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock.file),
        "FAKETIME_CACHE_DURATION": str(READ_AGAIN_SECONDS),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # without it every wait of Java's goes wrong
    }
    with own_broker(tmp_path_factory.mktemp("broker"), environment=environment) as running:
        yield running


@pytest.fixture(autouse=True)
def _right_again(clock: Clock, deployment: Deployment) -> Iterator[None]:
    yield
    clock.set_ahead(0)


async def stamped_ahead(deployment: Deployment) -> float:
    """By how much the newest command lies ahead of the clock of the database, in seconds."""
    newest = max(record.timestamp for record in await deployment.read("commands")) / 1_000
    ((now,),) = await deployment.rows("SELECT extract(epoch FROM clock_timestamp())")
    return float(newest) - float(now)


async def test_a_broker_an_hour_ahead_stops_the_lanes_before_anything_takes_effect_in_the_future(
    clock: Clock, deployment: Deployment
) -> None:
    with deployment.worker() as worker:
        await ready(worker)
        await publish_to_all(deployment, 0, 5)
        await deployment.answers()
        clock.set_ahead(HOUR_SECONDS)
        causes = await says_why(worker, "a broker's clock is wrong", lanes=PARTITIONS)  # ticks are stamped too
        await publish_to_all(deployment, 5, 10)
        assert await stamped_ahead(deployment) > HOUR_SECONDS - 60
        assert worker.process.poll() is None

    assert all(cause.startswith("stopped: commands are stamped ") for cause in causes.values()), causes
    assert not await are_answered(deployment, ORGANIZATIONS, 7)
    ((latest_ahead,),) = await deployment.rows(
        "SELECT extract(epoch FROM max(latest_at) - clock_timestamp()) FROM lanes"
    )
    assert latest_ahead < 0


async def test_commands_before_one_that_is_stamped_ahead_are_answered(clock: Clock, deployment: Deployment) -> None:
    """They are read in one piece: nothing is lost when an operator lets the log begin behind those that are ahead."""
    await publish_to_all(deployment, 0, 5)
    clock.set_ahead(HOUR_SECONDS)

    async def is_ahead() -> bool:
        await publish_to_all(deployment, 5, 6)
        return await stamped_ahead(deployment) > HOUR_SECONDS - 60

    await until(is_ahead, "commands are stamped ahead")
    with deployment.worker() as worker:
        await says_why(worker, "a broker's clock is wrong", lanes=PARTITIONS)

    assert await are_answered(deployment, ORGANIZATIONS, 6)
    assert not await are_answered(deployment, ORGANIZATIONS[:1], 7)


@pytest.mark.parametrize("ahead_seconds", [200, HOUR_SECONDS])
async def test_time_goes_on_though_a_brokers_clock_is_ahead_and_then_steps_back(
    clock: Clock, deployment: Deployment, ahead_seconds: int
) -> None:
    """Two hundred seconds are tolerated as it is; an hour when the operator says so."""
    allowed = {} if ahead_seconds < 300 else {"LANES__CLOCK_AHEAD_SECONDS_MAX": str(2 * HOUR_SECONDS)}
    with deployment.worker(**allowed) as worker:
        async with trial(deployment, worker, heals_in_seconds=60) as traffic:
            clock.set_ahead(ahead_seconds)

            async def is_ahead() -> bool:
                return await stamped_ahead(deployment) > ahead_seconds - 60

            await until(is_ahead, "commands are stamped ahead")
            await traffic.at_least(traffic.sent.total() + 100)
            clock.set_ahead(0)
            count = traffic.sent.total()
            await traffic.at_least(count + 300)

    records = await deployment.read("commands")
    assert any(
        earlier.partition == later.partition and earlier.timestamp > later.timestamp + ahead_seconds * 900
        for earlier, later in pairwise(records)
    ), "the broker's clock never stepped back"
