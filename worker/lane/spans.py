"""Spans of what lanes do, by OpenTelemetry's conventions for messaging. Imported only where traces are on.

A command has a `process` span of its own, though a batch is one transaction: whoever published it looks for its
outcome in his own trace. What is sent has a `send` span a topic and transaction, linked to the traces of its records,
never their child: the publisher of a record may be another worker, hours after the command was processed.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Concatenate, Final, NamedTuple, ParamSpec

import structlog
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from worker.lane.faults import cause_of
from worker.lane.needs import Incoming
from worker.lane.publisher import Handover
from worker.lane.sending import TopicNames
from worker.settings import Settings
from worker.wire.outgoing import Outgoing, Topic
from worker.wire.request import Request, Tick, Unreadable, Why
from worker.wire.traceparent import from_headers, is_sampled, traceparent_of

log = structlog.get_logger(__name__)

_ROOT: Final = Context()
_NANOSECONDS: Final = 1_000_000_000

P = ParamSpec("P")
Attributes = dict[str, AttributeValue]


def _harmless(tell: "Callable[Concatenate[Spans, P], None]") -> "Callable[Concatenate[Spans, P], None]":
    """What has happened has happened, whether or not it can be told."""

    @wraps(tell)
    def harmless(spans: "Spans", /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            tell(spans, *args, **kwargs)
        except Exception:
            log.exception("spans_not_made")

    return harmless


class Spans:
    """Tells of batches by spans.

    `follows_parents`: nothing is told of a trace that its beginner does not record; without one the sampler decides.
    """

    def __init__(self, tracer: Tracer, settings: Settings, names: TopicNames, *, follows_parents: bool) -> None:
        self._tracer = tracer
        self._names = names
        self._follows_parents = follows_parents
        shared: Attributes = {"messaging.system": "kafka", "messaging.client.id": settings.kafka.client_id}
        commands = settings.topics.commands
        self._process_name = f"process {commands}"
        self._process: Attributes = shared | {
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": commands,
            "messaging.consumer.group.name": settings.kafka.group_id,
        }
        self._send: Attributes = shared | {"messaging.operation.name": "send", "messaging.operation.type": "send"}

    @_harmless
    def processed(
        self, incoming: Sequence[Incoming], outcomes: Sequence[str], defects: Mapping[int, str], seconds: float
    ) -> None:
        """A span for each record that was decided, from the batch's beginning to its COMMIT."""
        ended_ns = time.time_ns()
        for item, outcome in zip(incoming, outcomes, strict=False):
            why = item.what.reason if isinstance(item.what, Unreadable) else None
            if item.record.offset in defects and isinstance(item.what, Request):
                why = Why.INTERNAL_ERROR
            failure = None if why is None else _Failure(why.value)
            self._tell(item, {"billing.outcome": outcome}, failure, seconds, ended_ns)

    @_harmless
    def failed(self, incoming: Sequence[Incoming], error: BaseException, seconds: float) -> None:
        """A span for each record that was to be decided: the next attempt makes another."""
        ended_ns, failure = time.time_ns(), _failure(error)
        for item in incoming:
            self._tell(item, {}, failure, seconds, ended_ns)

    @_harmless
    def sent(self, lane: int, handovers: Sequence[Handover], began_ns: int, error: BaseException | None) -> None:
        """A span for each topic that was sent to, from the transaction's beginning to its end."""
        ended_ns, sends = time.time_ns(), defaultdict[Topic, _Send](_Send)
        for handover in handovers:
            for record in handover.records:
                sends[record.topic].add(record)
        for topic, send in sends.items():
            if (traces := self._followed(send.traces)) is None:
                continue
            attributes: Attributes = self._send | {
                "messaging.destination.name": self._names.name[topic],
                "messaging.batch.message_count": send.count,
                "billing.lane": lane,
            }
            if send.count == 1:
                attributes["messaging.destination.partition.id"] = str(self._names.log_of(topic, send.key).partition)
            span = self._tracer.start_span(
                f"send {self._names.name[topic]}",
                _ROOT,
                SpanKind.CLIENT,  # not the context of what it sends: that is the command's
                attributes,
                [Link(_context_of(traceparent)) for traceparent in traces],
                began_ns,
            )
            _end(span, None if error is None else _failure(error), ended_ns)

    def _tell(self, item: Incoming, own: Attributes, failure: "_Failure | None", seconds: float, ended_ns: int) -> None:
        traceparent, tracestate = _trace_of(item)
        if traceparent is None:
            if isinstance(item.what, Tick):
                return  # the worker's own
        elif self._follows_parents and not is_sampled(traceparent):
            return
        attributes = self._process | _attributes_of(item) | own
        context, links = _ROOT, list[Link]()
        if traceparent is not None:
            creation = _context_of(traceparent, tracestate)
            context, links = set_span_in_context(NonRecordingSpan(creation), _ROOT), [Link(creation)]
        began_ns = ended_ns - int(seconds * _NANOSECONDS)
        span = self._tracer.start_span(self._process_name, context, SpanKind.CONSUMER, attributes, links, began_ns)
        _end(span, failure, ended_ns)

    def _followed(self, traces: Iterable[str]) -> Sequence[str] | None:
        """The traces to link to; None where there are some and none is recorded."""
        traces = list(traces)
        if not self._follows_parents or not traces:
            return traces
        return [traceparent for traceparent in traces if is_sampled(traceparent)] or None


class _Failure(NamedTuple):
    """`type` is one of few; `cause` is for people."""

    type: str
    cause: str | None = None


@dataclass(slots=True)
class _Send:
    """What goes to one topic. `traces` are in the order of their first records."""

    count: int = 0
    key: bytes | None = None
    traces: dict[str, None] = field(default_factory=dict)

    def add(self, record: Outgoing) -> None:
        """One record more. A dead letter's bytes are somebody else's."""
        self.count += 1
        self.key = record.key
        traceparent = None if record.topic is Topic.DEAD_LETTERS else traceparent_of(record.value)
        if traceparent is not None:
            self.traces[traceparent] = None


def _trace_of(item: Incoming) -> tuple[str | None, str | None]:
    """The context in which a command was made: its own, else what the publisher's client put beside it."""
    what = item.what
    if isinstance(what, Request) and what.traceparent is not None:
        return what.traceparent, what.tracestate
    if isinstance(what, Tick) and what.traceparent is not None:
        return what.traceparent, None
    return from_headers(item.record.headers)


def _attributes_of(item: Incoming) -> Attributes:
    """Where a record lay and which it was. Nothing of what publishers wrote but ids and types."""
    record, what = item.record, item.what
    attributes: Attributes = {
        "messaging.destination.partition.id": str(record.partition),
        "messaging.kafka.offset": record.offset,
    }
    if record.value is None:
        attributes["messaging.kafka.message.tombstone"] = True
    if isinstance(what, Unreadable):
        return attributes
    attributes["cloudevents.event_id"] = what.id
    if isinstance(what, Request):
        if record.key == what.organization.encode():
            attributes["messaging.kafka.message.key"] = what.organization
        if what.is_known:
            attributes["cloudevents.event_type"] = what.type
    return attributes


def _context_of(traceparent: str, tracestate: str | None = None) -> SpanContext:
    _, trace, span, flags = traceparent.split("-")
    state = None if tracestate is None else TraceState.from_header([tracestate])
    return SpanContext(
        int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)), trace_state=state
    )


def _failure(error: BaseException) -> _Failure:
    cause = cause_of(error)
    return _Failure(cause.partition(":")[0], cause)


def _end(span: Span, failure: _Failure | None, ended_ns: int) -> None:
    if failure is not None:
        span.set_attribute("error.type", failure.type)
        span.set_status(Status(StatusCode.ERROR, failure.cause))
    span.end(ended_ns)
