"""What a node tells its routers after a round."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from lbaas.agent.rounds import Failed, Round
from lbaas.dataplane.bird.desired import Announcement, render
from lbaas.dataplane.bird.plan import Observed
from lbaas.dataplane.link.plan import AcceptAddress
from lbaas.dataplane.sysctl.plan import SetSysctl
from lbaas.errors import StepFailed
from lbaas.node_agent.announce import BirdPaths, announce, announceable
from lbaas.node_agent.picture import Picture, VipTables

A, B = IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2")
PREFIX_A, PREFIX_B = IPv4Network("198.51.100.1/32"), IPv4Network("198.51.100.2/32")
WANTED = Announcement(65001, (), frozenset({PREFIX_A, PREFIX_B}))
HELD: Picture = {A: VipTables(prefix=PREFIX_A), B: VipTables(prefix=PREFIX_B)}
NOTHING = Observed(None, frozenset())


def failing(*failed: Failed) -> Round:
    return Round(failures=list(failed))


def lacking(address: IPv4Address) -> Failed:
    step = AcceptAddress(address)
    return Failed(step, StepFailed("link", "AcceptAddress", step.key, "no"))


def test_all_that_forwards_is_announced() -> None:
    assert announceable(WANTED, HELD, Round(), NOTHING).prefixes == {PREFIX_A, PREFIX_B}


def test_what_could_not_be_made_to_forward_is_not() -> None:
    assert announceable(WANTED, HELD, failing(lacking(A)), NOTHING).prefixes == {PREFIX_B}


def test_a_setting_that_failed_withdraws_nothing() -> None:
    step = SetSysctl("net.ipv4.vs.sloppy_tcp", "1")
    failed = failing(Failed(step, StepFailed("sysctl", "SetSysctl", step.key, "no")))
    now = Observed(None, frozenset({PREFIX_A}))
    assert announceable(WANTED, HELD, failed, now).prefixes == {PREFIX_A}


@pytest.fixture
def paths(tmp_path: Path) -> BirdPaths:
    """Nothing listens at the socket: BIRD does not run."""
    return BirdPaths(tmp_path / "bird.ctl", tmp_path / "lbaas.conf")


def test_a_bird_that_is_down_gets_its_file_and_the_failure_is_told(paths: BirdPaths) -> None:
    round_ = Round()
    may_withdraw = announce(paths, round_, WANTED, HELD)
    assert paths.include.read_text() == render(WANTED)
    assert [failed.error.operation for failed in round_.failures] == ["Configure", "announce"]
    assert may_withdraw  # it announces nothing, so nothing is kept for it


def test_an_include_file_that_cannot_be_read_keeps_everything(paths: BirdPaths) -> None:
    paths.include.mkdir()
    round_ = Round()
    assert not announce(paths, round_, WANTED, HELD)
    assert [failed.error.operation for failed in round_.failures] == ["observe"]


def test_a_bird_that_hangs_is_asked_for_nothing_and_keeps_everything(paths: BirdPaths) -> None:
    round_ = Round()
    assert not announce(paths, round_, WANTED, HELD, Observed("old", None, running=True))
    assert not paths.include.exists()
    assert ["does not answer" in failed.error.cause for failed in round_.failures] == [True]
