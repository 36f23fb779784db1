"""The page's "Dead letters", to the letter: one is mended in an editor and goes once more, of another nothing comes."""

from pathlib import Path

import pytest

from tests.recovery.drills import page
from tests.recovery.drills.operator import operator
from tests.system.checker import check
from tests.system.deployment import Deployment, command

SECTION = "Dead letters"
HERS = "3/1234"
BROKEN = b'{"specversion": "1.0", "id": "b-1", "id": "b-1"}'
MENDED = command("acme", "project.register", "b-1", project="web")


def editor(directory: Path) -> str:
    """A program that writes down what it was given to edit, and leaves something better."""
    (directory / "mended").write_bytes(MENDED)
    program = directory / "editor"
    program.write_text(f'#!/bin/sh\ncp "$1" {directory}/given\ncp {directory}/mended "$1"\n')
    program.chmod(0o755)
    return str(program)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_letter_is_listed_shown_mended_and_sent_again_and_another_is_discarded(
    deployment: Deployment, tmp_path: Path
) -> None:
    broken, hopeless = await deployment.publish("acme", BROKEN, b"nothing of the kind")
    first, second = (f"{one.partition}/{one.offset}" for one in (broken, hopeless))
    async with operator(deployment, EDITOR=editor(tmp_path), VISUAL="") as somebody:
        somebody.run()
        await deployment.answers()

        *earlier, last = page.commands(SECTION, **{HERS: first})
        assert first in last
        await somebody.type(earlier)
        await somebody.type([[second if word == first else word for word in last]])

        listed, shown, requeued, discarded = somebody.done
        assert first in listed.stdout
        assert second in listed.stdout
        assert "DUPLICATE_KEY" in shown.stdout
        assert (tmp_path / "given").read_bytes() == BROKEN
        assert "billing.project.register.v1 acme b-1-r1" in requeued.stdout
        assert second in discarded.stdout + discarded.stderr
        deployment.sent += 1
        (answer,) = await deployment.answers()
        assert (answer["type"], answer["data"]["command"]) == ("billing.command.accepted.v1", "b-1-r1")
        assert await somebody.asks("dead-letters", "list") == []
        await somebody.stop_the_workers()
        await check(deployment)
