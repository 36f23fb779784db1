"""Deployments as the scenarios want them: one of each mode of publishing."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.system.deployment import Deployment
from tests.system.provision import own_deployment
from tests.system.stacks import Addresses
from worker.settings import PublishingMode

MODES = [
    pytest.param(PublishingMode.EXACTLY_ONCE, id="exactly-once"),
    pytest.param(PublishingMode.AT_LEAST_ONCE, id="at-least-once", marks=pytest.mark.slow),
]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests' own clients, whose brokers die, leave behind what the library does not close then."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(params=MODES)
async def each_mode(request: pytest.FixtureRequest, stack: Addresses, database_url: str) -> AsyncIterator[Deployment]:
    """A deployment of the test's own, once for each mode of publishing: the rarer one when there is time."""
    async with own_deployment(stack, database_url, PUBLISHING__MODE=request.param) as deployment:
        yield deployment
