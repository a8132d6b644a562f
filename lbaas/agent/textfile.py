"""An agent's figures, for node_exporter's textfile collector: no port is opened for them.

Bounded: labels are subsystems and causes, never an address, a VIP or a mark. A file that grows old tells of an agent
that hangs: it is written with every report, twice a minute at least.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import structlog

from lbaas.errors import LbaasError
from lbaas.wire.report import Report

log = structlog.get_logger()

# Name, kind, help.
_FIGURES: tuple[tuple[str, str, str], ...] = (
    ("applied_revision", "gauge", "The revision that was last applied, wholly if nothing failed."),
    ("changes_total", "counter", "Writes to kernel and BIRD since the agent started."),
    ("repaired_total", "counter", "Those of them that undid a drift."),
    ("failures", "gauge", "Steps that failed in the last round, by subsystem."),
    ("round_seconds", "gauge", "How long the last round took."),
    ("written_timestamp_seconds", "gauge", "When this file was written."),
    ("members_checked", "gauge", "Members that have a monitor."),
    ("members_unhealthy", "gauge", "Those of them that fail it here."),
    ("dropped_packets_total", "counter", "Packets for listeners that were refused, by cause."),
    ("services", "gauge", "Services of IPVS that are ours."),
    ("scheduler_bytes", "gauge", "The kernel's memory for the schedulers' tables."),
    ("ingress_packets_total", "counter", "Packets that IPVS took in."),
    ("foreign", "gauge", "What others have in the kernel that could disturb us."),
    ("certificate_expires_timestamp_seconds", "gauge", "When the agent's certificate ends."),
    ("usage_unsent_periods", "gauge", "Periods of usage on disk that the server has not."),
    ("usage_unsent_since_timestamp_seconds", "gauge", "When the first of them began."),
    ("unheard_peers", "gauge", "Routers that are not told of all that they should be."),
    ("silent_members", "gauge", "Members to which connections get no further, by VIP and port."),
    ("safe_to_stop", "gauge", "1 while a node that was taken out gets no packets any more."),
    ("removal_held", "gauge", "1 while services are kept until an operator lets them go."),
)

Samples = Iterable[tuple[Mapping[str, str], float]]


class Textfile:
    """Written at *path* with every report; nowhere without one."""

    def __init__(
        self, path: Path | None, certificate_ends_s: Callable[[], float | None] = lambda: None
    ) -> None:
        self._path = path
        self._certificate_ends_s = certificate_ends_s

    def write(self, report: Report, round_s: float) -> None:
        """The file holds the report's figures, if the disk takes it."""
        if self._path is None:
            return
        try:
            ends_s = self._certificate_ends_s()
            _replace(self._path, render(report, round_s, time.time(), ends_s))
        except (LbaasError, OSError) as error:
            log.warning("figures not written", file=str(self._path), error=str(error))


def _replace(path: Path, text: str) -> None:
    """A reader sees the old or the new. Not synced: what a crash loses is written anew, and the disk may be slow."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text)
    beside.chmod(0o644)
    beside.replace(path)


def render(
    report: Report, round_s: float, now_s: float, certificate_ends_s: float | None = None
) -> str:
    """The figures in Prometheus's text format."""
    found = dict(_samples(report, round_s, now_s))
    if certificate_ends_s is not None:
        found["certificate_expires_timestamp_seconds"] = [({}, certificate_ends_s)]
    return "".join(
        f"# HELP lbaas_agent_{name} {help_text}\n# TYPE lbaas_agent_{name} {kind}\n"
        + "".join(_line(name, labels, value) for labels, value in found[name])
        for name, kind, help_text in _FIGURES
        if name in found
    )


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{key}="{text}"' for key, text in labels.items())
    return f"lbaas_agent_{name}{f'{{{inside}}}' if inside else ''} {value}\n"


def _samples(report: Report, round_s: float, now_s: float) -> Iterator[tuple[str, Samples]]:
    failures = Counter(each.subsystem for each in report.failures)
    yield "failures", [({"subsystem": name}, count) for name, count in sorted(failures.items())]
    yield "dropped_packets_total", _dropped(report)
    yield from (
        (name, [({}, value)])
        for name, value in (
            ("applied_revision", report.revision),
            ("changes_total", report.changes),
            ("repaired_total", report.repaired),
            ("round_seconds", round_s),
            ("written_timestamp_seconds", now_s),
            ("members_checked", report.checked),
            ("members_unhealthy", len(report.unhealthy)),
        )
    )
    unsent = report.unsent
    if unsent is not None:
        yield "usage_unsent_periods", [({}, unsent.periods)]
        since_s: Samples = () if unsent.since_s is None else [({}, unsent.since_s)]
        yield "usage_unsent_since_timestamp_seconds", since_s
    if report.facts is not None:
        facts = report.facts
        yield "services", [({}, facts.services)]
        yield "scheduler_bytes", [({}, facts.scheduler_bytes)]
        yield "ingress_packets_total", [({}, facts.ingress_packets)]
        yield "foreign", [({}, len(facts.foreign))]
        yield "unheard_peers", [({}, len(facts.unheard))]
        yield "silent_members", [({}, len(facts.silent))]
        yield "safe_to_stop", [({}, float(facts.safe_to_stop))]
        yield "removal_held", [({}, float(facts.held_removal is not None))]


def _dropped(report: Report) -> Samples:
    if report.facts is None:  # a backend host refuses nothing
        return []
    return [
        ({"cause": "source"}, sum(each.source for each in report.dropped)),
        ({"cause": "rate"}, sum(each.rate for each in report.dropped)),
        ({"cause": "malformed"}, sum(each.malformed for each in report.dropped)),
    ]
