"""When a node that was taken out may be stopped."""

from lbaas.node_agent.quiet import QUIET_S, Quiet


def test_quiet_is_as_many_packets_as_long_enough_ago() -> None:
    quiet = Quiet()
    assert not quiet.lasts(7, 100.0)
    assert not quiet.lasts(7, 100.0 + QUIET_S / 2)
    assert quiet.lasts(7, 100.0 + QUIET_S)
    assert not quiet.lasts(8, 101.0 + QUIET_S)
    assert quiet.lasts(8, 101.0 + 2 * QUIET_S)


def test_it_begins_anew_once_packets_may_come() -> None:
    quiet = Quiet()
    assert not quiet.lasts(7, 100.0)
    quiet.disturbed()
    assert not quiet.lasts(7, 100.0 + QUIET_S)
