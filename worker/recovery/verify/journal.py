"""The journal as the lanes wrote it: in order, whole, and each record what its place makes it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import Row

from schemas.instants import format_instant
from worker.domain.values import Instant
from worker.recovery.verify.finding import Check, Finding
from worker.recovery.verify.ground import Ground
from worker.recovery.verify.records import Json, Place, envelope_of, id_at, place_of
from worker.wire.outgoing import Topic

_EVENTS: Final = (Topic.ACCOUNT_EVENTS, Topic.BINDING_EVENTS)
_STATES: Final = (Topic.ACCOUNTS, Topic.PAYERS)
_SUBJECTS: Final = {
    Topic.ACCOUNT_EVENTS: "accounts",
    Topic.ACCOUNTS: "accounts",
    Topic.BINDING_EVENTS: "projects",
    Topic.PAYERS: "projects",
}
_OF_LANE = """
    SELECT j."offset", j.index, j.at, j.topic, j.key, j.value, j.headers IS NOT NULL AS has_headers
    FROM journal AS j WHERE j.lane = :lane ORDER BY j."offset", j.index
"""


@dataclass(slots=True)
class _Entry:
    """A record of the journal, read."""

    place: Place
    at: Instant
    topic: str
    key: bytes | None
    value: bytes | None
    has_headers: bool
    envelope: Json | None


@dataclass(slots=True)
class _Command:
    """All that one position brought about."""

    offset: int
    at: Instant
    entries: list[_Entry] = field(default_factory=list)


class JournalInOrder:
    """One pass over each lane's journal."""

    checks = (
        Check(
            "the_journal_is_in_the_order_of_the_log",
            "In each lane, records lie at rising offsets and indexes, and instants rise with the offsets.",
        ),
        Check(
            "the_journal_has_no_holes",
            "What a command brought about is all there: its events from index 0 on, its result, then the states."
            " Only states that were superseded since may be missing, as after a rebuild.",
        ),
        Check(
            "records_say_where_they_belong",
            "Each record names its own place and instant, its key fits its subject, and its id is derived from both.",
        ),
    )

    def rows(self, ground: Ground) -> int:
        """How many records it looks at."""
        return ground.rows["journal"]

    async def prove(self, ground: Ground, findings: Sequence[Finding]) -> None:
        """Read every lane from its beginning, or from where pieces were dropped."""
        order, whole, places = findings
        missing = 0
        for finding in findings:
            finding.unit = "records"
            finding.notes += [
                f"lane {lane}: from offset {first} on; what lay before was dropped"
                for lane, first in sorted(ground.reach.since.items())
            ]
        for lane in sorted(ground.lanes):
            if ground.organization is not None and lane not in ground.homes:
                continue
            latest: Instant | None = None
            async for command in _commands(ground, lane):
                for finding in findings:
                    finding.looked_at += len(command.entries)
                _prove_order(order, lane, command, latest)
                missing += _prove_whole(whole, lane, command)
                for entry in command.entries:
                    if problem := _misplaced(ground, entry):
                        places.refute(place=str(entry.place), topic=entry.topic, key=entry.key, **problem)
                latest = command.at
                await ground.did(len(command.entries))
        if missing:
            whole.notes.append(f"{missing} superseded states are not kept, as after a rebuild")


async def _commands(ground: Ground, lane: int) -> AsyncIterator[_Command]:
    command: _Command | None = None
    async for row in ground.select(_OF_LANE, lane=lane):
        entry = _entry(lane, row)
        if command is None or command.offset != entry.place.offset:
            if command is not None:
                yield command
            command = _Command(entry.place.offset, entry.at)
        command.entries.append(entry)
    if command is not None:
        yield command


def _entry(lane: int, row: Row[Any]) -> _Entry:
    offset, index, at, topic, key, value, has_headers = tuple(row)
    at = at.replace(tzinfo=UTC)  # an instant that is infinite has none
    envelope = None if topic == Topic.DEAD_LETTERS else envelope_of(value)
    return _Entry(Place(lane, offset, index), at, topic, key, value, has_headers, envelope)


def _prove_order(order: Finding, lane: int, command: _Command, latest: Instant | None) -> None:
    if latest is not None and command.at <= latest:
        order.refute(lane=lane, offset=command.offset, at=command.at, before=latest)
    for one, other in pairwise(command.entries):
        if other.place <= one.place or other.at != one.at:
            order.refute(place=str(other.place), at=other.at, after=str(one.place), after_at=one.at)


def _prove_whole(whole: Finding, lane: int, command: _Command) -> int:
    """Refute what is missing; how many states are, which may have been superseded.

    A tick has no result, and a result whose time is over may not have come back with a rebuild: that a result is there
    for every answer in the inbox is a claim of its own.
    """
    events = [entry for entry in command.entries if entry.topic in _EVENTS]
    results = [entry for entry in command.entries if entry.topic == Topic.COMMAND_RESULTS]
    states = [entry for entry in command.entries if entry.topic in _STATES]
    if [entry.place.number for entry in events] != list(range(len(events))):
        numbers = [entry.place.number for entry in events]
        whole.refute(lane=lane, offset=command.offset, problem="events are missing", there=numbers)
        return 0
    if len(results) > 1 or any(entry.place.number != len(events) for entry in results):
        numbers = [entry.place.number for entry in results]
        whole.refute(lane=lane, offset=command.offset, problem="no single result after its events", there=numbers)
        return 0
    if any(entry.place.number < len(events) for entry in states):
        whole.refute(lane=lane, offset=command.offset, problem="a state lies among the events")
        return 0
    if command.entries[0].topic == Topic.DEAD_LETTERS and command.entries[0].place.number > 0:
        whole.refute(lane=lane, offset=command.offset, problem="the result before the dead letter is missing")
    if (told := _told_events(results)) > len(events):
        whole.refute(lane=lane, offset=command.offset, problem="its result tells of more", told=told, there=len(events))
    expected = {entry.key for entry in events}
    there = {entry.key for entry in states if entry.value is not None}
    return len(expected - there)


def _told_events(results: Sequence[_Entry]) -> int:
    """How many events the result says that the command had."""
    data = results[0].envelope["data"] if results and results[0].envelope else {}
    if data.get("duplicate") or "wouldAccept" in data:
        return 0
    told = data.get("eventCount", 0)
    return told if isinstance(told, int) else 0


def _misplaced(ground: Ground, entry: _Entry) -> Json | None:
    """Why a record does not fit its place."""
    if entry.topic == Topic.DEAD_LETTERS:
        return None if entry.has_headers else {"problem": "a dead letter without headers"}
    if entry.value is None and entry.topic == Topic.PAYERS:
        return None
    if entry.topic not in (*_SUBJECTS, Topic.COMMAND_RESULTS):
        return {"problem": "a topic that commands bring nothing about in"}
    envelope = entry.envelope
    if envelope is None:
        return {"problem": "not a CloudEvents document", "value": entry.value}
    if (named := place_of(envelope)) != (ground.topic, entry.place):
        return {"problem": "it names another place", "named": "/".join(map(str, named)) if named else None}
    if envelope.get("time") != format_instant(entry.at):
        return {"problem": "it names another instant", "named": envelope.get("time"), "at": entry.at}
    expected = _subject(entry, envelope)
    if envelope.get("subject") != expected:
        return {"problem": "its key is not that of its subject", "subject": envelope.get("subject")}
    if not _is_about(entry, envelope):
        return {"problem": "its data is of another subject", "data": envelope["data"]}
    if envelope.get("id") != (id_ := _id(ground, entry, envelope)):
        return {"problem": "its id is not derived from its place", "id": envelope.get("id"), "derived": id_}
    return None


def _subject(entry: _Entry, envelope: Json) -> str:
    key = (entry.key or b"").decode(errors="backslashreplace")
    if entry.topic == Topic.COMMAND_RESULTS:
        return f"commands/{key}/{envelope.get('causationid')}"
    return f"{_SUBJECTS[Topic(entry.topic)]}/{key}"


def _is_about(entry: _Entry, envelope: Json) -> bool:
    """Whether what the data says of organization and subject, if anything, is what the key says."""
    organization, _, id_ = (entry.key or b"").decode(errors="backslashreplace").partition("/")
    data, name = envelope["data"], _SUBJECTS.get(Topic(entry.topic), "commands").removesuffix("s")
    said = envelope.get("causationid") if name == "command" else id_
    is_ours = {envelope.get("organization"), data.get("organization", organization)} == {organization}
    # notices to projects name the account that they are about
    return is_ours and data.get(name, said) == said


def _id(ground: Ground, entry: _Entry, envelope: Json) -> str:
    at = f"{ground.topic}/{entry.place.lane}/{entry.place.offset}"
    return id_at(ground.installation.id, entry.topic, at, entry.place.number, envelope)
