"""docs/explain.md lists the faults that the lab plants, with the hops that are named."""

import re
from pathlib import Path

from tests.e2e.explain_inside import Facts, host_faults, node_faults

PAGE = Path(__file__).parents[3] / "docs" / "explain.md"


def test_the_page_lists_every_planted_fault_and_its_hop() -> None:
    facts = Facts("198.51.100.7", "0x1", "0x2", "bird.ctl", "lbaas.conf")
    planted = {each.name: each.stage for each in (*node_faults(facts), *host_faults(facts))}
    listed = dict(re.findall(r"^\| ([^*|]+) \| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE))
    assert planted.items() <= listed.items()
    assert len(planted) == 26
