import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import schemas
from schemas.instants import format_instant
from schemas.topics import TOPICS
from tests.cli.conftest import Program
from tests.system.deployment import Deployment
from worker.broker import clients
from worker.cli.watching.seen import Seen, Wanted
from worker.cli.watching.words import words_of

SAMPLES = {
    kind: json.loads((Path(schemas.__file__).parent / "samples" / f"{kind}.json").read_text())
    for topic in TOPICS
    if topic.setting not in {"commands", "dead_letters"}
    for kind in topic.carries
}
BOUND = SAMPLES["billing.binding.established.v1"]
ACCEPTED = SAMPLES["billing.command.accepted.v1"]


async def write(deployment: Deployment, topic: str, *values: object) -> None:
    """Put records into a topic as a worker would."""
    async with clients.producer(deployment.settings.kafka) as producer:
        for value in values:
            raw = value if isinstance(value, bytes) else json.dumps(value).encode()
            await producer.send_and_wait(getattr(deployment.settings.topics, topic), raw, key=b"acme/web")


def seen(message: dict[str, Any]) -> Seen:
    return Seen(None, message)


@pytest.mark.parametrize("kind", SAMPLES)
def test_every_type_of_message_is_said_in_words(kind: str) -> None:
    assert words_of(seen(SAMPLES[kind]))


def test_a_rebind_is_said_in_words() -> None:
    assert words_of(seen(BOUND)) == "acme-research pays for web-shop instead of acme-main"


def test_a_message_that_is_not_as_it_should_be_has_no_words_and_no_stack_trace() -> None:
    assert words_of(seen(BOUND | {"data": {}})) == ""


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({}, True),
        ({"organization": "acme"}, True),
        ({"organization": "acm"}, False),
        ({"account": "acme-research"}, True),
        ({"account": "acme-main"}, False),
        ({"project": "web-shop"}, True),
        ({"project": "web"}, False),
        ({"types": ["binding.established"]}, True),
        ({"types": ["binding.released", "binding.locked"]}, False),
        ({"project": "web-shop", "account": "nobody"}, False),
    ],
)
def test_only_what_fits_everything_that_is_asked_for_is_shown(wanted: dict[str, Any], *, fits: bool) -> None:
    asked = {"organization": None, "account": None, "project": None, "types": []} | wanted

    assert Wanted.of(**asked).fits(seen(BOUND)) is fits


def test_a_result_is_about_the_project_of_its_events() -> None:
    assert Wanted.of(None, None, "web-shop", []).fits(seen(ACCEPTED))


async def test_what_happened_is_shown_from_the_beginning(program: Program, deployment: Deployment) -> None:
    await write(deployment, "binding_events", BOUND)
    await write(deployment, "command_results", ACCEPTED)

    shown = await program("watch", "--from-beginning", "--idle", "1")
    exact = await program("watch", "--from-beginning", "--count", "1", "--json", "--topics", "events")
    none = await program("watch", "--idle", "0.3")

    assert shown.exit_code == 0
    assert sorted(shown.stdout.splitlines()) == [
        f"{BOUND['time']}  {'binding.established':32}  projects/acme/web-shop  {words_of(seen(BOUND))}",
        f"{ACCEPTED['time']}  {'command.accepted':32}  {ACCEPTED['subject']}  project.bind, 2 events",
    ]
    assert json.loads(exact.stdout) == BOUND
    assert none.stdout == ""


async def test_it_begins_at_an_instant(program: Program, deployment: Deployment) -> None:
    await write(deployment, "commands", BOUND | {"id": "earlier"})
    await asyncio.sleep(0.05)
    instant = format_instant(datetime.now(UTC) - timedelta(milliseconds=20))
    await write(deployment, "commands", BOUND | {"id": "later"})

    shown = await program("watch", "--topics", "commands", "--since", instant, "--idle", "0.5", "--json")

    assert [json.loads(line)["id"] for line in shown.stdout.splitlines()] == ["later"]


async def test_nothing_in_a_record_reaches_the_terminal_but_text(program: Program, deployment: Deployment) -> None:
    await write(deployment, "dead_letters", BOUND | {"subject": "\x1b[2J[red]x"}, b"\xff\x1b[2J")

    shown = await program("watch", "--topics", "dead-letters", "--from-beginning", "--count", "2")
    exact = await program("watch", "--topics", "dead-letters", "--from-beginning", "--count", "2", "--json")

    assert "\x1b" not in shown.stdout + exact.stdout
    assert "[red]x" in shown.stdout
    assert json.loads(exact.stdout.splitlines()[1])["valueBase64"] == "/xtbMko="


ENDS_SECONDS_MAX = 60


async def test_ctrl_c_ends_it_with_0(deployment: Deployment) -> None:
    watching = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", "watch", "--topics", "commands", "--from-beginning"),
        env=os.environ | deployment.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    await write(deployment, "commands", BOUND)
    assert watching.stdout
    try:
        async with asyncio.timeout(ENDS_SECONDS_MAX):
            shown = await watching.stdout.readline()
            watching.send_signal(signal.SIGINT)
            _, said = await watching.communicate()
    finally:
        if watching.returncode is None:
            watching.kill()

    assert b"binding.established" in shown
    assert watching.returncode == 0
    assert said == b""
