"""`dead-letters requeue`: a letter once more, edited, as a new command."""

import asyncio
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer
from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.cli.console import fail, print_json, print_parts, say
from worker.cli.dead_letters import find, opened, require_one
from worker.cli.publishing.placing import declared_partitions, partitions_by_topic
from worker.cli.reach import finish, producer
from worker.recovery.dead_letters import REQUEUE, Fate, Letter, fates, lock
from worker.recovery.dead_letters_requeue import NewCommand, NotRequeued, editable, new_command
from worker.recovery.progress import acting
from worker.settings import Settings, load
from worker.store import audit

_ACKNOWLEDGED_SECONDS_MAX: Final = 30.0


@dataclass(frozen=True, slots=True)
class Requeue:
    """What to requeue and how: `file` is the document itself, `edit_from` what the editor begins with."""

    names: Sequence[str]
    file: str | None
    edit_from: str | None
    is_unchanged: bool
    id_: str | None
    again: bool
    is_meant: bool
    who: str | None
    as_json: bool

    def check(self) -> None:
        """Raise BadParameter for options that do not go together."""
        if sum((self.file is not None, self.edit_from is not None, self.is_unchanged)) > 1:
            raise typer.BadParameter("--file, --edit-from and --unchanged say different things")
        if not self.is_unchanged:
            require_one(self.names, "editing")
        if self.id_ is not None:
            require_one(self.names, "--id")


def requeue_letters(asked: Requeue) -> None:
    """Show the new commands, and with `is_meant` publish them."""
    asked.check()
    finish(_requeue(load(), asked))


async def _requeue(settings: Settings, asked: Requeue) -> None:
    partitions = await declared_partitions(settings, await partitions_by_topic(settings))
    async with opened(settings) as engine:
        for name in asked.names:
            async with engine.connect() as connection:
                letter = await find(settings, connection, name)
            edited, kept = await asyncio.to_thread(_edited, asked, letter)
            async with engine.begin() as connection:
                await lock(connection, letter.name)
                done = (await fates(connection, letter.name)).get(letter.name, [])
                _check_fates(letter, done, asked)
                try:
                    command = new_command(
                        letter,
                        edited,
                        id_=asked.id_,
                        earlier=sum(fate.command == REQUEUE for fate in done),
                        topic=settings.topics.commands,
                        partitions=partitions,
                        command_bytes_max=settings.lanes.command_bytes_max,
                    )
                except NotRequeued as wrong:
                    _keep(letter, kept)
                    fail(f"{letter.name} is not requeued. {wrong}")
                if asked.is_meant:
                    await _publish(settings, connection, letter, command, asked)
                    if kept is not None:
                        kept.unlink(missing_ok=True)
                else:
                    _show(letter, command, None, asked)
                    _keep(letter, kept, " --yes")
    if not asked.is_meant:
        say("Nothing was published: --yes does it.")


async def _publish(
    settings: Settings, connection: AsyncConnection, letter: Letter, command: NewCommand, asked: Requeue
) -> None:
    """Publish, then note it. What is published and not noted is the same command when it is tried once more."""
    async with producer(settings.kafka) as writer, asyncio.timeout(_ACKNOWLEDGED_SECONDS_MAX):
        offset = await _send(writer, command)
    landed = f"{command.topic}/{command.partition}/{offset}"
    await audit.record(
        connection,
        acting(asked.who),
        REQUEUE,
        {"letter": letter.name, "again": asked.again},
        {"id": command.id, "organization": command.organization, "type": command.type, "position": landed},
    )
    _show(letter, command, landed, asked)


async def _send(writer: AIOKafkaProducer, command: NewCommand) -> int:
    written = await writer.send_and_wait(
        command.topic, command.value, command.key, command.partition, headers=list(command.headers)
    )
    return int(written.offset)


def _check_fates(letter: Letter, done: Sequence[Fate], asked: Requeue) -> None:
    if done and not asked.again:
        last = done[-1]
        fail(
            f"{letter.name} was {last.word} by {last.who}: {last.id or last.reason}. --again requeues it all the same."
        )


def _edited(asked: Requeue, letter: Letter) -> tuple[bytes, Path | None]:
    """The document to requeue, and the file that an editor left it in."""
    if asked.is_unchanged:
        return editable(letter), None
    if asked.file == "-":
        return sys.stdin.buffer.read(), None
    if asked.file is not None:
        return _content(asked.file), None
    begin_with = editable(letter) if asked.edit_from is None else _content(asked.edit_from)
    handle, name = tempfile.mkstemp(prefix="dead-letter-", suffix=".json")
    with os.fdopen(handle, "wb") as file:
        file.write(begin_with)
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        ended = subprocess.run([*shlex.split(editor), name], check=False)  # noqa: S603 - whoever edits chose it
    except OSError as error:
        fail(f"The editor {editor} does not start: {error.strerror}. EDITOR names another; --file needs none.")
    if ended.returncode:
        fail(f"The editor {editor} ended with {ended.returncode}; what it left is in {name}.")
    return Path(name).read_bytes(), Path(name)


def _content(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from None


def _keep(letter: Letter, kept: Path | None, yes: str = "") -> None:
    """Say where somebody's work is."""
    if kept is not None:
        say(f"What you wrote is kept: billing-worker dead-letters requeue {letter.name} --file {kept}{yes}")


def _show(letter: Letter, command: NewCommand, landed: str | None, asked: Requeue) -> None:
    if asked.as_json:
        print_json(
            {
                "letter": letter.name,
                "id": command.id,
                "organization": command.organization,
                "type": command.type,
                "position": landed,
                "dryRun": landed is None,
            }
        )
        return
    what = f"{command.type} {command.organization} {command.id}"
    where = f"partition {command.partition} of {command.topic}" if landed is None else landed
    print_parts(f"{letter.name} {'would go' if landed is None else 'went'} to {where} as ", (what, "bold"))
