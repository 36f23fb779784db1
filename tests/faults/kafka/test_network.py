"""The network between worker and broker: replies lost at each moment of the protocol, slow, and silent."""

import re

import pytest

from tests.faults.kafka.brokers import Broker
from tests.faults.kafka.trial import is_live, not_ready, trial
from tests.system.deployment import Deployment
from tests.system.provision import PARTITIONS
from tests.system.settling import until

REQUESTS = {
    "produce": 0,
    "fetch": 1,
    "join-group": 11,
    "init-producer-id": 22,
    "add-partitions-to-txn": 24,
    "add-offsets-to-txn": 25,
    "end-txn": 26,
    "txn-offset-commit": 28,
}
"""Requests by the numbers of Kafka's protocol."""

NOTICED_SECONDS = 45
AT_A_TAKE_OVER = {"join-group", "init-producer-id"}
TIMES = 3


def request(name: str) -> re.Pattern[bytes]:
    """How a request of the worker begins: its number, its version, a correlation, the client's name."""
    number = re.escape(bytes([REQUESTS[name]]))
    return re.compile(rb"\x00" + number + rb"\x00[\x00-\x0f].{4}\x00\x0ebilling-worker", re.DOTALL)


QUICK = ("produce", "end-txn")
"""The others show what these show."""


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in REQUESTS]
)
async def test_a_reply_that_is_lost_after_its_request_arrived_loses_and_doubles_nothing(
    broker: Broker, deployment: Deployment, name: str
) -> None:
    if name in AT_A_TAKE_OVER:
        broker.relay.cut_after(request(name), times=TIMES)
    with deployment.worker(**broker.through_relay) as worker:
        async with trial(deployment, worker, heals_in_seconds=60, rate=200) as traffic:
            if name not in AT_A_TAKE_OVER:
                broker.relay.cut_after(request(name), times=TIMES, every=5)
            await until(lambda: are_lost(broker), f"{TIMES} replies to {name} are lost")
            await traffic.at_least(traffic.sent.total() + 100)


async def are_lost(broker: Broker) -> bool:
    return broker.relay.replies_lost == TIMES


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_two_seconds_of_latency_slow_the_worker_down_and_do_not_stop_it(
    broker: Broker, deployment: Deployment
) -> None:
    with deployment.worker(**broker.through_relay) as worker:
        async with trial(deployment, worker, heals_in_seconds=60, rate=20):
            broker.relay.delay(1)  # each way
            before = await published(deployment)

            async def goes_on() -> bool:
                return await published(deployment) > before + 100

            await until(goes_on, "more is published in spite of the latency", 100)
            assert worker.readiness()[0] or is_live(worker)
            broker.relay.delay(0)


async def published(deployment: Deployment) -> int:
    """How much of all lanes is known to be published."""
    ((sum_,),) = await deployment.rows("SELECT coalesce(sum(published), 0) FROM lanes")
    return int(sum_)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("direction", ["both", "replies"])
async def test_a_network_that_falls_silent_without_a_sign_is_noticed_and_outlived(
    broker: Broker, deployment: Deployment, direction: str
) -> None:
    with deployment.worker(**broker.through_relay) as worker:
        async with trial(deployment, worker, heals_in_seconds=90):
            if direction == "both":
                broker.relay.freeze()
            else:
                broker.relay.swallow_replies()
            causes = await not_ready(worker, PARTITIONS, NOTICED_SECONDS)
            assert is_live(worker)
            broker.relay.thaw()

    assert all(re.search("Kafka|Request|within", cause) for cause in causes.values()), causes
