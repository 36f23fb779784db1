"""`topics declare`: what is seen of lanes, and what an operator knows of them."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
import typer

from worker.cli.console import fail, print_json, print_table, say
from worker.cli.reach import admin, finish, reaching_database, reaching_kafka
from worker.recovery.declare.run import Done, Seen, declare, see
from worker.recovery.declare.sight import Word
from worker.recovery.ground import Refused, owner_of
from worker.recovery.progress import acting, shown
from worker.settings import Settings, load

_MEANS: Final = {
    Word.LOG_ANEW: "What lies in the log now is read again behind the position, with ticks before it, and nothing "
    "before it is read any more. What was decided before is answered as a duplicate.",
    Word.SKIP: "What lay between the position and the start of the log is lost, and never decided.",
    Word.PUBLISHED: "Everything through the position counts as published: what was not is never published by itself. "
    "`republish` can do that.",
    Word.PUBLISH_AGAIN: "The journal is published again from where the topics tell, else from its beginning. Where "
    "topics still hold it, subscribers see the same bytes twice, and drop them by their sequence; results by their id.",
}


@dataclass(frozen=True, slots=True)
class Declaration:
    """What was asked for; without a word lanes are only shown."""

    words: Sequence[Word]
    lanes: Sequence[int]
    every: bool
    watch_seconds: float
    is_meant: bool
    who: str | None
    as_json: bool

    @property
    def word(self) -> Word | None:
        """The one word. Raises BadParameter if there are two, or nobody said of which lanes."""
        if len(self.words) > 1:
            raise typer.BadParameter(f"--{self.words[0]} and --{self.words[1]} say two things")
        if self.words and not self.lanes and not self.every:
            raise typer.BadParameter("--lane or --all says of which lanes")
        if self.lanes and self.every:
            raise typer.BadParameter("--lane and --all say two things")
        return self.words[0] if self.words else None


def show_declaration(asked: Declaration) -> None:
    """Show what is seen of lanes, and declare it if it is meant."""
    word = asked.word
    settings = load()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    database = settings.database
    setting = "BILLING_DATABASE__OWNER_URL" if database.owner_url else "BILLING_DATABASE__URL"
    done = Done(acting(asked.who))
    try:
        with reaching_database(database.owner_url or database.url, setting), reaching_kafka(settings.kafka):
            finish(_carry_out(settings, asked, word, done))
    except Refused as refused:
        told = f"\nDeclared of lanes {', '.join(str(one['lane']) for one in done.lanes)}." if done.lanes else ""
        fail(f"{refused}{told}")
    except KeyboardInterrupt:
        fail("Stopped. Lanes that are not done stay as they were; the same command begins with them again.")


async def _carry_out(settings: Settings, asked: Declaration, word: Word | None, done: Done) -> None:
    async with admin(settings.kafka) as client, owner_of(settings, "declare", is_alone=asked.is_meant) as engine:
        seen = await see(settings, engine, client, word, asked.lanes, asked.watch_seconds)
        if word is None or not asked.is_meant or seen.obstacles:
            _show(seen, asked, done)
            _end_undone(seen, word)
            return
        missing = sum(max(0, lane.row.next_offset - lane.lane.bounds.end) for lane in seen.lanes)
        with shown("declare", total=missing if word is Word.LOG_ANEW else None) as bar:
            await declare(settings, engine, client, seen, bar, done)
    _show(seen, asked, done)
    say(f"Declared: {word}. The lanes go on as soon as a worker takes them: start the workers.")


def _show(seen: Seen, asked: Declaration, done: Done) -> None:
    if asked.as_json:
        what: dict[str, Any] = {"lanes": [lane.as_json() for lane in seen.lanes], "obstacles": list(seen.obstacles)}
        print_json({"done": bool(done.lanes), **what, "declared": done.lanes})
        return
    rows = [
        (
            one["lane"],
            one["position"],
            f"[{one['logStart']}, {one['logEnd']})",
            one["log"],
            one["horizon"],
            one["horizonOffset"],
            ", ".join(one["fitting"]) or "nothing",
        )
        for one in (lane.as_json() for lane in seen.lanes)
    ]
    print_table(("lane", "position", "log", "the log is", "the horizon is", "published", "could be declared"), rows)
    for lane in seen.lanes:
        if lane.row.stopped is not None:
            say(f"lane {lane.row.partition} is stopped: {lane.row.stopped}")


def _end_undone(seen: Seen, word: Word | None) -> None:
    for obstacle in seen.obstacles:
        say(obstacle, style="yellow")
    if seen.obstacles:
        raise typer.Exit(1)
    if word is not None:
        say(f"{_MEANS[word]}\nNothing was changed: --yes does it.")
    elif not any(lane.fitting for lane in seen.lanes):
        say(
            "There is nothing to declare. A lane that has stopped goes on when a worker takes it and its cause is gone."
        )
