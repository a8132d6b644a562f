"""Alerts and dashboard speak of figures that exist, and every alert has its runbook."""

import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from lbaas.agent.textfile import render
from lbaas.cli.render import yaml
from lbaas.persistence.database import Database
from lbaas.services.metrics import Metrics
from lbaas.wire.report import Dropped, Failure, NodeFacts, Report

ROOT = Path(__file__).parents[3]
RULES = yaml().safe_load((ROOT / "deploy/prometheus/lbaas-alerts.yml").read_text())
ALERTS: list[dict[str, Any]] = [rule for group in RULES["groups"] for rule in group["rules"]]
RUNBOOKS = (ROOT / "docs/runbooks.md").read_text()
DASHBOARD = json.loads((ROOT / "deploy/grafana/lbaas.json").read_text())
REPORT = Report(
    boot=UUID(int=1),
    sequence=1,
    revision=7,
    digest="d",
    changes=3,
    repaired=1,
    failures=(Failure(subsystem="bird", operation="announce", key="IPv4", cause="no"),) * 2,
    checked=2,
    dropped=(Dropped(mark=1, source=4, rate=2), Dropped(mark=2, source=1)),
    facts=NodeFacts(revision=7, services=5, ingress_packets=9),
)


def exposed() -> set[str]:
    """The names of all samples that the server and an agent show."""
    metrics = Metrics(Database("postgresql://nowhere/none"))
    registry: CollectorRegistry = metrics._registry
    metrics.requests.answered("GET", "/v1/vips", 200, 0.1)
    names = {name for family in registry.collect() for name in (family.name, *_samples(family))}
    families = text_string_to_metric_families(render(REPORT, 0.5, 100.0))
    return names | {sample.name for family in families for sample in family.samples}


def _samples(family: Any) -> set[str]:
    return {sample.name for sample in family.samples}


def used(expression: str) -> set[str]:
    return set(re.findall(r"\blbaas_\w+", expression))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_speaks_of_figures_that_exist_and_has_a_runbook(alert: dict[str, Any]) -> None:
    assert used(alert["expr"])
    assert used(alert["expr"]) <= exposed()
    name = alert["alert"]
    assert alert["annotations"]["runbook_url"] == f"docs/runbooks.md#{name.lower()}"
    assert f"\n## {name}\n" in RUNBOOKS


def test_no_runbook_is_left_over() -> None:
    assert re.findall(r"^## (\w+)$", RUNBOOKS, re.MULTILINE) == [each["alert"] for each in ALERTS]


def test_the_dashboard_shows_figures_that_exist() -> None:
    shown = {
        name
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
        for name in used(target["expr"])
    }
    assert shown
    assert shown <= exposed()
