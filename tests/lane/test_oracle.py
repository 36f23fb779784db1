"""A worker on a real Kafka and PostgreSQL, and a naive second reading of the contract, agree on random histories.

Every result, event, state and dead letter is compared, in order, and the tables, and the answers given from them.
Histories of one world run on one deployment, each with organizations of its own. Instants are real: a history that
failed may not fail again, so none is made smaller.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from schemas.events import EVENTS
from schemas.rejections import RejectionCode
from tests.domain.test_oracle import CHANGES
from tests.lane.oracle.histories import History, Round, histories
from tests.lane.oracle.world import World, new_world, rules
from tests.system.stacks import Addresses

pytestmark = pytest.mark.timeout(600)
HASTY = {"SUSPENSION_NOTICE_SECONDS": "1", "TOMBSTONE_AFTER_SECONDS": "3", "MOVE_PROJECTS_MAX": "4"}
LENIENT = {
    **HASTY,
    "PAYMENT_PROFILE_REQUIRED": "false",
    "PROJECT_REGISTRY": "strict",
    "APPROVAL_NOT_NEEDED_FOR": '["NON_PAYMENT"]',
}
ROUNDS = tuple(Round(600, pause) for pause in (0.0, 0.5, 0.0, 0.0, 1.0))
SHORT = History(1, 2, (Round(60, 0.5), Round(30, 0.0)))


def law(examples: int) -> settings:
    """So many histories, the same ones each time."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow],
    )


@pytest.fixture(scope="module")
async def world(stack: Addresses, migrated: str) -> AsyncIterator[World]:
    async with new_world(stack, migrated, rules(HASTY)) as world:
        with world.worker(**HASTY) as worker:
            await asyncio.to_thread(worker.wait_ready)
            yield world


@pytest.fixture(scope="module")
async def lenient(stack: Addresses, migrated: str) -> AsyncIterator[World]:
    async with new_world(stack, migrated, rules(LENIENT)) as world:
        with world.worker(**LENIENT) as worker:
            await asyncio.to_thread(worker.wait_ready)
            yield world


@law(examples=3)
@given(history=histories(rounds=6, records_max=80))
async def test_a_worker_and_the_oracle_agree_on_random_histories(world: World, history: History) -> None:
    await world.check(history)


@law(examples=2)
@given(history=histories(rounds=6, records_max=80))
async def test_a_worker_and_the_oracle_agree_on_random_histories_under_other_rules(
    lenient: World, history: History
) -> None:
    await lenient.check(history)


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_worker_and_the_oracle_agree_on_heavy_traffic(world: World, seed: int) -> None:
    await world.check(History(seed, 10, ROUNDS))


async def test_what_was_answered_as_final_is_answered_again_when_all_is_over(stack: Addresses, migrated: str) -> None:
    async with new_world(stack, migrated, rules(HASTY)) as world:
        with world.worker(**HASTY):
            await world.check(SHORT)
            await asyncio.sleep(2)  # something falls due when all is said
        await world.end()
        assert len(world.asked.answers) > 20


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@settings(law(examples=40), derandomize=False, database=None)
@given(history=histories(rounds=8, records_max=120))
async def test_a_worker_and_the_oracle_agree_on_many_more_random_histories(world: World, history: History) -> None:
    await world.check(history)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
async def test_a_worker_and_the_oracle_agree_on_every_code_every_event_and_every_change_of_phase(
    world: World, lenient: World
) -> None:
    for seed in range(30, 34):
        await world.check(History(seed, 6, ROUNDS))
        await lenient.check(History(seed, 6, ROUNDS))
    met = {*world.comparison.counted, *lenient.comparison.counted}

    assert {code.value for code in RejectionCode} - met == {"INTERNAL_ERROR"}  # `test_defects`
    assert EVENTS.keys() - met == set()
    assert {way for way in met if ">" in way} == {f"{left} > {entered}" for left, entered in CHANGES}


@pytest.mark.slow
async def test_rules_that_are_set_anew_hold_from_the_offset_that_is_stored_with_them(
    stack: Addresses, migrated: str
) -> None:
    async with new_world(stack, migrated, rules(HASTY)) as world:
        organizations = world.found(4)
        for turn, set_ in enumerate((HASTY, LENIENT, HASTY, LENIENT, HASTY)):
            with world.worker(**set_) as worker:
                await asyncio.to_thread(worker.wait_ready)
                await world.read_rules()
                assert all(stored[-1][1] == rules(set_) for stored in world.comparison.rules_from.values())
                await world.check(History(turn, 4, ROUNDS[:2]), organizations)
        await world.end()


@pytest.mark.slow
@pytest.mark.timeout(1_800)
async def test_a_worker_that_is_killed_again_and_again_and_the_oracle_agree(stack: Addresses, migrated: str) -> None:
    async with new_world(stack, migrated, rules(HASTY)) as world:
        async with _killed_every(8.0, world):
            for seed in (20, 21):
                await world.check(History(seed, 5, ROUNDS), seconds_max=300)
        await world.end()


@asynccontextmanager
async def _killed_every(seconds: float, world: World) -> AsyncIterator[None]:
    """Workers that follow one another, killed at any moment, until the block ends."""
    is_over = asyncio.Event()
    killing = asyncio.create_task(_kill(seconds, world, is_over))
    try:
        yield
    finally:
        is_over.set()
        await killing


async def _kill(seconds: float, world: World, is_over: asyncio.Event) -> None:
    while not is_over.is_set():
        with world.worker(**HASTY) as worker:
            await asyncio.to_thread(worker.wait_ready)
            with suppress(TimeoutError):
                await asyncio.wait_for(is_over.wait(), seconds)
                return
            worker.send(signal.SIGKILL)
            assert worker.died() == -signal.SIGKILL
