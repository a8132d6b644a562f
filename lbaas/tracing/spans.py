"""Spans: where tracing is off, nothing is imported and each call is a look at one name.

A *traceparent* is a place in a trace, as W3C Trace Context writes it: what a span of another process has for parent.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lbaas.errors import ToolMissing
from lbaas.tracing.facts import NO_FACTS, Facts

if TYPE_CHECKING:
    from lbaas.tracing.otel import Traces

# The library reads these itself, and many more: https://opentelemetry.io/docs/specs/otel/protocol/exporter/.
COLLECTORS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

TRANSACTION = "transaction"  # that writes: what follows from a write has it for parent

_traces: "Traces | None" = None


def configure(service: str) -> None:
    """From here on this process's spans go, as *service*'s, to the collector that the environment names, if it does.

    Raises ToolMissing if the library is not installed.
    """
    global _traces  # noqa: PLW0603  # of a process, as its log's format is
    if any(map(os.environ.get, COLLECTORS)):
        _traces = _opened(service)


def _opened(service: str) -> "Traces":
    try:
        from lbaas.tracing.otel import Traces, exporting
    except ImportError as error:
        raise ToolMissing(
            f"the environment names a collector for traces, but {error.name} is not installed: "
            "pip install 'lbaas[otel]', or unset OTEL_EXPORTER_OTLP_ENDPOINT"
        ) from error
    return Traces(exporting(service))


def enabled() -> bool:
    """True if spans go anywhere."""
    return _traces is not None


def now_ns() -> int:
    """A moment as spans have it."""
    return time.time_ns()


@contextmanager
def request(name: str, facts: Facts, traceparent: str | None) -> Iterator[None]:
    """What is done here serves a request, of the trace that *traceparent* names, if any."""
    if _traces is None:
        yield
        return
    with _traces.request(name, facts, traceparent):
        yield


@contextmanager
def part(name: str, facts: Facts = NO_FACTS) -> Iterator[None]:
    """What is done here is a part of what is traced around it; nothing of the kind where nothing is."""
    if _traces is None or current() is None:
        yield
        return
    with _traces.part(name, facts):
        yield


@contextmanager
def following(name: str, facts: Facts, parents: Sequence[str]) -> Iterator[None]:
    """What is done here follows from *parents*: a part of the newest's trace, with a span in each other's."""
    if _traces is None or not parents:
        yield
        return
    with _traces.following(name, facts, parents):
        yield


def follow(name: str, facts: Facts, parents: Sequence[str], began_ns: int) -> None:
    """What began at *began_ns* and ends now followed from each of *parents*."""
    if _traces is not None:
        _traces.follow(name, facts, parents, began_ns)


def note(facts: Facts, name: str | None = None) -> None:
    """The span that is open here, if there is one, has *facts*, and the *name*."""
    if _traces is not None:
        _traces.note(facts, name)


def current() -> str | None:
    """The place in the trace here; None if what is done here is not traced."""
    return None if _traces is None else _traces.current()
