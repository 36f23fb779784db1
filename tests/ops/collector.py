"""A receiver of spans as OpenTelemetry's collector is one: OTLP over HTTP, protobuf."""

import gzip
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.system.settling import until


@dataclass(frozen=True)
class Seen:
    """A span as it arrived; traces and spans in hexadecimal, `links` as (trace, span)."""

    name: str
    kind: str
    trace: str
    span: str
    parent: str
    tracestate: str
    links: Sequence[tuple[str, str]]
    attributes: dict[str, Any]
    resource: dict[str, Any]
    schema: str
    is_error: bool
    cause: str
    began_ns: int
    ended_ns: int


class Collector:
    """What was received. While `answering` is not set it takes requests and answers none; `status` is what it says."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        self.asked = 0
        self.status = HTTPStatus.OK
        self.answering = threading.Event()
        self.answering.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def named(self, name: str) -> list[Seen]:
        return [span for span in self.spans if span.name == name]

    async def has(self, name: str, count: int, seconds: float = 60) -> list[Seen]:
        """Wait for so many spans of a name."""

        async def there_are() -> bool:
            return len(self.named(name)) >= count

        try:
            await until(there_are, f"{count} spans {name}", seconds)
        except AssertionError:
            raise AssertionError(f"{count} spans {name} among {[span.name for span in self.spans]}") from None
        return self.named(name)

    def close(self) -> None:
        self.answering.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.asked += 1
                collector.answering.wait()
                assert (self.path, self.headers["content-type"]) == ("/v1/traces", "application/x-protobuf")
                if collector.status is HTTPStatus.OK:
                    collector.spans += seen_in(body)
                self.send_response(collector.status)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name for it
                """Nobody reads it."""

        return Handler


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port of loopback."""
    collector = Collector()
    try:
        yield collector
    finally:
        collector.close()


def seen_in(body: bytes) -> list[Seen]:
    """The spans of a request."""
    request = ExportTraceServiceRequest.FromString(body)
    return [
        seen(span, values_of(resource.resource.attributes), scope.schema_url)
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def seen(span: trace_pb2.Span, resource: dict[str, Any], schema: str) -> Seen:
    return Seen(
        name=span.name,
        kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace=span.trace_id.hex(),
        span=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        tracestate=span.trace_state,
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        attributes=values_of(span.attributes),
        resource=resource,
        schema=schema,
        is_error=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        cause=span.status.message,
        began_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
    )


def values_of(attributes: Sequence[KeyValue]) -> dict[str, Any]:
    return {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in attributes}
