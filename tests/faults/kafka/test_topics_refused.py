"""Topics that may not be written any more, or are gone: whoever needs them waits, nobody ends, nothing is skipped."""

from collections.abc import Iterator

import pytest

from tests.faults.kafka.asking import asking
from tests.faults.kafka.brokers import Broker, own_broker
from tests.faults.kafka.lanes import ORGANIZATIONS, are_answered, ids_of, publish_to_all
from tests.faults.kafka.permissions import AUTHORIZER, write_denied
from tests.faults.kafka.trial import not_ready, ready, says_why, told, trial
from tests.system.checker import check
from tests.system.deployment import Deployment, ready_account
from tests.system.provision import PARTITIONS, TOPICS
from tests.system.settling import until
from worker.broker import topics

OUTPUTS = tuple(name for name in TOPICS if name != "commands")
SOON = {"LANES__BACKOFF_SECONDS_MAX": "1", "LANES__TICK_SECONDS": "3600"}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that looks at rights."""
    with own_broker(tmp_path_factory.mktemp("broker"), AUTHORIZER) as running:
        yield running


async def test_without_the_right_to_write_every_lane_waits_and_goes_on_when_it_is_back(deployment: Deployment) -> None:
    with deployment.worker(**SOON) as worker:
        async with trial(deployment, worker, heals_in_seconds=30), write_denied(deployment, *OUTPUTS):
            causes = await not_ready(worker, PARTITIONS, 30)
            assert worker.process.poll() is None

    assert all("TopicAuthorizationFailedError" in cause for cause in causes.values()), causes


async def test_a_topic_that_one_lane_may_not_write_pauses_that_lane_alone(deployment: Deployment) -> None:
    barred, *others = ORGANIZATIONS
    with deployment.worker(**SOON) as worker:
        await ready(worker)
        async with write_denied(deployment, "dead_letters"):
            await deployment.publish(barred, b"not readable")
            await publish_to_all(deployment, 0, 10)
            causes = await says_why(worker, "TopicAuthorizationFailedError")
            await until(lambda: are_answered(deployment, others, 11), "the other lanes go on", 30)
            assert not await are_answered(deployment, [barred], 1)
        await deployment.answers(30)
        await ready(worker, seconds=30)

    assert list(causes) == ["lane 0"]
    assert [letter.value for letter in await deployment.read("dead_letters")] == [b"not readable"]
    await check(deployment, ids_of(range(10)))


@pytest.mark.slow
async def test_a_topic_that_is_gone_pauses_the_lane_that_needs_it_until_somebody_makes_it_anew(
    deployment: Deployment,
) -> None:
    barred, *others = ORGANIZATIONS
    wanted = [plan for plan in topics.plan(deployment.settings) if plan.name == deployment.settings.topics.dead_letters]
    with deployment.worker(**SOON) as worker:
        await ready(worker)
        async with asking(deployment) as admin:
            await admin.delete_topics([wanted[0].name])
            await deployment.publish(barred, b"not readable")
            await publish_to_all(deployment, 0, 10)
            causes = await says_why(worker, wanted[0].name)
            await until(lambda: are_answered(deployment, others, 11), "the other lanes go on", 30)
            await topics.apply(admin, await topics.compare(admin, wanted))
        await deployment.answers(60)
        await ready(worker, seconds=30)

    assert list(causes) == ["lane 0"]
    await check(deployment, ids_of(range(10)))


async def test_a_horizons_topic_that_was_made_anew_stops_the_lanes_instead_of_publishing_everything_again(
    deployment: Deployment,
) -> None:
    wanted = [plan for plan in topics.plan(deployment.settings) if plan.name == deployment.settings.topics.horizons]
    with deployment.worker(**SOON) as worker:
        await ready(worker)
        await publish_to_all(deployment, 0, 10)
        before = len(await deployment.answers())
        async with asking(deployment) as admin:
            await admin.delete_topics([wanted[0].name])
            await topics.apply(admin, await topics.compare(admin, wanted))
    with deployment.worker(**SOON) as worker:
        stopped = await told(worker, "lane_stopped", PARTITIONS)
        await deployment.publish(ORGANIZATIONS[0], ready_account(ORGANIZATIONS[0], "late"))
        is_ready, causes = worker.readiness()

    assert all("the horizons topic has lost this lane's record" in lane["reason"] for lane in stopped)
    assert not is_ready
    assert all("stopped: " in cause for cause in causes.values())
    assert len(await deployment.messages("command_results")) == before
