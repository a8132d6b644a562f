"""The record of a run."""

import json
from dataclasses import replace

from lbaas.demo.judge import judge
from lbaas.demo.run import Record
from tests.unit.demo.samples import FACTS, PROGRAMMED

RECORD = Record(tuple((fact, judge(fact)) for fact in FACTS), 31.0)


def test_a_record_is_json_with_every_fact_and_verdict() -> None:
    document = json.loads(json.dumps(RECORD.document()))
    assert document["holds"] is True
    assert [act["act"] for act in document["acts"]] == [type(fact).__name__ for fact in FACTS]
    assert document["acts"][1]["facts"]["agents"]["lb2"] == 757
    assert document["acts"][1]["verdicts"][0]["holds"] is True


def test_a_record_holds_only_if_every_verdict_does() -> None:
    late = replace(PROGRAMMED, programmed=False)
    assert not replace(RECORD, acts=(*RECORD.acts, (late, judge(late)))).holds
