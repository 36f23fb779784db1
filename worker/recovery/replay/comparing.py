"""What was decided then beside what is decided now: command by command, in bounded memory."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.recovery.replay.scope import Scope
from worker.recovery.replay.scratch import Scratch
from worker.recovery.replay.under_way import SCHEMA
from worker.wire.outgoing import Topic

WINDOW_OFFSETS: Final = 5_000

_TOPICS: Final = (Topic.ACCOUNT_EVENTS, Topic.BINDING_EVENTS, Topic.COMMAND_RESULTS, Topic.DEAD_LETTERS)
"""What happened. States follow from it, and a rebuilt journal holds only the latest of them."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a command brought about: the type of its result, why it was rejected, and its events in order."""

    outcome: str | None
    reasons: tuple[str, ...]
    events: tuple[tuple[str, bytes], ...]
    result: bytes | None = None

    def as_json(self) -> dict[str, Any]:
        """For people and programs; events by their types."""
        return {"outcome": self.outcome, "reasons": self.reasons, "events": [kind for kind, _ in self.events]}


@dataclass(frozen=True, slots=True)
class Difference:
    """One command that is decided otherwise. None: nothing is known of it on that side."""

    lane: int
    offset: int
    organization: str | None
    command: str | None
    then: Decided | None
    now: Decided | None

    @property
    def kind(self) -> str:
        """What differs first."""
        if self.then is None or self.now is None:
            return "missing"
        then, now = self.then.as_json(), self.now.as_json()
        return next((name for name in then if then[name] != now[name]), "values")

    def as_json(self) -> dict[str, Any]:
        """A line of the report."""
        return {
            "lane": self.lane,
            "offset": self.offset,
            "organization": self.organization,
            "command": self.command,
            "differs": self.kind,
            "then": self.then and self.then.as_json(),
            "now": self.now and self.now.as_json(),
        }


async def differences(scratch: Scratch, compared: Counter[str]) -> AsyncIterator[Difference]:
    """Every command in the scope that is decided otherwise now. `compared` counts those that were looked at."""
    async with scratch.own.connect() as connection:
        for lane in scratch.lanes:
            if not lane.is_asked_for:
                continue
            first, last = lane.stretch.first, lane.stretch.last
            if isinstance(scratch.scope.since, int):
                first = max(first, scratch.scope.since)
            while first < last:
                until = min(first + WINDOW_OFFSETS, last)
                async for difference in _window(connection, scratch, lane.stretch.lane, (first, until), compared):
                    yield difference
                first = until


async def _window(
    connection: AsyncConnection, scratch: Scratch, lane: int, window: tuple[int, int], compared: Counter[str]
) -> AsyncIterator[Difference]:
    then = await _decided(connection, f'"{scratch.live_schema}".journal_{lane:d}', window, scratch.scope)
    now = await _decided(connection, f"{SCHEMA}.journal_{lane:d}", window, scratch.scope)
    for offset in sorted(then.keys() | now.keys()):
        compared["commands"] += 1
        (before, *whose), (after, *whose_now) = then.get(offset, (None,)), now.get(offset, (None,))
        if before != after:
            organization, command = whose or whose_now
            yield Difference(lane, offset, organization, command, before, after)


async def _decided(
    connection: AsyncConnection, journal: str, window: tuple[int, int], scope: Scope
) -> dict[int, tuple[Decided, str | None, str | None]]:
    """By offset, what came of each command, and whose it was. Ticks and commands without outputs have none."""
    rows = await connection.execute(
        text(
            f'SELECT "offset", topic, key, value FROM {journal}'  # noqa: S608 - a constant and a schema's own name
            ' WHERE "offset" >= :first AND "offset" < :until AND topic = ANY(:topics)'
            " AND at >= COALESCE(CAST(:since AS timestamptz), '-infinity') ORDER BY \"offset\", index"
        ),
        {
            "first": window[0],
            "until": window[1],
            "topics": [topic.value for topic in _TOPICS],
            "since": None if isinstance(scope.since, int) else scope.since,
        },
    )
    outputs: dict[int, list[tuple[str, bytes | None, bytes | None]]] = {}
    for offset, topic, key, value in rows:
        outputs.setdefault(offset, []).append((topic, key, value))
    found = {offset: _read(records) for offset, records in outputs.items()}
    return {
        offset: (decided, organization, command)
        for offset, (decided, organization, command) in found.items()
        if scope.organization in {None, organization} and scope.command in {None, command}
    }


def _read(
    records: Sequence[tuple[str, bytes | None, bytes | None]],
) -> tuple[Decided, str | None, str | None]:
    outcome, organization, command = None, None, None
    reasons: tuple[str, ...] = ()
    result = None
    events = []
    for topic, key, value in records:
        if topic == Topic.DEAD_LETTERS:
            events.append(("dead letter", value or b""))
            continue
        envelope = orjson.loads(value or b"{}")
        kind = str(envelope["type"]).removeprefix("billing.").removesuffix(".v1")
        if topic == Topic.COMMAND_RESULTS:
            outcome, organization, result = kind, (key or b"").decode(), value
            command = envelope["data"]["command"]
            reasons = tuple(reason["code"] for reason in envelope["data"].get("reasons", ()))
        else:
            events.append((kind, value or b""))
            organization = organization or envelope["organization"]
    return Decided(outcome, reasons, tuple(events), result), organization, command
