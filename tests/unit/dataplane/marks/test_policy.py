"""Who may come, where a VIP and its listener both say something."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from hypothesis import given
from hypothesis import strategies as st

from lbaas.dataplane.marks.policy import Policy, Span, policy, spans
from lbaas.domain.addresses import Prefix
from lbaas.wire.state import Admission

VIP = IPv4Address("198.51.100.1")
MARK = 0x10000000


def admitted(*sources: tuple[Prefix, ...]) -> frozenset[Span]:
    admission = Admission(vip=VIP, mark=MARK, sources=sources)
    assert policy(admission) == Policy(restricted=True)
    return spans(admission)


def span(first: str, last: str) -> Span:
    return Span(IPv4Address(first), IPv4Address(last))


def prefixes(*texts: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)


def test_a_limit_alone_restricts_nobody() -> None:
    admission = Admission(vip=VIP, mark=MARK, new_connections_per_source=7)
    assert policy(admission) == Policy(per_second=7)
    assert spans(admission) == frozenset()


def test_prefixes_that_touch_or_overlap_are_one_span() -> None:
    assert admitted(prefixes("10.0.1.0/24", "10.0.0.0/24", "10.0.1.8/32", "192.0.2.7/32")) == {
        span("10.0.0.0", "10.0.1.255"),
        span("192.0.2.7", "192.0.2.7"),
    }


def test_a_client_must_be_in_each_set() -> None:
    assert admitted(
        prefixes("10.0.0.0/8"), prefixes("10.1.0.0/16", "10.2.3.4/32", "192.0.2.0/24")
    ) == {span("10.1.0.0", "10.1.255.255"), span("10.2.3.4", "10.2.3.4")}


def test_sets_that_have_nothing_in_common_let_nobody_in() -> None:
    assert admitted(prefixes("10.0.0.0/8"), prefixes("192.0.2.0/24")) == frozenset()


def test_prefixes_of_the_other_family_let_nobody_in() -> None:
    assert admitted(prefixes("fd00::/8")) == frozenset()
    v6 = Admission(vip=IPv6Address("2001:db8::1"), mark=MARK, sources=(prefixes("::/0"),))
    assert spans(v6) == {Span(IPv6Address("::"), IPv6Address((1 << 128) - 1))}


small_prefixes = st.builds(
    lambda start, bits: IPv4Network((0x0A000000 + (start >> bits << bits), 32 - bits)),
    st.integers(0, 31),
    st.integers(0, 5),
)
sets = st.lists(st.lists(small_prefixes, min_size=1, max_size=6).map(tuple), min_size=1, max_size=3)


@given(sources=sets)
def test_the_spans_hold_exactly_who_is_in_every_set(sources: list[tuple[IPv4Network, ...]]) -> None:
    allowed = admitted(*sources)
    for number in range(0x0A000000 - 1, 0x0A000000 + 33):
        client = IPv4Address(number)
        wanted = all(any(client in prefix for prefix in each) for each in sources)
        holding = [each for each in allowed if int(each.first) <= number <= int(each.last)]
        assert len(holding) == wanted
