"""Spans by the library of OpenTelemetry. The one module that imports it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import lbaas
from lbaas.tracing.facts import Facts

_W3C = TraceContextTextMapPropagator()
_HEADER = "traceparent"


def exporting(service: str) -> TracerProvider:
    """Spans of *service* are sent by a thread of its own; what the collector does not take is dropped."""
    resource = Resource.create({"service.name": service, "service.version": lbaas.__version__})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class Traces:
    """As :mod:`lbaas.tracing.spans` says of each."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("lbaas", lbaas.__version__)

    @contextmanager
    def request(self, name: str, facts: Facts, traceparent: str | None) -> Iterator[None]:
        parent = _context(traceparent)
        with self._tracer.start_as_current_span(name, parent, SpanKind.SERVER, facts):
            yield

    @contextmanager
    def part(self, name: str, facts: Facts) -> Iterator[None]:
        with self._tracer.start_as_current_span(name, attributes=facts):
            yield

    @contextmanager
    def following(self, name: str, facts: Facts, parents: Sequence[str]) -> Iterator[None]:
        *others, newest = parents
        began_ns = time.time_ns()
        links = [Link(_place(other)) for other in others]
        span = self._tracer.start_as_current_span(
            name, _context(newest), SpanKind.CONSUMER, facts, links
        )
        with span as current:
            yield
        self.follow(name, facts, others, began_ns, [Link(current.get_span_context())])

    def follow(
        self,
        name: str,
        facts: Facts,
        parents: Sequence[str],
        began_ns: int,
        links: Sequence[Link] = (),
    ) -> None:
        for parent in parents:
            self._tracer.start_span(
                name, _context(parent), SpanKind.CONSUMER, facts, links, began_ns
            ).end()

    def note(self, facts: Facts, name: str | None) -> None:
        span = trace.get_current_span()
        span.set_attributes(facts)
        if name is not None:
            span.update_name(name)

    def current(self) -> str | None:
        place = trace.get_current_span().get_span_context()
        if not (place.is_valid and place.trace_flags.sampled):
            return None
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier[_HEADER]


def _context(traceparent: str | None) -> Context:
    """With what *traceparent* names for parent; with none where it names nothing."""
    carrier = {} if traceparent is None else {_HEADER: traceparent}
    return _W3C.extract(carrier, Context())


def _place(traceparent: str) -> SpanContext:
    return trace.get_current_span(_context(traceparent)).get_span_context()
