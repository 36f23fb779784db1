"""The data of results: what became of a command."""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson

from schemas.results import EVENTS_LISTED_MAX, CommandAccepted, CommandEvaluated, CommandRejected
from worker.domain.decision import Refusal
from worker.wire.outgoing import Outgoing
from worker.wire.parts import Json
from worker.wire.refusals import reason


class WrittenEvent(NamedTuple):
    """An event's record, and what results say about it."""

    record: Outgoing
    id: str
    type: str
    subject: str
    sequence: int
    data: Json


class WrittenResult(NamedTuple):
    """A result's record, and its data for the inbox, to be given again to whoever sends the same once more."""

    record: Outgoing
    data: bytes


def accepted(command: str, kind: str, events: Sequence[WrittenEvent], version: int | None) -> tuple[str, bytes]:
    """The command took effect; without events its effect was there already."""
    return CommandAccepted.TYPE, orjson.dumps(
        {
            "command": command,
            "type": kind,
            "events": [_reference(event) for event in events[:EVENTS_LISTED_MAX]],
            "eventCount": len(events),
            "version": version,
            "duplicate": False,
        }
    )


def rejected(command: str, kind: str, refusals: Iterable[Refusal]) -> tuple[str, bytes]:
    """The command changed nothing."""
    return CommandRejected.TYPE, orjson.dumps(
        {
            "command": command,
            "type": kind,
            "reasons": [reason(refusal) for refusal in refusals],
            "duplicate": False,
        }
    )


def evaluated(command: str, events: Sequence[WrittenEvent], refusals: Iterable[Refusal]) -> tuple[str, bytes]:
    """What the command would do."""
    reasons = [reason(refusal) for refusal in refusals]
    return CommandEvaluated.TYPE, orjson.dumps(
        {
            "command": command,
            "wouldAccept": not reasons,
            "events": [_reference(event) | {"data": event.data} for event in events[:EVENTS_LISTED_MAX]],
            "eventCount": len(events),
            "reasons": reasons,
        }
    )


def repeated(stored: bytes) -> tuple[str, bytes]:
    """The first result again, from the inbox."""
    data = json.loads(stored)
    data["duplicate"] = True
    kind = CommandRejected.TYPE if "reasons" in data else CommandAccepted.TYPE
    return kind, orjson.dumps(data)


def _reference(event: WrittenEvent) -> Json:
    return {"id": event.id, "type": event.type, "subject": event.subject, "sequence": event.sequence}
