"""`replay`: commands read again, into the live system or into a scratch schema."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer

from worker.broker import clients
from worker.cli.console import fail, print_facts, print_json, print_table, say
from worker.cli.edges import edges_of
from worker.cli.reach import finish, reaching_database, reaching_kafka
from worker.recovery.ground import Refused
from worker.recovery.progress import Bookmark, Pace, acting, shown
from worker.recovery.replay.comparing import Difference, differences
from worker.recovery.replay.live import FORGOTTEN, REMEMBERED, Live, Tally, live
from worker.recovery.replay.scope import Scope
from worker.recovery.replay.scratch import Scratch, scratch
from worker.recovery.replay.under_way import SCHEMA
from worker.settings import Settings, load
from worker.store import audit

COMMAND: Final = "replay"


@dataclass(frozen=True, slots=True)
class Asked:
    """The options as they were typed."""

    lanes: list[int]
    since: str | None
    until: str | None
    organization: str | None
    command: str | None
    rate: float | None

    def scope(self) -> Scope:
        """What they mean. Raises BadParameter."""
        since, until = edges_of(self.since, self.until, self.lanes)
        return Scope(frozenset(self.lanes), since, until, self.organization, self.command)


def replay_live(
    asked: Asked,
    *,
    forgotten_too: bool,
    progress: Path | None,
    is_meant: bool,
    who: str | None,
    as_json: bool,
) -> None:
    """Say what would be sent again, and with `is_meant` send it."""
    settings, scope = load(), asked.scope()

    async def carry_out() -> Tally:
        async with live(settings, scope) as found:
            bookmark = Bookmark(progress if is_meant else None, {"command": COMMAND, **scope.arguments()})
            with shown(COMMAND, total=found.total, unit="offsets") as bar:
                pace = Pace(asked.rate)
                if not is_meant:
                    return await found.replay(None, bar, pace, bookmark, forgotten_too=forgotten_too)
                async with clients.producer(settings.kafka) as producer:
                    tally = await found.replay(producer, bar, pace, bookmark, forgotten_too=forgotten_too)
            await _note(found, who, tally)
            return tally

    with reaching_database(settings.database.url), reaching_kafka(settings.kafka):
        tally = finish(carry_out())
    _show_tally(tally, is_meant=is_meant, forgotten_too=forgotten_too, as_json=as_json)


async def _note(found: Live, who: str | None, tally: Tally) -> None:
    async with found.engine.begin() as connection:
        await audit.record(connection, acting(who), COMMAND, found.scope.arguments(), tally.as_json())


def _show_tally(tally: Tally, *, is_meant: bool, forgotten_too: bool, as_json: bool) -> None:
    if as_json:
        print_json({"dryRun": not is_meant, **tally.as_json()})
        return
    words = {
        REMEMBERED: "with a remembered answer (given again)",
        FORGOTTEN: "without one (decided as new)" if forgotten_too else "without one (left out)",
        "ticks": "ticks (left out)",
        "unreadable": "unreadable (left out)",
        "dryRuns": "dry runs (left out)",
        "misplaced": "misplaced (left out)",
    }
    print_facts([(words[kind], f"{count:,}") for kind, count in tally.found.items()])
    say(f"{tally.sent:,} commands were sent again." if is_meant else "Nothing was sent: --yes does it.")


def replay_scratch(
    asked: Asked, *, with_rules_of_now: bool, compare: bool, differences_max: int, is_kept: bool, as_json: bool
) -> None:
    """Decide the commands anew, and show what differs. Exit code 1 if something does."""
    settings, scope = load(), asked.scope()
    try:
        with reaching_database(settings.database.url), reaching_kafka(settings.kafka):
            count = finish(
                _decide(
                    settings,
                    scope,
                    Pace(asked.rate),
                    with_rules_of_now=with_rules_of_now,
                    compare=compare,
                    shown_max=differences_max,
                    is_kept=is_kept,
                    as_json=as_json,
                )
            )
    except Refused as refused:
        fail(str(refused))
    if count:
        raise typer.Exit(1)


async def _decide(
    settings: Settings,
    scope: Scope,
    pace: Pace,
    *,
    with_rules_of_now: bool,
    compare: bool,
    shown_max: int,
    is_kept: bool,
    as_json: bool,
) -> int:
    async with scratch(settings, scope, lambda _: None, with_rules_of_now=with_rules_of_now, is_kept=is_kept) as found:
        with shown(COMMAND, total=found.total, unit="offsets") as bar:
            await found.decide(bar, pace)
            decided, seconds = bar.count, bar.seconds
        is_resumed = found.passed is not None
        facts: dict[str, Any] = {"offsetsDecided": decided, "seconds": round(seconds, 3), "resumed": is_resumed}
        kinds = Counter[str]()
        if compare:
            kinds = await _compare(found, facts, shown_max, as_json=as_json)
        if as_json:
            print_json(facts)
        else:
            if is_resumed:
                say("A run that was killed was gone on with.")
            say(f"{decided:,} offsets decided anew in {seconds:.1f} s: {decided / max(seconds, 1e-9):,.0f} a second")
            if compare:
                _say_differences(facts["compared"], kinds)
            if is_kept:
                say(f"What came of it is kept in the schema {SCHEMA}, until the next replay.")
        return kinds.total()


async def _compare(found: Scratch, facts: dict[str, Any], shown_max: int, *, as_json: bool) -> Counter[str]:
    compared, kinds = Counter[str](), Counter[str]()
    rows = []
    async for difference in differences(found, compared):
        kinds[difference.kind] += 1
        if kinds.total() > shown_max:
            continue
        if as_json:
            print_json(difference.as_json())
        else:
            rows.append(_row(difference))
    if rows:
        print_table(("lane", "offset", "organization", "command", "differs", "then", "now"), rows)
    facts |= {"compared": compared["commands"], "differences": dict(kinds)}
    return kinds


def _row(difference: Difference) -> tuple[Any, ...]:
    sides = []
    for side in (difference.then, difference.now):
        if side is None:
            sides.append("nothing")
        else:
            words = [side.outcome or "", *side.reasons, *(kind for kind, _ in side.events)]
            sides.append(" ".join(word for word in words if word))
    return (
        difference.lane,
        difference.offset,
        difference.organization,
        difference.command,
        difference.kind,
        *sides,
    )


def _say_differences(compared: int, kinds: Counter[str]) -> None:
    if not kinds:
        say(f"{compared:,} commands were decided as they were then.", style="green")
        return
    by_kind = ", ".join(f"{count:,} by {kind}" for kind, count in kinds.most_common())
    say(f"{kinds.total():,} of {compared:,} commands are decided otherwise: {by_kind}.", style="red")
