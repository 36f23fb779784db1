"""The page on moving to another cluster, to the letter: nothing is guessed there, everything comes with the journal."""

from collections.abc import Iterator

import pytest

from tests.faults.kafka.trial import says_why
from tests.recovery.drills import page
from tests.recovery.drills.operator import operator
from tests.recovery.drills.test_topics_lost import SECTION, are_as_before, lived
from tests.recovery.drills.traffic import RATE, goes_on, nothing_is_lost_or_doubled
from tests.recovery.programs import SECONDS_MAX
from tests.system.cluster import FEW_PARTITIONS
from tests.system.deployment import Deployment
from tests.system.load import load
from tests.system.provision import PARTITIONS, settings_of
from worker.embedded import Kafka


@pytest.fixture
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Another cluster."""
    kafka = Kafka(tmp_path_factory.mktemp("other"), settings=FEW_PARTITIONS, heap_mebibytes_max=512)
    kafka.start()
    try:
        yield kafka
    finally:
        kafka.kill()


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_cluster_that_takes_anothers_place_holds_the_same_and_work_goes_on_there(
    deployment: Deployment, other: Kafka
) -> None:
    (setting,) = {span for span in page.spans(page.section(SECTION)) if span.startswith("BILLING_KAFKA")}
    apply, *rest = page.commands(SECTION)
    async with operator(deployment) as somebody:
        before = await lived(deployment, somebody)
        await somebody.stop_the_workers()

    environment = deployment.environment | {setting: other.bootstrap_servers}
    moved = Deployment(settings_of(environment), environment, deployment.sent)
    async with operator(moved) as somebody:
        await somebody.type([apply])
        too_early = somebody.run()
        await says_why(
            too_early, "the horizons topic has lost this lane's record", lanes=PARTITIONS, seconds=SECONDS_MAX
        )
        await somebody.stop_the_workers()
        assert await moved.messages("command_results") == []

        await somebody.type(rest)

        await are_as_before(moved, somebody, before)
        async with load(moved, rate=RATE, seed=2) as later:
            await goes_on(moved)
        later.sent += before.sent
        await nothing_is_lost_or_doubled(moved, later, None, latest_states_alone=True)
        await somebody.stop_the_workers()
