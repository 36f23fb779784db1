"""Every language of the page: what one publishes, all see, once and whole. Needs their toolchains: `make test-ops`."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.strangers.page import commands
from tests.strangers.programs import Shell
from tests.strangers.scene import ORGANIZATIONS, Scene, scene
from tests.strangers.seeing import check_answers, check_lines
from tests.strangers.tools import require
from tests.system.deployment import Deployment
from tests.system.stacks import Addresses

pytestmark = [pytest.mark.ops, pytest.mark.slow, pytest.mark.timeout(900)]

TOOLS = {
    "java": "a JDK of Java 17 or newer (apt-get install default-jdk-headless)",
    "javac": "a JDK, not a Java runtime alone (apt-get install default-jdk-headless)",
    "go": "Go as examples/languages/go/go.mod says, from the releases of Go",
    "node": "Node.js (apt-get install nodejs)",
    "npm": "npm, which comes with Node.js (apt-get install npm)",
    "kcat": "apt-get install kcat",
}
FIRST_COMMANDS = {"Python": "py-1", "Java": "java-1", "Go": "go-1", "Node.js": "node-1", "kcat": "kcat-1"}


@pytest.fixture(scope="module")
async def played(
    request: pytest.FixtureRequest, stack: Addresses, migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    for tool, how in TOOLS.items():
        require(request, tool, how)
    async with scene(stack, migrated, tmp_path_factory.mktemp("languages"), [*FIRST_COMMANDS]) as played:
        yield played


@pytest.mark.parametrize("language", FIRST_COMMANDS)
async def test_a_command_published_from_a_language_is_accepted_whatever_its_partition(
    played: Scene, language: str
) -> None:
    check_answers(played, ORGANIZATIONS, FIRST_COMMANDS[language])


@pytest.mark.parametrize("language", [language for language in FIRST_COMMANDS if language != "kcat"])
async def test_a_subscriber_sees_once_what_was_published_from_every_language(played: Scene, language: str) -> None:
    lines = await played.subscribe(commands(language).subscribe, *played.values)

    check_lines(lines, played)
    for command in FIRST_COMMANDS.values():
        assert len([line for line in lines if f'"causationid":"{command}"' in line]) == 3 * len(ORGANIZATIONS)


async def test_kcat_shows_what_was_committed_with_keys_and_headers_as_text(played: Scene) -> None:
    lines = await played.subscribe(commands("kcat").subscribe, "account_events")
    records = await played.deployment.read("account_events")

    assert Counter(lines) == Counter(
        " | ".join(
            (
                record.key.decode(),
                ",".join(f"{name}={value.decode()}" for name, value in record.headers),
                record.value.decode(),
            )
        )
        for record in records
    )
    assert not any("came to nothing" in line for line in lines)


async def test_a_partitioner_that_is_not_murmur2_is_told_so(
    request: pytest.FixtureRequest, served: Deployment, tmp_path: Path
) -> None:
    """The page's warning is true: without that setting kcat is refused, and the answer says so."""
    require(request, "kcat", TOOLS["kcat"])
    careless = commands("kcat").publish.replace("-X topic.partitioner=murmur2_random", "")
    assert "murmur2" not in careless
    await Shell.at(served, tmp_path).run(careless)
    served.sent += 1
    (answer,) = [answer for answer in await served.answers() if answer["subject"] == "commands/mine/kcat-1"]

    assert [reason["code"] for reason in answer["data"]["reasons"]] == ["WRONG_PARTITION"]
