"""Records of the topics about payers, read without pydantic: a subscriber trusts the worker, but not its own wiring."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.events import BINDING_EVENTS
from schemas.instants import WRITTEN_PATTERN
from schemas.state import Horizon, PayerState

KINDS = frozenset(event.TYPE for event in BINDING_EVENTS)
_INSTANT = re.compile(WRITTEN_PATTERN)


class Change(NamedTuple):
    """One event of a project, or its state; instants stay as they are written: so they compare in order of time."""

    kind: str
    organization: str
    project: str
    sequence: int
    at: str
    data: Mapping[str, Any]


def read_change(record: bytes | Mapping[str, Any]) -> Change:
    """An event or state of a project. ValueError (without any value in it) for everything else."""
    envelope = _envelope(record)
    try:
        _, organization, project = _split(envelope["subject"])
        kind, sequence, data = envelope["type"], envelope["sequence"], envelope["data"]
        if envelope["organization"] != organization or type(sequence) is not int or sequence < 1:
            raise ValueError("the attributes of a record do not go together")
        return Change(kind, organization, project, sequence, instant(envelope["time"]), data)
    except (KeyError, TypeError, AttributeError):
        raise ValueError("not a record about a project") from None


def read_horizon(record: bytes | Mapping[str, Any]) -> str:
    """Through which instant a partition of commands is complete. ValueError for everything else."""
    envelope = _envelope(record)
    try:
        if envelope["type"] == Horizon.TYPE:
            return instant(envelope["data"]["through"])
    except (KeyError, TypeError):
        pass
    raise ValueError("not a horizon")


def read_state(record: bytes | Mapping[str, Any]) -> Change:
    """A record of the compacted topic. ValueError for everything else."""
    change = read_change(record)
    if change.kind != PayerState.TYPE:
        raise ValueError("not the state of a project")
    return change


def instant(written: str) -> str:
    """An instant of the worker's, as it is."""
    if not _INSTANT.fullmatch(written):
        raise ValueError("not an instant as the worker writes it")
    return written


def _split(subject: str) -> list[str]:
    parts = subject.split("/")
    if len(parts) != 3 or parts[0] != "projects":  # noqa: PLR2004 - projects/<organization>/<project>
        raise ValueError("not a record about a project")
    return parts


def _envelope(record: bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(record, bytes):
        return record
    try:
        envelope = json.loads(record)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(envelope, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one error for whatever is no record
    return envelope
