"""The sh buckets' own laws; that they are the kernel's is proven in tests/kernel/test_hashing.py."""

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from lbaas.explain.candidates import Candidate
from lbaas.explain.source_hash import BUCKETS, SourceHashTable

CLIENT = IPv4Address("203.0.113.9")


def member(number: int, weight: int = 1) -> Candidate:
    return Candidate.of(IPv4Address(0x0A001400 + number), weight)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=8), st.integers(1, 65535))
def test_a_flow_goes_to_a_member_with_weight_if_the_buckets_hold_one(
    weights: list[int], port: int
) -> None:
    table = SourceHashTable.of(4, [member(*each) for each in enumerate(weights)])
    chosen = table.choose(CLIENT, port)
    assert len(table.buckets) == BUCKETS
    assert (chosen is not None) == any(each.weight for each in table.buckets)
    assert chosen is None or chosen.weight


def test_the_newest_member_has_the_first_buckets_as_many_as_its_weight() -> None:
    table = SourceHashTable.of(4, [member(1), member(2, 3)])
    assert table.buckets[:5] == (member(2, 3),) * 3 + (member(1), member(2, 3))


def test_without_fallback_a_flow_of_a_member_without_weight_is_dropped() -> None:
    table = SourceHashTable.of(4, [member(1, 0)])
    assert table.choose(CLIENT, 1024, fall_back=False) is None


def test_a_service_without_members_drops_everything() -> None:
    assert SourceHashTable.of(4, []).choose(CLIENT, 1024) is None
