"""What brings records about: a command or a tick, at its place in the log and its instant."""

from dataclasses import field, replace
from datetime import UTC, datetime, timedelta

from orjson import dumps

from schemas.envelope import DATA_CONTENT_TYPE
from worker.domain.value import value
from worker.domain.values import SYSTEM_ACTOR, Instant, Origin
from worker.wire.parts import instant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@value
class Cause:
    """A command or tick that takes effect. `type` is safe to write, as in Request."""

    origin: Origin
    type: str
    at: Instant
    actor: str | None
    correlation_id: str
    traceparent: str | None
    source: str
    members: bytes = field(init=False, repr=False, compare=False)
    place: str = field(init=False, repr=False, compare=False)
    timestamp_ms: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", self._members())
        object.__setattr__(self, "place", str(self.origin.position))
        object.__setattr__(self, "timestamp_ms", to_ms(self.at))

    def _members(self) -> bytes:
        """The attributes that all records of a cause share, as members of a JSON object: encoded once for all."""
        shared = {
            "source": self.source,
            "time": instant(self.at),
            "datacontenttype": DATA_CONTENT_TYPE,
            "causationid": self.origin.command,
            "correlationid": self.correlation_id,
        }
        if self.actor is not None:
            shared["actor"] = self.actor
        if self.traceparent is not None:
            shared["traceparent"] = self.traceparent
        return bytes(dumps(shared)[1:-1])

    def by_itself(self) -> "Cause":
        """The same for due work, which nobody asked for by name.

        It may be another organization's than the command's: nothing that the publisher chose goes along but the
        command's id, which the contract names.
        """
        return replace(self, actor=SYSTEM_ACTOR, correlation_id=self.origin.command, traceparent=None)


def to_ms(at: Instant) -> int:
    """Kafka's timestamp of an instant, rounded down."""
    return (at - _EPOCH) // _MILLISECOND
