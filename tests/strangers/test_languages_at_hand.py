"""The page's commands that need nothing beside the development's own packages: Python's, and Kafka's console tools."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.strangers.page import commands
from tests.strangers.scene import END, ORGANIZATIONS, Scene, scene
from tests.strangers.seeing import check_answers, check_lines
from tests.system.stacks import Addresses

pytestmark = pytest.mark.timeout(300)

TOOLS = "Kafka's own console tools"


@pytest.fixture(scope="module")
async def played(stack: Addresses, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with scene(stack, migrated, tmp_path_factory.mktemp("at-hand"), ["Python", TOOLS]) as played:
        yield played


async def test_a_command_published_from_python_is_accepted_whatever_its_partition(played: Scene) -> None:
    check_answers(played, ORGANIZATIONS, "py-1")


async def test_a_command_typed_into_the_console_producer_is_accepted(played: Scene) -> None:
    check_answers(played, ORGANIZATIONS, "console-1")


async def test_a_subscriber_in_python_prints_each_event_and_result_once(played: Scene) -> None:
    check_lines(await played.subscribe(commands("Python").subscribe, *played.values), played)


async def test_the_console_consumer_shows_what_was_committed_with_keys_and_headers_as_text(played: Scene) -> None:
    lines = await played.subscribe(commands(TOOLS).subscribe, "account_events")
    records = await played.deployment.read("account_events")

    assert Counter(lines) == Counter(
        "\t".join(
            (
                ",".join(f"{name}:{value.decode()}" for name, value in record.headers) or "NO_HEADERS",
                record.key.decode(),
                record.value.decode(),
            )
        )
        for record in records
    )


async def test_without_read_committed_it_shows_what_came_to_nothing(played: Scene) -> None:
    """So that a consumer which ignores the setting is found out."""
    script = commands(TOOLS).subscribe
    assert "--isolation-level read_committed" in script

    careless, careful = await asyncio.gather(
        played.subscribe(script.replace("read_committed", "read_uncommitted"), "account_events"),
        played.subscribe(script, "account_events"),
    )

    assert any("came to nothing" in line for line in careless)
    assert not any("came to nothing" in line for line in careful)
    assert any(END in line for line in careful)
