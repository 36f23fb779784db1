"""Exporting spans by OTLP over HTTP, as OpenTelemetry's own variables say. Imported only where traces are on.

Whatever becomes of a span, no lane waits for it: a thread of its own exports them, the queue before it is bounded, and
what has no room in it is lost.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.trace import Link, SpanKind, Tracer, TraceState, get_current_span
from opentelemetry.util.types import Attributes

log = structlog.get_logger(__name__)

NAME: Final = "billing-worker"
CONVENTIONS: Final = Schemas.V1_44_0
STOP_SECONDS_MAX: Final = 3.0
"""How long the end waits for the last spans to be taken."""


class Tracing:
    """One for the process. Nothing global is set: instrumentation of libraries finds its own provider, or none."""

    def __init__(self, release: str) -> None:
        """Raises ValueError for variables that OpenTelemetry does not understand."""
        provider = TracerProvider(resource=_resource(release), shutdown_on_exit=False)
        self.follows_parents = isinstance(provider.sampler, ParentBased)
        if self.follows_parents:
            provider.sampler = FollowLinks(provider.sampler)
        provider.add_span_processor(BatchSpanProcessor(Telling(trace_exporter.OTLPSpanExporter())))
        self._provider = provider
        self.tracer: Tracer = provider.get_tracer(NAME, release, CONVENTIONS.value)

    async def stop(self) -> None:
        """Export what is left, for a bounded time: the library would wait for half a minute for who does not answer."""
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()

        def stop() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the loop did not wait so long
                loop.call_soon_threadsafe(stopped.set)

        threading.Thread(target=stop, name="tracing-stop", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await stopped.wait()


class FollowLinks(Sampler):
    """Samples what is linked to a recorded trace, as `ParentBased` does with what is the child of one."""

    def __init__(self, otherwise: Sampler) -> None:
        self._otherwise = otherwise

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Of whatever has a parent, or no such link, somebody else decides."""
        is_root = not get_current_span(parent_context).get_span_context().is_valid
        if is_root and any(link.context.trace_flags.sampled for link in links or ()):
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)
        return self._otherwise.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """As the library's own describe themselves."""
        return f"FollowLinks{{{self._otherwise.get_description()}}}"


class Telling(SpanExporter):
    """An exporter that tells once that spans are lost, and once that they are taken again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._lost = 0
        self._cause = _LastWords()
        said_by = logging.getLogger(trace_exporter.__name__)
        said_by.handlers[:], said_by.propagate = [self._cause], False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """In the exporting thread; takes as long as OTEL_EXPORTER_OTLP_TIMEOUT allows."""
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            if not self._lost:
                log.warning("spans_not_exported", cause=self._cause.said)
            self._lost += len(spans)
        elif self._lost:
            log.info("spans_exported_again", lost=self._lost)
            self._lost = 0
        return result

    def shutdown(self) -> None:
        """Give up what is being tried again."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is held back here."""
        return self._exporter.force_flush(timeout_millis)


class _LastWords(logging.Handler):
    """Keeps what the exporter said last: it says it at each attempt."""

    said = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.said = record.getMessage()[:500]


def _resource(release: str) -> Resource:
    """Who exports; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES count more than what is known here."""
    said = OTELResourceDetector().detect().attributes
    known = {"service.name": NAME, "service.version": release}
    return Resource.create({name: value for name, value in known.items() if name not in said})
