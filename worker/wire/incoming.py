"""Reading a record of the command topic: a tick, a command with what its bytes alone refuse, or unreadable."""

from typing import Final

from schemas.commands import TickLane, parse
from schemas.envelope import COMMAND_BYTES_MAX
from schemas.text import HIDDEN_CHARACTER
from worker.domain.commands import Action
from worker.domain.decision import Reason, Refusal
from worker.domain.values import Position
from worker.wire.actions import ACTIONS
from worker.wire.attributes import (
    actor_of,
    content_refusals,
    dry_run_of,
    expected_version_of,
    trace_of,
    why_unreadable,
)
from worker.wire.canonical import content_hash
from worker.wire.envelope import Envelope, open_envelope
from worker.wire.partitions import partition_of
from worker.wire.records import PlainRecord, RawRecord
from worker.wire.request import Request, Tick, Unreadable

UNKNOWN_TYPE_CHARACTERS_MAX: Final = 128

_CONTENT = ("type", "actor", "expectedversion", "data", "data_base64")


def read(
    record: RawRecord, *, partitions: int, record_bytes_max: int = COMMAND_BYTES_MAX
) -> Unreadable | Tick | Request:
    """Say what a record is. Never raises, whatever its bytes, and takes bounded time."""
    envelope = open_envelope(record, record_bytes_max)
    if isinstance(envelope, Unreadable):
        return envelope
    if unreadable := why_unreadable(envelope):
        return unreadable
    if envelope["type"] == TickLane.TYPE:
        return _tick(record, envelope)
    return _request(record, envelope, partitions)


def content_of(record: PlainRecord, record_bytes_max: int = COMMAND_BYTES_MAX) -> bytes | None:
    """The hash of a command's content alone, in a third of the time; None for what is unreadable."""
    envelope = open_envelope(record, record_bytes_max)
    return None if isinstance(envelope, Unreadable) or why_unreadable(envelope) else _hash_of(envelope)


def _hash_of(envelope: Envelope) -> bytes:
    return content_hash({name: envelope[name] for name in _CONTENT if envelope.get(name) is not None})


def _tick(record: RawRecord, envelope: Envelope) -> Tick:
    id_ = str(envelope["id"])
    trace = trace_of(envelope, id_)
    position = Position(record.topic, record.partition, record.offset)
    return Tick(str(envelope["organization"]), id_, position, trace.correlation_id, trace.traceparent)


def _request(record: RawRecord, envelope: Envelope, partitions: int) -> Request:
    organization, id_, kind = str(envelope["organization"]), str(envelope["id"]), str(envelope["type"])
    is_known = kind in ACTIONS
    actor, expected_version, dry_run = actor_of(envelope), expected_version_of(envelope), dry_run_of(envelope)
    refusals = [judged for judged in (actor, expected_version, dry_run) if isinstance(judged, Refusal)]
    action = _action(kind, envelope, refusals) if is_known else None
    trace = trace_of(envelope, id_)
    return Request(
        organization=organization,
        id=id_,
        type=kind if is_known else _legible(kind),
        position=Position(record.topic, record.partition, record.offset),
        actor=None if isinstance(actor, Refusal) else actor,
        correlation_id=trace.correlation_id,
        traceparent=trace.traceparent,
        tracestate=trace.tracestate,
        dry_run=dry_run is True,
        expected_version=None if isinstance(expected_version, Refusal) else expected_version,
        content_hash=_hash_of(envelope),
        key_refusals=_key_refusals(record, organization, partitions),
        is_known=is_known,
        data_refusals=tuple(refusals) if is_known else (),
        action=action,
        ignored=trace.ignored,
    )


def _key_refusals(record: RawRecord, organization: str, partitions: int) -> tuple[Refusal, ...]:
    """Whether the record lies where its organization lives, under its name."""
    expected = partition_of(organization, partitions)
    refusals: tuple[Refusal, ...] = ()
    if record.key != organization.encode():
        refusals += (Refusal(Reason.KEY_MISMATCH),)
    if record.partition != expected:
        refusals += (Refusal(Reason.WRONG_PARTITION, {"expected": expected}),)
    return refusals


def _action(kind: str, envelope: Envelope, refusals: list[Refusal]) -> Action | None:
    """What the rules are asked, or None; whatever is wrong with the data joins the refusals."""
    if refused := content_refusals(envelope):
        refusals.extend(refused)
        return None
    parsed = parse(kind, envelope.get("data"))
    if isinstance(parsed, list):
        refusals.extend(Refusal(Reason(wrong.code), {"path": wrong.path}, wrong.message) for wrong in parsed)
        return None
    return None if refusals else ACTIONS[kind](parsed)


def _legible(kind: str) -> str:
    """An unknown type as it can be repeated in an answer."""
    return HIDDEN_CHARACTER.sub("?", kind[:UNKNOWN_TYPE_CHARACTERS_MAX])
