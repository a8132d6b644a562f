"""What a node lacks reaches its report."""

import json
from dataclasses import asdict
from pathlib import Path

from lbaas.agent.capabilities import Finding
from lbaas.node_agent.missing import described, from_file

FINE = Finding("IPVS", "nothing is balanced")
MISSING = Finding("IPVS tunnel gue", "pools with encapsulation gue fail", "Invalid argument")
SENTENCE = "IPVS tunnel gue: Invalid argument; without it pools with encapsulation gue fail"


def test_what_is_missing_is_told_with_its_cause_and_what_it_means() -> None:
    assert described([FINE, MISSING]) == (SENTENCE,)


def test_what_a_check_kept_is_read(tmp_path: Path) -> None:
    kept = tmp_path / "findings.json"
    kept.write_text(json.dumps([asdict(each) for each in (FINE, MISSING)]))
    assert from_file(kept) == (SENTENCE,)


def test_that_nothing_was_tried_is_told(tmp_path: Path) -> None:
    (untried,) = from_file(tmp_path / "findings.json")
    assert "not tried" in untried
    (tmp_path / "findings.json").write_text('[{"is": "not a finding"}]')
    assert "not tried" in from_file(tmp_path / "findings.json")[0]
