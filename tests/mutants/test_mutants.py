"""The checker is proved: whatever the worker is made to forget, it is caught, and by the claim that was meant to."""

import compileall
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.mutants.mutants import MUTANTS, WATCHER
from tests.mutants.patches import Patch, Stale, patched
from tests.mutants.probes import PROBES
from tests.mutants.scenarios import Noticed, Scenario
from tests.system.checker import Violated
from tests.system.deployment import Around, Deployment
from tests.system.provision import own_deployment
from tests.system.stacks import Addresses

pytestmark = pytest.mark.timeout(300)

SCENARIOS = {mutant.scenario.__name__: mutant.scenario for mutant in MUTANTS.values()}


@pytest.fixture
async def one_lane(stack: Addresses, database_url: str) -> AsyncIterator[Deployment]:
    """A deployment of a single lane."""
    async with own_deployment(stack, database_url, TOPICS__PARTITIONS="1") as deployment:
        yield deployment


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
async def test_a_worker_that_forgets_something_is_caught(one_lane: Deployment, tmp_path: Path, name: str) -> None:
    mutant = MUTANTS[name]
    around = Around(patched(tmp_path, [*PROBES, *mutant.patches]))

    with pytest.raises(Noticed if mutant.caught_by == WATCHER else Violated) as caught:
        await mutant.scenario(one_lane, around)

    if isinstance(caught.value, Violated):
        assert mutant.caught_by in caught.value.claims


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
async def test_the_true_worker_is_not_caught(one_lane: Deployment, tmp_path: Path, scenario: Scenario) -> None:
    await scenario(one_lane, Around(patched(tmp_path, PROBES)))


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_still_finds_what_it_changes(tmp_path: Path, name: str) -> None:
    release = patched(tmp_path, [*PROBES, *MUTANTS[name].patches])

    for module in {patch.module for patch in MUTANTS[name].patches}:
        assert compileall.compile_file(release / "worker" / module, quiet=1)


def test_a_patch_of_lines_that_are_not_there_once_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Stale, match=r"0 times in app\.py"):
        patched(tmp_path, [Patch("app.py", "what nobody wrote", "")])
