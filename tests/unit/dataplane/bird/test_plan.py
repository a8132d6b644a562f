"""The law of BIRD's plan, and what lingers."""

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.dataplane.bird.desired import Announcement, render
from lbaas.dataplane.bird.plan import Configure, Observed, lingering, plan

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
    ],
)
def test_file_and_bird_must_both_be_right(observed: Observed) -> None:
    assert plan(observed, ONE).establish == (Configure(render(ONE)),)


def test_a_prefix_that_bird_still_has_lingers() -> None:
    assert lingering(running_with(ONE), NONE)
    assert not lingering(running_with(NONE), ONE)


def test_a_bird_that_hangs_may_still_announce_and_one_that_is_gone_does_not() -> None:
    assert lingering(Observed(render(NONE), None, running=True), NONE)
    assert not lingering(Observed(render(NONE), None, running=False), NONE)
