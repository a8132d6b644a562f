"""A collector of traces: takes OTLP over HTTP, and writes a line of JSON for each span to a file.

As a program: PORT SPANS.
"""

import json
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

Span = dict[str, Any]


def spans_of(request: ExportTraceServiceRequest) -> Iterator[Span]:
    """Each span with its service, trace, parent and attributes."""
    for sent in request.resource_spans:
        service = _named(sent.resource.attributes)["service.name"]
        for scope in sent.scope_spans:
            for span in scope.spans:
                yield {
                    "service": service,
                    "name": span.name,
                    "trace": span.trace_id.hex(),
                    "span": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    **_named(span.attributes),
                }


def _named(attributes: Iterable[Any]) -> Span:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


class Collector(ThreadingHTTPServer):
    """Listens on *port*, any free one if that is 0."""

    def __init__(self, port: int, file: Path) -> None:
        self.file = file
        super().__init__(("", port), _Handler)

    @property
    def environment(self) -> dict[str, str]:
        """Of a process of this machine that sends its spans here."""
        return sending_to("127.0.0.1", self.server_port)


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        request = ExportTraceServiceRequest()
        request.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.file.open("a") as file:
            file.writelines(f"{json.dumps(span)}\n" for span in spans_of(request))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def sending_to(address: str, port: int) -> dict[str, str]:
    """The environment of who sends spans there, and soon."""
    endpoint = f"http://{address}:{port}"
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "200"}


@contextmanager
def collecting(file: Path) -> Iterator[Collector]:
    """A collector runs in a thread of its own, and writes to *file*."""
    with Collector(0, file) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        yield collector
        collector.shutdown()


@dataclass(frozen=True)
class Collected:
    """What has come of one *trace* to *files*."""

    trace: str
    files: tuple[Path, ...]

    def named(self, service: str, name: str) -> list[Span]:
        return [
            span for span in self._spans() if (span["service"], span["name"]) == (service, name)
        ]

    def _spans(self) -> Iterator[Span]:
        for file in self.files:
            lines = file.read_text().splitlines(keepends=True) if file.exists() else ()
            # One without an end is still being written.
            spans = (json.loads(line) for line in lines if line.endswith("\n"))
            yield from (span for span in spans if span["trace"] == self.trace)


if __name__ == "__main__":
    Collector(int(sys.argv[1]), Path(sys.argv[2])).serve_forever()
