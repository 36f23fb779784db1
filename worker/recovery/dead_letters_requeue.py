"""A dead letter once more, as a new command that names the old: what to edit, and what comes of it."""

import json
from dataclasses import dataclass
from typing import Final

from schemas.envelope import COMMAND_ID, STRUCTURED_CONTENT_TYPE
from worker.recovery.dead_letters import LETTER_BYTES_MAX, Letter
from worker.wire.envelope import open_envelope
from worker.wire.incoming import read
from worker.wire.partitions import partition_of
from worker.wire.records import Headers
from worker.wire.request import Tick, Unreadable
from worker.wire.strict_json import read_json

NAMES_THE_OLD: Final = "requeuedfrom"
"""The attribute of the new command with the position of the old one. Unknown ones are ignored by who reads commands."""
HEADERS: Final[Headers] = (("content-type", STRUCTURED_CONTENT_TYPE.encode()),)


class NotRequeued(Exception):  # noqa: N818  it is the letter that is
    """What would be refused, or lie in dead letters again; the message says why."""


@dataclass(frozen=True, slots=True)
class NewCommand:
    """A record for the topic of commands; the worker takes it as it is."""

    topic: str
    partition: int
    offset: int  # where it will lie, nobody knows
    timestamp: int
    key: bytes
    value: bytes
    headers: Headers
    id: str
    organization: str
    type: str


def editable(letter: Letter) -> bytes:
    """What to edit: the document, in lines; of a record in binary mode, what it says; else the bytes as they came."""
    envelope = open_envelope(letter, LETTER_BYTES_MAX)
    if not isinstance(envelope, Unreadable):
        try:
            return json.dumps(envelope, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        except ValueError:  # a number past every bound, or half a character
            pass
    return letter.value or b""


def new_command(
    letter: Letter,
    edited: bytes,
    *,
    id_: str | None,
    earlier: int,
    topic: str,
    partitions: int,
    command_bytes_max: int,
) -> NewCommand:
    """The command that an edited document is. `earlier` is how often the letter was requeued before.

    Judged by the reader that the worker has. Raises NotRequeued for what would not even come to the rules.
    """
    document = read_json(edited)
    if isinstance(document, Unreadable):
        raise NotRequeued(document.detail)
    if not isinstance(document, dict):
        raise NotRequeued("It is JSON, but not an object.")
    old = document.get("id")
    document |= {"id": id_ or _next_id(letter, old, earlier), NAMES_THE_OLD: letter.name}
    if isinstance(old, str) and COMMAND_ID.fullmatch(old):
        document.setdefault("correlationid", old)
    try:
        value = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    except ValueError:
        raise NotRequeued("A number in it is too large.") from None
    organization = document.get("organization")
    organization = organization if isinstance(organization, str) else ""
    key = organization.encode(errors="replace")
    partition = partition_of(organization.encode(errors="replace").decode(), partitions)
    command = NewCommand(
        topic, partition, 0, 0, key, value, HEADERS, str(document["id"]), organization, str(document.get("type"))
    )
    _judge(command, partitions, command_bytes_max)
    return command


def _next_id(letter: Letter, old: object, earlier: int) -> str:
    """The id of the document as it is, if whoever edited it gave it another; else that of the old one with a number."""
    envelope = open_envelope(letter, LETTER_BYTES_MAX)
    before = None if isinstance(envelope, Unreadable) else envelope.get("id")
    if isinstance(old, str) and isinstance(before, str) and old != before:
        return old
    stem = old if isinstance(old, str) and old else f"dead-letter-{letter.partition}-{letter.offset}"
    return f"{stem}-r{earlier + 1}"


def _judge(command: NewCommand, partitions: int, command_bytes_max: int) -> None:
    what = read(command, partitions=partitions, record_bytes_max=command_bytes_max)
    if isinstance(what, Unreadable):
        raise NotRequeued(f"It would be a dead letter again: {what.detail}")
    if isinstance(what, Tick):
        raise NotRequeued("It is a tick: there is nothing to requeue, for another comes by itself.")
    if not what.is_known:
        raise NotRequeued(f"It would be rejected, UNKNOWN_COMMAND: {what.type}")
    refusals = (*what.key_refusals, *what.data_refusals)
    if refusals:
        said = [f"{each.reason.value} {each.details.get('path', '')}: {each.message}" for each in refusals]
        raise NotRequeued("It would be rejected: " + " ".join(said))
