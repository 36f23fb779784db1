"""One deployment and one worker for all cases of a module; each case is an organization."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.contract.cases import Seen, Step, Told, organization, tell
from tests.system.provision import own_database, own_deployment
from tests.system.stacks import Addresses


@pytest.fixture(scope="module")
async def told(request: pytest.FixtureRequest, stack: Addresses, migrated: str) -> AsyncIterator[Told]:
    """What the module's cases brought about. `SETTINGS`, `SETTLE_SECONDS` and `WAITS` of the module are heeded."""
    module = request.module
    settings = {"LANES__TICK_SECONDS": "0.5"} | getattr(module, "SETTINGS", {})
    async with own_database(stack, migrated) as url, own_deployment(stack, url) as deployment:
        found = Told(deployment)
        if not getattr(module, "WAITS", True):  # the worker comes when all is said
            await tell(found, module, 0)
        with deployment.worker(**settings) as worker:
            await asyncio.to_thread(worker.wait_ready)
            if getattr(module, "WAITS", True):
                await tell(found, module, getattr(module, "SETTLE_SECONDS", 0))
            else:
                await deployment.answers()
                await found.look()
            yield found


@pytest.fixture
def seen(request: pytest.FixtureRequest, told: Told) -> Seen:
    """What one case brought about, with every outcome as the case says."""
    found = told.seen[organization(request.function)]
    steps = [step for step in request.function.steps if isinstance(step, Step)]
    wrong = [
        f"{number}: {step.word} {step.data}: expected {step.outcome!r}, found {found.outcome(number)!r}"
        for number, step in enumerate(steps)
        if step.outcome != "*" and found.outcome(number) not in step.outcome.split("|")
    ]
    assert not wrong, "\n" + "\n".join(wrong)
    assert len(found.results) == len(steps)
    return found
