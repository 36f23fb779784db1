"""`dead-letters list`, `show` and `discard`: what could not be read, and what becomes of it."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import typer
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas.instants import parse_instant
from worker.broker.topics import present_partitions
from worker.cli.console import fail, print_json, print_parts, print_table, say
from worker.cli.dead_letters_shown import as_row, as_whole, print_letter, state_of, written
from worker.cli.reach import admin, consumer, fail_without, finish, reaching_database
from worker.domain.values import Position
from worker.recovery.dead_letters import DISCARD, Fate, Letter, NoLetter, fates, in_journal, in_topic, lock, parse_name
from worker.recovery.progress import acting
from worker.settings import Settings, load
from worker.store import audit, installation
from worker.store.engine import create_engine


@dataclass(frozen=True, slots=True)
class Sought:
    """Which letters to list: all that fit everything that is given."""

    reason: str | None
    since: datetime | None
    until: datetime | None
    organization: str | None
    with_settled: bool
    count: int | None

    def fits(self, letter: Letter, settled: Sequence[Fate]) -> bool:
        """Whether this is one of them."""
        return (
            (self.with_settled or not settled)
            and (self.reason is None or letter.reason == self.reason.upper())
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
            and (self.organization is None or letter.organization == self.organization)
        )


def list_letters(sought: Sought, *, as_json: bool) -> None:
    """Show what lies in the topic, a line each, the oldest of each partition first."""
    finish(_list(load(), sought, as_json=as_json))


def show_letter(name: str, *, is_raw: bool, as_hex: bool, as_json: bool) -> None:
    """Show a letter with its headers, or hand out its bytes."""
    settings = load()
    letter, done = finish(_find_with_fates(settings, name))
    if is_raw:
        if sys.stdout.isatty():
            fail("--raw hands out the bytes as they came, whatever they do to a terminal: send them to a file or pipe.")
        sys.stdout.buffer.write(letter.value or b"")
        sys.stdout.buffer.flush()
    elif as_json:
        print_json(as_whole(letter, done))
    else:
        print_letter(letter, done, as_hex=as_hex)


def discard_letters(names: Sequence[str], reason: str, *, is_meant: bool, who: str | None, as_json: bool) -> None:
    """Note that nothing is to be done about these letters."""
    finish(_discard(load(), names, reason, acting(who), is_meant=is_meant, as_json=as_json))


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """The database, for acts on letters."""
    url = settings.database.url
    with reaching_database(url):
        engine = create_engine(url, application_name="billing-worker dead-letters", connections_max=2, by_key=False)
        try:
            yield engine
        finally:
            await engine.dispose()


async def find(settings: Settings, connection: AsyncConnection, name: str) -> Letter:
    """A letter by its name: in the journal by its place, else in the topic by looking through it."""
    topic = (await installation.read(connection)).commands_topic or settings.topics.commands
    try:
        position = parse_name(name, topic)
    except NoLetter as wrong:
        fail(str(wrong))
    letter = await in_journal(connection, position)
    if letter is None:
        await connection.rollback()  # nothing waits for whoever looks through the topic
        letter = await _find_in_topic(settings, position)
    if letter is None:
        fail(f"There is no dead letter {position}, neither in the journal nor in {settings.topics.dead_letters}.")
    return letter


async def _find_in_topic(settings: Settings, position: Position) -> Letter | None:
    partitions = await _partitions(settings)
    async with consumer(settings.kafka) as reader:
        async for found in in_topic(reader, settings.topics.dead_letters, partitions):
            if found.position == position:
                return found
    return None


async def _find_with_fates(settings: Settings, name: str) -> tuple[Letter, Sequence[Fate]]:
    async with opened(settings) as engine, engine.connect() as connection:
        letter = await find(settings, connection, name)
        return letter, (await fates(connection, letter.name)).get(letter.name, ())


async def _partitions(settings: Settings) -> int:
    async with admin(settings.kafka) as client:
        present = await present_partitions(client)
    if settings.topics.dead_letters not in present:
        await fail_without(settings.kafka, [settings.topics.dead_letters])
    return present[settings.topics.dead_letters]


async def _list(settings: Settings, sought: Sought, *, as_json: bool) -> None:
    async with opened(settings) as engine, engine.connect() as connection:
        done = await fates(connection)
    partitions = await _partitions(settings)
    rows: list[tuple[Any, ...]] = []
    seen: set[str] = set()
    async with consumer(settings.kafka) as reader:
        async for letter in in_topic(reader, settings.topics.dead_letters, partitions, sought.since):
            settled = done.get(letter.name, ())
            if letter.name in seen or not sought.fits(letter, settled):
                continue
            seen.add(letter.name)  # published again it is the same letter
            if as_json:
                print_json(as_row(letter, settled))
            else:
                size = None if letter.value is None else len(letter.value)
                rows.append(
                    (letter.name, written(letter.at), letter.reason, letter.organization, size, state_of(settled))
                )
            if len(seen) == sought.count:
                break
    if not as_json:
        _print_rows(rows, sought)


def _print_rows(rows: Sequence[tuple[Any, ...]], sought: Sought) -> None:
    if rows:
        print_table(("letter", "at", "reason", "organization", "bytes", "state"), sorted(rows, key=lambda row: row[1]))
    else:
        say("No dead letters." if sought.with_settled else "No open dead letters; --all shows settled ones too.")


async def _discard(
    settings: Settings, names: Sequence[str], reason: str, who: str, *, is_meant: bool, as_json: bool
) -> None:
    async with opened(settings) as engine:
        for name in names:
            async with engine.begin() as connection:
                letter = await find(settings, connection, name)
                await lock(connection, letter.name)
                if done := (await fates(connection, letter.name)).get(letter.name):
                    fail(f"{letter.name} is {state_of(done)}: nothing is left to discard.")
                if is_meant:
                    arguments = {"letter": letter.name, "reason": reason}
                    await audit.record(connection, who, DISCARD, arguments, {"was": letter.reason})
            if as_json:
                print_json({"letter": letter.name, "discarded": is_meant, "reason": reason, "dryRun": not is_meant})
            else:
                print_parts(f"{letter.name} {letter.reason} {'is' if is_meant else 'would be'} discarded: {reason}")
    if not is_meant:
        say("Nothing was done: --yes does it.")


def require_one(names: Sequence[str], what: str) -> None:
    """Several letters cannot be edited at once."""
    if len(names) != 1:
        raise typer.BadParameter(f"{what} is for one letter")


def instant_of(text: str | None) -> datetime | None:
    """What `--until` says. Raises BadParameter."""
    try:
        return None if text is None else parse_instant(text)
    except ValueError as problem:
        raise typer.BadParameter(f"--until: {problem}, as in 2026-11-01T00:00:00Z") from None
