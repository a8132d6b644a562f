"""Counters of refused packets, as a report says them."""

from lbaas.node_agent.refused import dropped
from lbaas.wire.report import Dropped


def test_the_causes_of_one_listener_are_told_together() -> None:
    drops = {("rate", 0x11): 7, ("source", 0x10): 5, ("malformed", 0x10): 2}
    assert dropped(drops) == (
        Dropped(mark=0x10, source=5, malformed=2),
        Dropped(mark=0x11, rate=7),
    )


def test_of_too_many_listeners_the_worst_are_told() -> None:
    drops = {("source", mark): mark for mark in range(1, 10_002)}
    told = dropped(drops)
    assert len(told) == 10_000
    assert told[0].mark == 2
