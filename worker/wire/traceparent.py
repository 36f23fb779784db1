"""The trace that a record belongs to: W3C Trace Context, carried on from a command to whatever it brings about."""

from typing import Final

from schemas.envelope import TRACEPARENT, TRACESTATE_CHARACTERS_MAX
from worker.wire.records import Headers

_DATA: Final = b',"data":'
_MEMBER: Final = b'"traceparent":"'
_BYTES: Final = len("00-") + 32 + len("-") + 16 + len("-00")


def traceparent_of(value: bytes | None) -> str | None:
    """The one in a record that the worker wrote, found without parsing it.

    Data comes last of what is written. Neither can be part of a string in JSON, where quotes are escaped.
    """
    if value is None or (before := value.find(_MEMBER)) < 0 or value.find(_DATA) < before:
        return None
    begins = before + len(_MEMBER)
    return value[begins : begins + _BYTES].decode()


def from_headers(headers: Headers) -> tuple[str | None, str | None]:
    """What an instrumented client put beside a command that names no trace itself: `traceparent`, `tracestate`."""
    given = {name: value for name, value in headers if name in {"traceparent", "tracestate"} and value is not None}
    traceparent = given.get("traceparent", b"").decode(errors="replace")
    tracestate = given.get("tracestate", b"").decode(errors="replace")
    if not TRACEPARENT.fullmatch(traceparent):
        return None, None
    return traceparent, tracestate if 0 < len(tracestate) <= TRACESTATE_CHARACTERS_MAX else None


def is_sampled(traceparent: str) -> bool:
    """Whether whoever began the trace records it."""
    return bool(int(traceparent[-2:], 16) & 1)
