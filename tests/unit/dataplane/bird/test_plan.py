"""The law of BIRD's plan, and what lingers."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.dataplane.bird.desired import Announcement, peer_protocol, render
from lbaas.dataplane.bird.plan import Configure, Observed, lingering, plan, sessions, unheard
from lbaas.wire.state import Peer

prefixes = st.frozensets(
    st.integers(1, 5).map(lambda n: IPv4Network(f"198.51.100.{n}/32")), max_size=4
)
announcements = st.builds(Announcement, st.integers(1, 3), st.just(()), prefixes)
ONE = Announcement(65001, (), frozenset({IPv4Network("198.51.100.1/32")}))
NONE = Announcement(65001, (), frozenset())


def running_with(wanted: Announcement) -> Observed:
    return Observed(render(wanted), wanted.prefixes)


@given(before=announcements, after=announcements)
def test_one_step_or_none_gives_the_desired_announcement(
    before: Announcement, after: Announcement
) -> None:
    steps = plan(running_with(before), after).establish
    same = render(before) == render(after)
    assert steps == (() if same else (Configure(render(after)),))


@pytest.mark.parametrize(
    "observed",
    [
        Observed(None, None),
        Observed(render(ONE), frozenset()),  # the file is right, BIRD did not read it
        Observed(render(ONE), None),  # BIRD does not answer
        Observed(render(NONE), ONE.prefixes),  # somebody changed the file behind BIRD's back
        Observed(render(NONE), None, whole=True),  # BIRD runs with what was wanted before
    ],
)
def test_file_and_bird_must_both_be_right(observed: Observed) -> None:
    assert plan(observed, ONE).establish == (Configure(render(ONE)),)


def test_what_a_bird_has_that_runs_with_the_files_text_is_what_the_text_says() -> None:
    running = Observed(render(ONE), None, whole=True)
    assert not plan(running, ONE)
    assert running.loaded == ONE.prefixes
    assert lingering(running, NONE)
    assert not lingering(running, ONE)


def test_a_prefix_that_bird_still_has_lingers() -> None:
    assert lingering(running_with(ONE), NONE)
    assert not lingering(running_with(NONE), ONE)


def test_a_bird_that_hangs_may_still_announce_and_one_that_is_gone_does_not() -> None:
    assert lingering(Observed(render(NONE), None, running=True), NONE)
    assert not lingering(Observed(render(NONE), None, running=False), NONE)


def test_what_is_announced_in_a_family_without_a_session_is_unheard() -> None:
    router4, router6 = (
        Peer(name="r", address=address, as_number=65000, password=None, bfd=True, multihop=False)
        for address in (IPv4Address("10.0.10.1"), IPv6Address("fd00:10::1"))
    )
    wanted = Announcement(65001, (router4, router6), ONE.prefixes)
    silent = Observed(render(wanted), wanted.prefixes)
    only6 = replace(silent, established=frozenset({peer_protocol(router6.address)}))
    both = replace(silent, established=only6.established | {peer_protocol(router4.address)})
    assert unheard(silent, wanted) == {4}
    assert unheard(only6, wanted) == {4}
    assert unheard(both, wanted) == frozenset()
    assert sessions(both, wanted) == (router4.address, router6.address)
    assert sessions(only6, wanted) == (router6.address,)
    assert unheard(silent, replace(wanted, prefixes=frozenset())) == frozenset()
