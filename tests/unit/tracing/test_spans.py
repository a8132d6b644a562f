"""What becomes a span, whose it is, and that it costs nothing where nobody asked."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from lbaas.errors import ToolMissing
from lbaas.tracing import spans
from lbaas.tracing.otel import Traces

CLIENT = f"00-{0xABC:032x}-{0x1:016x}-01"
OTHER = f"00-{0xDEF:032x}-{0x2:016x}-01"


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "_traces", Traces(provider))
    yield exporter
    provider.shutdown()


def trace_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.trace_id)


def parent_id(span: ReadableSpan) -> int:
    assert span.parent is not None
    return int(span.parent.span_id)


def test_a_requests_parts_are_in_the_clients_trace(ended: InMemorySpanExporter) -> None:
    with spans.request("POST", {}, CLIENT):
        with spans.part(spans.TRANSACTION):
            place = spans.current()
            spans.note({"lbaas.revision": 7})
        spans.note({}, "POST /v1/vips")
    part, request = ended.get_finished_spans()
    assert place is not None
    assert place.startswith(CLIENT[:36])
    assert (request.name, trace_id(request), parent_id(request)) == ("POST /v1/vips", 0xABC, 1)
    assert part.attributes == {"lbaas.revision": 7}
    assert part.parent == request.context


def test_what_follows_from_several_is_part_of_the_newest_and_linked_with_the_others(
    ended: InMemorySpanExporter,
) -> None:
    with spans.following("apply", {"lbaas.revision": 9}, [OTHER, CLIENT]), spans.part("ipvs"):
        pass
    step, applied, elsewhere = ended.get_finished_spans()
    assert step.parent == applied.context
    assert (trace_id(applied), parent_id(applied)) == (0xABC, 1)
    assert [link.context.trace_id for link in applied.links] == [0xDEF]
    assert (trace_id(elsewhere), parent_id(elsewhere)) == (0xDEF, 2)
    assert [link.context for link in elsewhere.links] == [applied.context]


def test_what_is_no_part_of_a_trace_is_no_span(ended: InMemorySpanExporter) -> None:
    with spans.part("ipvs"), spans.following("apply", {}, []):
        spans.note({"lbaas.changes": 1})
    spans.follow("deliver", {}, [], spans.now_ns())
    assert spans.current() is None
    assert ended.get_finished_spans() == ()


def test_a_trace_that_the_client_does_not_want_sampled_goes_no_further(
    ended: InMemorySpanExporter,
) -> None:
    with spans.request("POST", {}, CLIENT.removesuffix("01") + "00"):
        assert spans.current() is None
    assert ended.get_finished_spans() == ()


def test_a_header_that_is_none_begins_a_trace(ended: InMemorySpanExporter) -> None:
    with spans.request("POST", {}, "nonsense"):
        pass
    (request,) = ended.get_finished_spans()
    assert request.parent is None


def test_switched_off_all_of_it_does_nothing() -> None:
    with spans.request("POST", {}, CLIENT), spans.part("x"), spans.following("y", {}, [CLIENT]):
        assert spans.current() is None
    assert not spans.enabled()


@pytest.mark.parametrize("role", ["lbaas.api.serve", "lbaas.node_agent.cli"])
def test_switched_off_the_library_is_not_imported(role: str) -> None:
    # FastAPI imports the library's interface, which is small and does nothing by itself.
    asked = f"import sys, {role}; sys.exit('opentelemetry.sdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False, timeout=120).returncode == 0


def test_a_collector_without_the_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    monkeypatch.setitem(sys.modules, "lbaas.tracing.otel", None)
    with pytest.raises(ToolMissing, match=r"pip install 'lbaas\[otel\]'"):
        spans.configure("lbaas-server")
