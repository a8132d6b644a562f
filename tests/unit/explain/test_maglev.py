"""The mh table's own laws; that it is the kernel's is proven in tests/kernel/test_hashing.py."""

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from lbaas.explain.candidates import Candidate, with_last_weight
from lbaas.explain.maglev import SLOTS, MaglevTable
from lbaas.explain.siphash import hsiphash

CLIENT = IPv4Address("203.0.113.9")


def member(number: int, weight: int = 1, last: int | None = None) -> Candidate:
    return Candidate(IPv4Address(0x0A001400 + number), weight, weight if last is None else last)


WEIGHTS = st.lists(st.integers(0, 65535), min_size=1, max_size=8)


def test_the_hash_of_the_kernel() -> None:
    assert [hsiphash(number, 2654435761) for number in (0, 1, 0xFFFFFFFF)] == GOLDEN


GOLDEN = [492468162, 384591538, 583391001]


@given(WEIGHTS)
def test_every_slot_is_somebodys_and_nobody_without_weight_has_one(weights: list[int]) -> None:
    members = [member(number, weight) for number, weight in enumerate(weights)]
    slots = MaglevTable.of(4, members).slots
    assert len(slots) == (SLOTS if any(weights) else 0)
    assert set(slots) == {each for each in members if each.weight}


def test_shares_follow_the_weights() -> None:
    table = MaglevTable.of(4, [member(1, 10), member(2, 30)])
    assert table.shares() == {member(1).address: 1023 / SLOTS, member(2).address: 3070 / SLOTS}


def test_the_turns_begin_with_the_newest() -> None:
    first, second = member(1), member(2)
    one, other = MaglevTable.of(4, [first, second]), MaglevTable.of(4, [second, first])
    assert 0 < sum(a != b for a, b in zip(one.slots, other.slots, strict=True)) < SLOTS


def test_a_member_whose_weight_becomes_zero_keeps_its_slots_and_gets_no_flow() -> None:
    before = MaglevTable.of(4, [member(1), member(2), member(3)])
    after = MaglevTable.of(4, [member(1), member(2, 0, last=1), member(3)])
    assert [each.address for each in before.slots] == [each.address for each in after.slots]
    for port in range(1024, 1124):
        old, new = before.choose(CLIENT, port), after.choose(CLIENT, port)
        assert old is not None
        assert new is not None
        assert new.weight
        assert old.address in (new.address, member(2).address)


def test_without_fallback_its_flows_are_dropped() -> None:
    table = MaglevTable.of(4, [member(1, 0, last=1)])
    assert table.choose(CLIENT, 1024, fall_back=False) is None
    assert table.choose(CLIENT, 1024) is None


def test_a_service_without_weights_drops_everything() -> None:
    assert MaglevTable.of(4, [member(1, 0)]).choose(CLIENT, 1024) is None
    assert MaglevTable.of(6, []).choose(IPv6Address("2001:db8::9"), 1024) is None


def test_what_the_kernel_keeps_to_itself_can_be_assumed() -> None:
    assert with_last_weight([member(1, 0), member(2, 3)], 5) == (member(1, 0, 5), member(2, 3))
