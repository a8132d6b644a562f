"""Who may lead."""

from lbaas.kube.election import DURATION_S, Lease, Seen, given_up, taken

OTHERS = Lease("7", "other", "2026-01-01T00:00:00Z", transitions=3)


def test_nobodys_lease_is_free_and_so_is_our_own() -> None:
    assert Seen().look(None, 0).free("me", 0)
    assert Seen().look(given_up(OTHERS), 0).free("me", 0)
    assert Seen().look(taken(None, "me", "now"), 0).free("me", 0)


def test_anothers_is_free_when_we_have_seen_no_renewal_for_its_time() -> None:
    seen = Seen().look(OTHERS, 100)
    assert not seen.look(OTHERS, 100 + DURATION_S).free("me", 100 + DURATION_S)
    assert seen.look(OTHERS, 101 + DURATION_S).free("me", 101 + DURATION_S)


def test_a_renewal_starts_its_time_anew_whatever_its_clock_says() -> None:
    renewed = Lease("8", "other", "1999-01-01T00:00:00Z", transitions=3)
    seen = Seen().look(OTHERS, 100).look(renewed, 110)
    assert not seen.free("me", 101 + DURATION_S)


def test_a_lease_that_changes_hands_counts_it_and_names_the_version_it_was_seen_at() -> None:
    mine = taken(OTHERS, "me", "now")
    assert (mine.version, mine.holder, mine.transitions) == ("7", "me", 4)
    assert taken(mine, "me", "later").transitions == 4
