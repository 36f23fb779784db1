"""Judging attributes: which bad ones make a command unreadable, which refuse it, which do not count."""

from typing import Final

from pydantic import TypeAdapter, ValidationError

from schemas.envelope import (
    ACTOR_CHARACTERS_MAX,
    COMMAND_ID,
    CORRELATION_ID_CHARACTERS_MAX,
    EXPECTED_VERSION_MAX,
    ORGANIZATION,
    SPEC_VERSION,
    TRACEPARENT,
    TRACESTATE_CHARACTERS_MAX,
)
from schemas.text import HIDDEN_CHARACTER
from schemas.values import Actor
from worker.domain.decision import Reason, Refusal
from worker.domain.value import value
from worker.wire.envelope import Envelope, is_json
from worker.wire.request import Unreadable, Why

_BIND = "billing.project.bind.v1"
_ABOUT_PROJECTS = "billing.project."
_ACTOR: Final[TypeAdapter[str]] = TypeAdapter(Actor)


@value
class Trace:
    """What ties a command to others. `ignored` names what was bad and does not count."""

    correlation_id: str
    traceparent: str | None
    tracestate: str | None
    ignored: tuple[str, ...]


def why_unreadable(envelope: Envelope) -> Unreadable | None:
    """Name every attribute without which nobody can be answered."""
    kind, source = envelope.get("type"), envelope.get("source")
    problems = []
    if envelope.get("specversion") != SPEC_VERSION:
        problems.append("specversion must be 1.0")
    if not (isinstance(id_ := envelope.get("id"), str) and COMMAND_ID.fullmatch(id_)):
        problems.append("id must be 1 to 128 of A-Z a-z 0-9 . _ : -")
    if not (isinstance(source, str) and source):
        problems.append("source must be a string that is not empty")
    if not isinstance(kind, str):
        problems.append("type must be a string")
    if not (isinstance(organization := envelope.get("organization"), str) and ORGANIZATION.fullmatch(organization)):
        problems.append("organization must be a DNS label of at most 63 characters")
    return Unreadable(Why.BAD_ENVELOPE, f"Attributes: {'; '.join(problems)}.") if problems else None


def trace_of(envelope: Envelope, command: str) -> Trace:
    """What ties a command to others; what is bad does not count."""
    ignored = []
    correlation_id, traceparent, tracestate = command, None, None
    if (given := envelope.get("correlationid")) is not None:
        if isinstance(given, str) and 0 < len(given) <= CORRELATION_ID_CHARACTERS_MAX and _is_legible(given):
            correlation_id = given
        else:
            ignored.append("correlationid")
    if (given := envelope.get("traceparent")) is not None:
        if isinstance(given, str) and TRACEPARENT.fullmatch(given):
            traceparent = given
        else:
            ignored.append("traceparent")
    if (given := envelope.get("tracestate")) is not None:
        if isinstance(given, str) and len(given) <= TRACESTATE_CHARACTERS_MAX and _is_legible(given):
            tracestate = given
        else:
            ignored.append("tracestate")
    return Trace(correlation_id, traceparent, tracestate, tuple(ignored))


def actor_of(envelope: Envelope) -> str | Refusal | None:
    """Who sends, in NFC."""
    given = envelope.get("actor")
    if given is None:
        return None
    if isinstance(given, str) and given.isascii() and given.isprintable() and 0 < len(given) <= ACTOR_CHARACTERS_MAX:
        return given
    try:
        return _ACTOR.validate_python(given, strict=True)
    except ValidationError:
        return _refused(
            "/actor",
            f"Must be text of 1 to {ACTOR_CHARACTERS_MAX} characters, none of them control, bidirectional or "
            "zero-width ones.",
        )


def expected_version_of(envelope: Envelope) -> int | Refusal | None:
    """The sequence that the sender has seen last of the account."""
    given = envelope.get("expectedversion")
    if given is None:
        return None
    kind = str(envelope["type"])
    if kind.startswith(_ABOUT_PROJECTS) and kind != _BIND:
        return _refused("/expectedversion", "Goes with commands on accounts and with project.bind only.")
    if type(given) is int and 0 <= given <= EXPECTED_VERSION_MAX:
        return given
    return _refused("/expectedversion", "Must be an integer from 0 on.")


def dry_run_of(envelope: Envelope) -> bool | Refusal:
    """Whether to answer only what would happen."""
    given = envelope.get("dryrun")
    if given is None or isinstance(given, bool):
        return given or False
    return _refused("/dryrun", "Must be true or false.")


def content_refusals(envelope: Envelope) -> tuple[Refusal, ...]:
    """Why the data is not looked at: it is not JSON, or says so."""
    refusals: tuple[Refusal, ...] = ()
    if envelope.get("data_base64") is not None:
        refusals += (_refused("/data_base64", "Send JSON in data."),)
    media_type = envelope.get("datacontenttype")
    if media_type is not None and media_type != "application/json" and not is_json(media_type):
        refusals += (_refused("/datacontenttype", "Must be application/json."),)
    return refusals


def _refused(path: str, message: str) -> Refusal:
    return Refusal(Reason.INVALID_DATA, {"path": path}, message)


def _is_legible(text: str) -> bool:
    return (text.isascii() and text.isprintable()) or not HIDDEN_CHARACTER.search(text)
