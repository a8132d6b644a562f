"""An agent's figures in a file."""

from pathlib import Path
from uuid import UUID

from prometheus_client.parser import text_string_to_metric_families

from lbaas.agent.textfile import Textfile, render
from lbaas.wire.report import Dropped, Failure, NodeFacts, Report, Unsent

REPORT = Report(boot=UUID(int=1), sequence=1, revision=7, digest="d", changes=3, repaired=1)


def figures(text: str) -> dict[tuple[str, str], float]:
    return {
        (sample.name, " ".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_hosts_report_has_what_both_agents_have() -> None:
    found = figures(render(REPORT, 0.25, 100.0))
    assert found["lbaas_agent_applied_revision", ""] == 7
    assert found["lbaas_agent_round_seconds", ""] == 0.25
    assert found["lbaas_agent_written_timestamp_seconds", ""] == 100.0
    assert ("lbaas_agent_services", "") not in found


def test_failures_and_drops_are_summed_by_what_is_bounded() -> None:
    failed = Failure(subsystem="ipvs", operation="apply", key="0x1", cause="no")
    dropped = (Dropped(mark=1, source=4), Dropped(mark=2, source=1, rate=2))
    facts = NodeFacts(services=5, foreign=("a table",))
    said = REPORT.model_copy(update={"failures": (failed,) * 2, "dropped": dropped, "facts": facts})
    found = figures(render(said, 0.25, 100.0))
    assert found["lbaas_agent_failures", "ipvs"] == 2
    assert found["lbaas_agent_dropped_packets_total", "source"] == 5
    assert found["lbaas_agent_dropped_packets_total", "rate"] == 2
    assert found["lbaas_agent_foreign", ""] == 1
    assert found["lbaas_agent_unheard_peers", ""] == 0
    assert found["lbaas_agent_silent_members", ""] == 0
    assert found["lbaas_agent_safe_to_stop", ""] == 0
    assert found["lbaas_agent_removal_held", ""] == 0


def test_usage_that_waits_is_told_with_its_age_where_something_is_counted() -> None:
    waiting, nothing = (
        figures(render(REPORT.model_copy(update={"unsent": unsent}), 0.25, 100.0))
        for unsent in (Unsent(periods=3, since_s=40), Unsent())
    )
    assert waiting["lbaas_agent_usage_unsent_periods", ""] == 3
    assert waiting["lbaas_agent_usage_unsent_since_timestamp_seconds", ""] == 40
    assert nothing["lbaas_agent_usage_unsent_periods", ""] == 0
    assert ("lbaas_agent_usage_unsent_since_timestamp_seconds", "") not in nothing
    assert ("lbaas_agent_usage_unsent_periods", "") not in figures(render(REPORT, 0.25, 100.0))


def test_the_file_is_replaced_and_readable_by_others(tmp_path: Path) -> None:
    file = tmp_path / "lbaas.prom"
    for revision in (7, 8):
        Textfile(file).write(REPORT.model_copy(update={"revision": revision}), 0.25)
    assert figures(file.read_text())["lbaas_agent_applied_revision", ""] == 8
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [file]


def test_a_disk_that_does_not_take_it_is_no_reason_to_stop(tmp_path: Path) -> None:
    Textfile(tmp_path / "nowhere" / "lbaas.prom").write(REPORT, 0.25)
    Textfile(None).write(REPORT, 0.25)
