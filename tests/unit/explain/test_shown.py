"""An explanation on a terminal."""

from lbaas.explain.hops import Stage, Unseen
from lbaas.explain.shown import lines, summary

FINE = Stage("lb1", "address").ok("198.51.100.7 is the node's own")
SEEN = Stage("lb1", "tunnel").ok("a route", "eth0, MTU 1500")
MAYBE = Stage("lb1", "firewall").suspect("none", "one", "it drops", "look")
BROKEN = Stage("host1", "alias").broken("there", "not there", "it is dropped", "add it")
UNKNOWN = Stage("host1", "guard").unknown("a table", Unseen("permission denied"))


def test_hops_stand_under_their_machines_with_cause_and_remedy() -> None:
    assert list(lines([FINE, SEEN, BROKEN])) == [
        "lb1",
        "  ok  address         198.51.100.7 is the node's own",
        "  ok  tunnel          a route: eth0, MTU 1500",
        "host1",
        "  !!  alias           not there (should be: there)",
        "      because it is dropped",
        "      do      add it",
    ]


def test_the_summary_names_the_worst_first() -> None:
    assert summary([FINE]) == "every hop is as it should be"
    assert summary([UNKNOWN]).startswith("not all could be looked at: at host1, guard")
    assert summary([UNKNOWN, MAYBE]) == "it may break at lb1, firewall: it drops"
    assert summary([MAYBE, BROKEN]) == "it breaks at host1, alias: it is dropped"
