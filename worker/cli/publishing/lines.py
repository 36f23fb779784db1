"""A line of input as a command, ready to be sent; or what is wrong with it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from schemas.commands import TickLane
from schemas.envelope import SPEC_VERSION
from worker.wire.attributes import why_unreadable
from worker.wire.request import Unreadable
from worker.wire.strict_json import read_json

_SHORT: Final = frozenset(
    {
        "type",
        "organization",
        "data",
        "id",
        "actor",
        "expectedversion",
        "dryrun",
        "correlationid",
        "subject",
        "time",
        "traceparent",
        "tracestate",
    }
)
_PREFIX = "billing."
_VERSIONED = re.compile(r"\.v[0-9]+$")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record for the command topic. `id` is that of the command whose answer comes back, or empty."""

    key: bytes
    id: str
    value: bytes


class BadLine(Exception):  # noqa: N818 - it is the line that is bad
    """A line that is no command; the message says why."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What short forms are completed with. `given` are attributes for lines that do not name them."""

    source: str
    given: Mapping[str, object]
    record_bytes_max: int

    def complete(self, line: bytes) -> Outgoing:
        """The line as a record: a whole CloudEvents document as it is, a short form completed. Raises BadLine."""
        line = line.strip()
        read = read_json(line)
        if isinstance(read, Unreadable):
            raise BadLine(read.detail)
        if not isinstance(read, dict):
            raise BadLine("It is JSON, but not an object.")
        if "specversion" in read:
            if "dryrun" in self.given and read.get("dryrun") is not True:
                raise BadLine("It is a whole CloudEvents document, to which --dry-run does not apply.")
            return self._outgoing(read, line)
        document = self._completed(read)
        try:
            value = json.dumps(document, allow_nan=False, separators=(",", ":"))
        except ValueError:
            raise BadLine("A number in it is too large.") from None
        return self._outgoing(document, value.encode())

    def _completed(self, short: Mapping[str, object]) -> dict[str, object]:
        if unknown := sorted(short.keys() - _SHORT):
            raise BadLine(f"A short form has no {', '.join(unknown)!r}; it may have {', '.join(sorted(_SHORT))}.")
        document: dict[str, object] = {"specversion": SPEC_VERSION, "id": str(uuid4()), "source": self.source}
        document |= {**self.given, **short}
        if isinstance(kind := document.get("type"), str):
            document["type"] = whole_type(kind)
        document.setdefault("data", {})
        return document

    def _outgoing(self, document: dict[str, object], value: bytes) -> Outgoing:
        if unreadable := why_unreadable(document):
            raise BadLine(unreadable.detail)
        if len(value) > self.record_bytes_max:
            raise BadLine(f"It has {len(value)} bytes; {self.record_bytes_max} are allowed.")
        answered = document["type"] != TickLane.TYPE
        return Outgoing(str(document["organization"]).encode(), str(document["id"]) if answered else "", value)


@dataclass(frozen=True, slots=True)
class Untouched:
    """Lines as they are, whatever they are, under one key."""

    key: bytes

    def complete(self, line: bytes) -> Outgoing:
        """The line as a record."""
        return Outgoing(self.key, "", line)


def whole_type(kind: str) -> str:
    """A message type with its prefix and version, whichever it had."""
    kind = kind if kind.startswith(_PREFIX) else _PREFIX + kind
    return kind if _VERSIONED.search(kind) else f"{kind}.v1"
