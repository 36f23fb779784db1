"""Accounts and projects beside what the journal tells of them, one subject after the other."""
# ruff: noqa: S608  the statements are of this package's own making

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import Row

from schemas.instants import format_instant
from worker.domain.values import Instant
from worker.recovery.verify.finding import Finding
from worker.recovery.verify.ground import Ground
from worker.recovery.verify.records import Json, envelope_of
from worker.wire.outgoing import Topic

BROKEN: Final = (KeyError, TypeError, ValueError, AttributeError)
"""What reading makes of events and rows that no worker wrote so. A Contradiction is a ValueError."""

_EVENTS: Final = """
    SELECT j.key, j.lane, j."offset", j.index AS number, j.value FROM journal AS j
    WHERE j.topic = '{topic}' AND {of_subjects} ORDER BY j.key, j.at, j.lane, j."offset", j.index
"""
_LATEST: Final = """
    SELECT latest.key, latest.lane, latest."offset", latest.index AS number, record.value
    FROM (
        SELECT DISTINCT ON (j.key) j.key, j.lane, j."offset", j.index FROM journal AS j
        WHERE j.topic = '{topic}' AND {of_subjects}
        ORDER BY j.key, j.at DESC, j."offset" DESC, j.index DESC
    ) AS latest
    CROSS JOIN LATERAL (
        SELECT j.value FROM journal AS j
        WHERE j.lane = latest.lane AND j."offset" = latest."offset" AND j.index = latest.index OFFSET 0
    ) AS record
    ORDER BY latest.key
"""
_ABSENT = object()


class Fold(Protocol):
    """What events make of a subject."""

    def apply(self, envelope: Json) -> None:
        """Let one more event happen."""


def events(ground: Ground, topic: Topic) -> AsyncIterator[Row[Any]]:
    """The events of all subjects, by key."""
    return ground.select(_EVENTS.format(topic=topic.value, of_subjects=ground.of_subjects))


def latest_states(ground: Ground, topic: Topic) -> AsyncIterator[Row[Any]]:
    """The last state record of each subject in the journal, by key."""
    return ground.select(_LATEST.format(topic=topic.value, of_subjects=ground.of_subjects))


def table(ground: Ground, name: str, columns: str, subject: str, order: str = "") -> AsyncIterator[Row[Any]]:
    """The rows of a table, by the keys of their subjects; `subject` is the column that names them."""
    key = f"convert_to(t.organization || '/' || t.{subject}, 'UTF8')"
    statement = f"SELECT {columns}, {key} AS key FROM {name} AS t WHERE ONLY(t) ORDER BY {key}{order}"
    return ground.select(ground.scoped(statement))


def written(at: datetime | None) -> str | None:
    """An instant as the contract writes it."""
    return None if at is None else format_instant(at)


def prove_sequences(
    ground: Ground,
    finding: Finding,
    subject: str,
    rows: Sequence[Row[Any]],
    row: Row[Any] | None,
    since: Instant | None,
) -> bool:
    """Events are numbered without holes up to the sequence of the row. Tells whether all of them are there.

    `since` is when the subject began. Where pieces of the journal were dropped, older subjects lost their first events.
    """
    numbers = [(envelope_of(event.value) or {}).get("sequence") for event in rows]
    first = numbers[0] if numbers and isinstance(numbers[0], int) else 1
    if numbers != list(range(first, first + len(numbers))):
        expected = next(place for place, number in enumerate(numbers, first) if number != place)
        finding.refute(
            subject=subject, problem="a hole or a repetition", expected=expected, there=numbers[expected - first]
        )
        return False
    if row is None:
        finding.refute(subject=subject, problem="events of nobody that the tables know", events=len(numbers))
        return False
    if numbers and numbers[-1] != row.sequence:
        finding.refute(subject=subject, problem="the last event is another", sequence=row.sequence, last=numbers[-1])
        return False
    if (not numbers or first > 1) and ground.reach.covers(since):
        finding.refute(subject=subject, problem="the first events are missing", first=first if numbers else None)
        return False
    return bool(numbers) and first == 1


def folded(finding: Finding, subject: str, fold: Fold, rows: Sequence[Row[Any]]) -> bool:
    """Let all the events happen; refuted by the first that cannot have."""
    for event in rows:
        try:
            fold.apply(envelope_of(event.value) or {})
        except BROKEN as problem:
            place = f"{event.lane}/{event.offset}/{event.number}"
            finding.refute(subject=subject, event=place, problem=_told(problem))
            return False
    return True


def compare(finding: Finding, subject: str, made: Any, kept: Callable[[], Any], **where: Any) -> None:
    """Refute what the tables keep unless it is what was made; only what differs is shown."""
    try:
        found = kept()
    except BROKEN as problem:
        finding.refute(subject=subject, **where, problem=f"the row cannot be read: {_told(problem)}")
        return
    if made == found:
        return
    if isinstance(made, dict) and isinstance(found, dict):
        names = [name for name in made | found if made.get(name, _ABSENT) != found.get(name, _ABSENT)]
        made = {str(name): made.get(name) for name in names}
        found = {str(name): found.get(name) for name in names}
    elif isinstance(made, list) and isinstance(found, list):
        place = next((place for place, pair in enumerate(zip(made, found, strict=False)) if pair[0] != pair[1]), None)
        place = min(len(made), len(found)) if place is None else place
        where |= {"place": place}
        made, found = made[place : place + 1], found[place : place + 1]
    finding.refute(subject=subject, **where, made=made, kept=found)


def prove_state(
    ground: Ground,
    finding: Finding,
    subject: str,
    latest: Sequence[Row[Any]],
    shown: Callable[[], Json],
    since: Instant,
) -> None:
    """The last state record shows what the tables keep. `since`: not earlier did the subject change last."""
    if not latest:
        if ground.reach.covers(since):
            finding.refute(subject=subject, problem="the journal has no state of it")
        return
    record = latest[0]
    place = f"{record.lane}/{record.offset}/{record.number}"
    envelope = envelope_of(record.value)
    if envelope is None:
        finding.refute(subject=subject, record=place, problem="not a CloudEvents document")
        return
    if envelope.get("sequence") != envelope["data"].get("sequence"):
        finding.refute(subject=subject, record=place, problem="it names two sequences")
    compare(finding, subject, envelope["data"], shown, record=place)


def notes_of_reach(ground: Ground) -> list[str]:
    """From where on the journal proves something, if it has lost its beginning."""
    if ground.reach.at is None:
        return []
    return [f"of what began before {format_instant(ground.reach.at)} only what is left of the journal was looked at"]


def _told(problem: Exception) -> str:
    return str(problem) if type(problem).__name__ == "Contradiction" else f"{type(problem).__name__}: {problem}"
