"""Writes on their way from an answer to the round that applies them."""

from lbaas.agent.underway import Underway, named
from lbaas.wire.state import Write

FIRST, SECOND, THIRD = (
    Write(request_id=f"r-{revision}", revision=revision) for revision in (5, 7, 9)
)


def test_a_write_is_given_once_to_the_state_that_has_it_or_overtook_the_one_that_had() -> None:
    underway = Underway()
    underway.add([FIRST])
    underway.add([SECOND, THIRD])
    assert underway.take(4) == ()
    assert underway.take(8) == (FIRST, SECOND)
    assert underway.take(8) == ()
    assert underway.take(9) == (THIRD,)


def test_a_line_names_revisions_and_requests_or_nothing() -> None:
    assert named(()) == {}
    assert named((FIRST, SECOND)) == {"revisions": [5, 7], "requests": ["r-5", "r-7"]}
